use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use event::Timestamp;

/// The place of a record in its partition.
pub type Offset = u64;

/// Names and values beside a record, in order.
pub type Headers = Vec<(String, Bytes)>;

/// A partition of a topic; the topic's name is without the prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
}

/// A place in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The topic and partition.
    pub partition: TopicPartition,
    /// The offset.
    pub offset: Offset,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: Offset,
    /// What the topic's timestamp type says: for `events.*` when the broker appended it.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

/// Records of one partition, in order. Offsets may have gaps.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where they are from.
    pub partition: TopicPartition,
    /// At least one.
    pub records: Vec<Record>,
}

/// A record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The topic, without the prefix.
    pub topic: Arc<str>,
    /// The partition; always chosen by us, so that a key is in one place whoever writes it.
    pub partition: u32,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: u32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl Record {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }
}

impl Output {
    /// A record for `key`, in the partition of that key among `partitions`.
    pub fn keyed(topic: impl Into<Arc<str>>, partitions: u32, key: &[u8], value: Vec<u8>) -> Self {
        Self {
            topic: topic.into(),
            partition: event::partition_of(key, partitions),
            key: Some(Bytes::copy_from_slice(key)),
            value: Some(value.into()),
            headers: Headers::new(),
        }
    }

    /// The bytes of key, value and headers.
    pub fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.as_ref().map_or(0, Bytes::len) + self.value.as_ref().map_or(0, Bytes::len) + headers
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.topic, self.partition)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.partition, self.offset)
    }
}
