//! The log on Apache Kafka: the adapter behind the ports of `libs/broker`, and the only crate that names the client.
//!
//! [`KafkaSession`] is a place in a consumer group joined to a transactional producer, on the calling thread;
//! [`KafkaReader`] reads partitions apart from any group; [`KafkaPublisher`] writes outside of transactions;
//! [`topics`] knows and creates the topics.
//!
//! What holds here, and what it is held by:
//!
//! - positions are read after the producer is fenced, never before (`session::KafkaSession::recover`);
//! - the end of a changelog is its last record, not its last decided one ([`KafkaReader`]);
//! - no transaction without positions, and none with the position of a partition that is not ours;
//! - a producer that failed is never used again: a new one takes over its transactional id;
//! - no rebalance is answered inside a callback: the callback takes note, the next poll acts;
//! - nothing seeks, or assigns, to a logical offset (librdkafka repeats a late answer to such a query after a later
//!   seek, and so jumps);
//! - no transactional call outlives the watchdog.

mod client;
mod commit;
mod drain;
mod failure;
mod listener;
mod names;
mod observer;
mod publisher;
mod reader;
mod rebalance;
mod session;
mod settings;
pub mod topics;
mod watchdog;

pub use observer::{Observer, Unobserved};
pub use publisher::KafkaPublisher;
pub use reader::KafkaReader;
pub use session::KafkaSession;
pub use settings::{InvalidSetting, KafkaSettings, Mechanism, RECORD_BYTES_MAX, Sasl, Start, Tls};
