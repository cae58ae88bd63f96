use broker::{Offset, Record, TopicPartition};
use event::{Timestamp, topic};
use serde::Deserialize;

use crate::{Digest, MerkleTree, RecordError, encode_record, leaf_hash};

/// What there is to say of a stretch of a partition, whatever container its records are in.
#[derive(Clone, Debug)]
pub struct Summary {
    pub(crate) partition: TopicPartition,
    pub(crate) first_offset: Offset,
    next_offset: Offset,
    pub(crate) heartbeats: u64,
    pub(crate) missing: Vec<(Offset, Offset)>,
    pub(crate) append: Option<Span>,
    pub(crate) event: Option<Span>,
    tree: MerkleTree,
    scratch: Vec<u8>,
}

/// The earliest and the latest of some times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Span {
    fn including(span: Option<Self>, time: Timestamp) -> Self {
        span.map_or(
            Self {
                first: time,
                last: time,
            },
            |Self { first, last }| Self {
                first: first.min(time),
                last: last.max(time),
            },
        )
    }
}

impl Summary {
    /// Of no record yet, of a stretch that begins at `first_offset`. Offsets from there on that bring no record
    /// (transaction markers, aborted records) are counted as missing.
    pub fn new(partition: TopicPartition, first_offset: Offset) -> Self {
        Self {
            partition,
            first_offset,
            next_offset: first_offset,
            heartbeats: 0,
            missing: Vec::new(),
            append: None,
            event: None,
            tree: MerkleTree::default(),
            scratch: Vec::new(),
        }
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// As [`RecordError`] says; the summary is as it was.
    pub fn add(&mut self, record: &Record) -> Result<(), RecordError> {
        if record.offset < self.next_offset {
            return Err(RecordError::OutOfOrder {
                offset: record.offset,
                expected: self.next_offset,
            });
        }
        let unrepresentable = || RecordError::Unrepresentable {
            offset: record.offset,
            what: "offset",
        };
        let next_offset = record.offset.checked_add(1).ok_or_else(unrepresentable)?;
        self.scratch.clear();
        encode_record(&self.partition, record, &mut self.scratch)?;
        self.tree.push(leaf_hash(&self.scratch));
        if record.offset > self.next_offset {
            self.missing.push((self.next_offset, record.offset - 1));
        }
        self.next_offset = next_offset;
        self.append = Some(Span::including(self.append, record.timestamp));
        if record.header(topic::HEADER_HEARTBEAT).is_some() {
            self.heartbeats += 1;
        } else if let Some(time) = self.event_time(record) {
            self.event = Some(Span::including(self.event, time));
        }
        Ok(())
    }

    /// When the event happened that the record carries, if it carries one and the time is a number that JSON keeps.
    fn event_time(&self, record: &Record) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct HasTime {
            time: Timestamp,
        }
        if !topic::EVENTS.contains(&&*self.partition.topic) {
            return None;
        }
        let HasTime { time } = serde_json::from_slice(record.value.as_deref()?).ok()?;
        (time.as_millis().unsigned_abs() <= JSON_INTEGER_MAX).then_some(time)
    }

    /// The number of records.
    pub fn count(&self) -> u64 {
        self.tree.len()
    }

    /// The offset after the last record.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The Merkle root over the records, in order of their offsets.
    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    /// When the first record was appended; `None` without records.
    pub fn oldest_append(&self) -> Option<Timestamp> {
        self.append.map(|span| span.first)
    }

    /// Whether the other holds exactly the same records.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.partition == other.partition
            && self.first_offset == other.first_offset
            && self.next_offset == other.next_offset
            && self.count() == other.count()
            && self.root() == other.root()
    }
}

/// RFC 8785 writes numbers as ECMAScript does: greater integers would be rounded.
const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;
