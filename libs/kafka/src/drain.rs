//! Turns the client's messages into batches, with one allocation for the bytes of many records.

use broker::{Batch, Headers, Record, TopicPartition};
use bytes::Bytes;
use event::Timestamp;
use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Observer;
use crate::names::{Names, count, known_offset};

/// The records that were taken from the client in one go, by partition.
#[derive(Default)]
pub(crate) struct Drain {
    pending: Vec<Pending>,
    /// The partition of the last record: they come in runs.
    last: usize,
    /// How many records there are.
    pub(crate) records: usize,
}

struct Pending {
    full: String,
    number: i32,
    partition: TopicPartition,
    bytes: Vec<u8>,
    records: Vec<Raw>,
}

/// A record whose bytes lie in `Pending::bytes`.
struct Raw {
    offset: broker::Offset,
    timestamp: Timestamp,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<(String, Range<usize>)>,
}

impl Drain {
    pub(crate) fn push(&mut self, message: &BorrowedMessage<'_>, names: &Names, observer: &dyn Observer) {
        let pending = self.of(message.topic(), message.partition(), names);
        let raw = Raw {
            offset: known_offset(message.offset()).unwrap_or(0),
            timestamp: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
            key: message.key().map(|key| pending.store(key)),
            value: message.payload().map(|value| pending.store(value)),
            headers: message
                .headers()
                .map(|headers| pending.store_headers(headers, observer))
                .unwrap_or_default(),
        };
        pending.records.push(raw);
        self.records += 1;
    }

    fn of(&mut self, full: &str, number: i32, names: &Names) -> &mut Pending {
        let is_it = |it: &Pending| it.number == number && it.full == full;
        if !self.pending.get(self.last).is_some_and(is_it) {
            self.last = self.pending.iter().position(is_it).unwrap_or_else(|| {
                let partition = TopicPartition {
                    topic: names.short(full),
                    partition: count(number),
                };
                let full = full.to_owned();
                self.pending.push(Pending {
                    full,
                    number,
                    partition,
                    bytes: Vec::new(),
                    records: Vec::new(),
                });
                self.pending.len() - 1
            });
        }
        &mut self.pending[self.last]
    }

    /// A batch for each partition, in the order of their first records.
    pub(crate) fn into_batches(self) -> impl Iterator<Item = Batch> {
        self.pending.into_iter().map(Pending::into_batch)
    }
}

impl Pending {
    fn store(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn store_headers(&mut self, headers: &BorrowedHeaders, observer: &dyn Observer) -> Vec<(String, Range<usize>)> {
        let mut stored = Vec::with_capacity(headers.count());
        for index in 0..headers.count() {
            // The client unwraps the name as UTF-8: without this, any producer could end us with one header.
            match catch_unwind(AssertUnwindSafe(|| headers.try_get(index))) {
                Ok(Some(header)) => stored.push((header.key.to_owned(), self.store(header.value.unwrap_or_default()))),
                Ok(None) => {}
                Err(_) => observer.header_dropped(&self.partition),
            }
        }
        stored
    }

    fn into_batch(self) -> Batch {
        let bytes = Bytes::from(self.bytes);
        let slice = |range: Range<usize>| bytes.slice(range);
        let record = |raw: Raw| Record {
            offset: raw.offset,
            timestamp: raw.timestamp,
            key: raw.key.map(slice),
            value: raw.value.map(slice),
            headers: raw
                .headers
                .into_iter()
                .map(|(name, range)| (name, slice(range)))
                .collect::<Headers>(),
        };
        Batch {
            partition: self.partition,
            records: self.records.into_iter().map(record).collect(),
        }
    }
}
