use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use alerting::{Ledger, Notification};
use broker::{Error, Offset, Output, Reader, Record, TopicPartition};
use event::{Key, Timestamp, topic};

/// What is kept of one partition of `alerts`: dropped and rebuilt whenever anything goes wrong.
pub(crate) struct Task {
    partition: u32,
    pub(crate) ledger: Ledger,
    /// The deliveries on their way.
    pub(crate) planned: BTreeSet<Key>,
    /// From the first record whose deliveries have not all ended.
    open: VecDeque<Open>,
    open_bytes: usize,
    /// The record after the last one that was planned.
    next: Offset,
    committed: Offset,
    /// What the next commit makes visible.
    outputs: Vec<Output>,
    /// Records that came while too many were open. They are read again when there is room.
    pub(crate) backlog: Option<Range<Offset>>,
}

struct Open {
    offset: Offset,
    bytes: usize,
    deliveries: u32,
}

/// What one partition holds in memory at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Records from the first whose deliveries have not all ended.
    pub records_max: usize,
    /// Their bytes; a single record may have more.
    pub bytes_max: usize,
}

impl Room {
    /// Half of it, so that a partition that was full goes on with more than one record at a time.
    pub(crate) fn half(self) -> Self {
        Self {
            records_max: self.records_max.div_ceil(2),
            bytes_max: self.bytes_max.div_ceil(2),
        }
    }
}

impl Task {
    /// Restores the ledger of a partition whose next record is `next`.
    pub(crate) fn restore(
        partition: u32,
        next: Offset,
        horizon: Duration,
        reader: &mut impl Reader,
    ) -> Result<Self, Error> {
        let mut task = Self {
            partition,
            ledger: Ledger::new(horizon),
            planned: BTreeSet::new(),
            open: VecDeque::new(),
            open_bytes: 0,
            next,
            committed: next,
            outputs: Vec::new(),
            backlog: None,
        };
        let place = TopicPartition::new(topic::NOTIFICATIONS, partition);
        let (mut from, end) = reader.bounds(&place)?;
        while from < end {
            let chunk = reader.read(&place, from)?;
            chunk.records.iter().for_each(|record| task.remember(record));
            if chunk.at_end {
                break;
            }
            from = chunk.next;
        }
        Ok(task)
    }

    fn remember(&mut self, record: &Record) {
        let Some(key) = &record.key else { return };
        let key = Key::from_bytes(key);
        match record.value.as_deref().map(Notification::decode) {
            None => self.ledger.apply(key, None),
            Some(Ok(notification)) => self.ledger.apply(key, Some(&notification)),
            Some(Err(error)) => {
                let offset = record.offset;
                tracing::warn!(%error, partition = self.partition, offset, "a record of notifications is not read: its alert may be told again");
            }
        }
    }

    /// Takes note of a record that is about to be planned, and of the time.
    pub(crate) fn begin(&mut self, record: &Record) {
        let bytes = record.value.as_ref().map_or(0, |value| value.len());
        self.open.push_back(Open {
            offset: record.offset,
            bytes,
            deliveries: 0,
        });
        self.open_bytes += bytes;
        self.next = record.offset + 1;
        self.forget(record.timestamp);
    }

    /// Another delivery of the record at `offset` is on its way.
    pub(crate) fn delivery_begins(&mut self, offset: Offset, key: Key) {
        self.planned.insert(key);
        if let Some(open) = self.open_at(offset) {
            open.deliveries += 1;
        }
    }

    /// A delivery of the record at `offset` ended. Whatever follows from it must have begun.
    pub(crate) fn delivery_ends(&mut self, offset: Offset, notification: &Notification) {
        let key = notification.record_key();
        self.planned.remove(&key);
        self.ledger.apply(key.clone(), Some(notification));
        self.write(topic::NOTIFICATIONS, self.partition, &key, Some(notification.encode()));
        if let Some(open) = self.open_at(offset) {
            open.deliveries = open.deliveries.saturating_sub(1);
        }
        self.settle();
    }

    /// Gives up the records at the head that wait for nothing any more.
    pub(crate) fn settle(&mut self) {
        while let Some(open) = self.open.pop_front_if(|open| open.deliveries == 0) {
            self.open_bytes -= open.bytes;
        }
    }

    /// Adds a record to the next commit.
    pub(crate) fn write(&mut self, topic: &str, partition: u32, key: &Key, value: Option<Vec<u8>>) {
        self.outputs.push(Output {
            topic: topic.into(),
            partition,
            key: Some(key.as_bytes().to_vec().into()),
            value: value.map(Into::into),
            headers: Vec::new(),
        });
    }

    fn forget(&mut self, now: Timestamp) {
        for key in self.ledger.advance(now) {
            self.write(topic::NOTIFICATIONS, self.partition, &key, None);
        }
    }

    fn open_at(&mut self, offset: Offset) -> Option<&mut Open> {
        let at = self.open.binary_search_by_key(&offset, |open| open.offset).ok()?;
        self.open.get_mut(at)
    }

    /// Whether another record may be planned.
    pub(crate) fn has_room(&self, room: Room) -> bool {
        self.open.is_empty() || (self.open.len() < room.records_max && self.open_bytes < room.bytes_max)
    }

    /// How many records wait for a delivery, or for one before them.
    pub(crate) fn open_records(&self) -> usize {
        self.open.len()
    }

    /// The next record to plan after a restart: everything before it has ended.
    fn position(&self) -> Offset {
        self.open.front().map_or(self.next, |open| open.offset)
    }

    /// What a commit would make visible, if it were worth one.
    pub(crate) fn take_commit(&mut self) -> Option<(Vec<Output>, Offset)> {
        let position = self.position();
        if self.outputs.is_empty() && position == self.committed {
            return None;
        }
        self.committed = position;
        Some((std::mem::take(&mut self.outputs), position))
    }
}
