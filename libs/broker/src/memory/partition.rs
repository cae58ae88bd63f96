use std::collections::VecDeque;

use event::Timestamp;

use crate::{Chunk, Offset, Output, Record};

/// How long a topic keeps its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As long as the log lives.
    All,
    /// Until every group that reads it has committed past them.
    UntilRead,
    /// Not at all: offsets grow and nothing is kept. For topics that nobody reads in this process.
    Nothing,
}

/// The most records of one [`Chunk`].
const CHUNK_RECORDS_MAX: usize = 1000;

pub(super) struct Partition {
    keep: Keep,
    start: Offset,
    records: VecDeque<Record>,
}

impl Partition {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            keep,
            start: 0,
            records: VecDeque::new(),
        }
    }

    pub(super) fn keeps_until_read(&self) -> bool {
        self.keep == Keep::UntilRead
    }

    pub(super) fn bounds(&self) -> (Offset, Offset) {
        (self.start, self.start + self.records.len() as u64)
    }

    pub(super) fn append(&mut self, output: Output, now: Timestamp) -> Offset {
        let (_, offset) = self.bounds();
        if self.keep == Keep::Nothing {
            self.start += 1;
            return offset;
        }
        let Output {
            key, value, headers, ..
        } = output;
        self.records.push_back(Record {
            offset,
            timestamp: now,
            key,
            value,
            headers,
        });
        offset
    }

    pub(super) fn forget_before(&mut self, offset: Offset) {
        while self.start < offset && self.records.pop_front().is_some() {
            self.start += 1;
        }
    }

    pub(super) fn read(&self, from: Offset, records_max: usize) -> Vec<Record> {
        let skip = usize::try_from(from.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.records.iter().skip(skip).take(records_max).cloned().collect()
    }

    pub(super) fn chunk(&self, from: Offset) -> Chunk {
        let records = self.read(from, CHUNK_RECORDS_MAX);
        let next = records.last().map_or(from, |record| record.offset + 1);
        Chunk {
            records,
            next,
            at_end: next >= self.bounds().1,
        }
    }
}
