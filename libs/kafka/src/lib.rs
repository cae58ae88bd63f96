//! The only crate that names the Kafka client.
