use broker::TopicPartition;

use crate::StoreError;

/// Why a record cannot be part of a segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It does not come after the one before it.
    #[error("offset {offset} where {expected} or a later one was expected")]
    OutOfOrder {
        /// The record's offset.
        offset: u64,
        /// The offset after the record before it.
        expected: u64,
    },
    /// A number of it does not fit the form that is hashed.
    #[error("record {offset}: its {what} is too large to be archived")]
    Unrepresentable {
        /// The record's offset.
        offset: u64,
        /// What is too large.
        what: &'static str,
    },
}

/// Why something in the archive could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object that must be there is not.
    #[error("{name} is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// The bytes are not what a segment or manifest is made of, or not the bytes that were written.
    #[error("{name} is damaged: {why}")]
    Damaged {
        /// The name of the object.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Written by a newer Tidewatch.
    #[error("{name} has version {version}, which this build does not know")]
    Version {
        /// The name of the object.
        name: String,
        /// The version it names.
        version: u64,
    },
    /// Segments of a partition do not follow each other.
    #[error("{partition}: a segment begins at {found} where {expected} was expected")]
    Gap {
        /// The partition.
        partition: TopicPartition,
        /// The offset after the segment before it.
        expected: u64,
        /// Where the next segment begins.
        found: u64,
    },
}

impl ReadError {
    /// The object `name` is damaged.
    pub(crate) fn damaged(name: &str, why: impl ToString) -> Self {
        Self::Damaged {
            name: name.to_owned(),
            why: why.to_string(),
        }
    }
}
