//! The nouns every service shares, and their bytes.
//!
//! Everything here goes over a topic or into the archive, so an encoding changes only with a new version byte
//! and a new golden file in `tests/golden`. Nothing here does I/O or reads a clock.

mod alert;
pub mod canary;
mod change;
mod dead_letter;
mod event;
mod fact;
mod field;
mod id;
mod key;
mod severity;
mod tier;
mod timestamp;
pub mod topic;

pub use alert::{Alert, AlertStatus, Evidence};
pub use change::StateChange;
pub use dead_letter::{DeadLetter, Reason};
pub use event::{Event, Raw};
pub use fact::{Fact, FactEntry, FactRecord, Source, SourcePartition, SourceTopic, Tick};
pub use field::{FieldValue, normalise_ip, parse_ip};
pub use id::{AlertId, EventHash, SemanticHash, ValueHash, content_id, position_id};
pub use key::{Key, partition_of};
pub use severity::{Level, Severity, UnknownName};
pub use tier::Tier;
pub use timestamp::Timestamp;

/// The tenant of a producer that names none.
pub const DEFAULT_TENANT: &str = "default";

/// Bytes that are not what their topic promises.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the JSON that this kind of record is made of.
    #[error("not a valid {what}: {source}")]
    Json {
        /// The kind of record that was expected.
        what: &'static str,
        /// Where the JSON went wrong.
        source: serde_json::Error,
    },
    /// Not the compact form that this kind of record is made of.
    #[error("not a valid {what}: {source}")]
    Compact {
        /// The kind of record that was expected.
        what: &'static str,
        /// What the decoder met.
        source: postcard::Error,
    },
    /// Written by a newer Tidewatch, or not by Tidewatch.
    #[error("{what} of unknown version {version}")]
    Version {
        /// The kind of record that was expected.
        what: &'static str,
        /// The version byte that was found.
        version: u8,
    },
    /// The checksum does not fit the bytes.
    #[error("{what} is damaged: its checksum does not fit")]
    Damaged {
        /// The kind of record that was expected.
        what: &'static str,
    },
    /// Too short to be one.
    #[error("{what} is cut short")]
    Short {
        /// The kind of record that was expected.
        what: &'static str,
    },
}
