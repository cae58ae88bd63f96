use std::time::Duration;

use broker::{Error, Offset, TopicPartition};

/// What the adapter sees, for metrics. Called from the worker's thread; must be quick and must not block.
pub trait Observer: Send + Sync {
    /// A transaction of so many records was committed, in this time.
    fn committed(&self, _took: Duration, _records: usize) {}
    /// A transaction was not committed.
    fn failed(&self, _error: &Error) {}
    /// About once a second: the next record to be polled, and the offset after the last that is committed. The
    /// difference is the lag; a position that stays while the end moves is a stall.
    fn progress(&self, _partition: &TopicPartition, _position: Offset, _end: Offset) {}
    /// A partition is no longer ours: its progress says nothing any more.
    fn released(&self, _partition: &TopicPartition) {}
    /// The client reported an error, by librdkafka's name of it.
    fn client_error(&self, _code: &str) {}
    /// A header was left out, because its name is not UTF-8.
    fn header_dropped(&self, _partition: &TopicPartition) {}
}

/// Looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
