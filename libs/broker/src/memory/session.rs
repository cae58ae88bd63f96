use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use super::{Inner, Log, MemberId};
use crate::{Assignment, Batch, Chunk, Committed, Error, Offset, Polled, Reader, TopicPartition, Transaction};

/// The most records of one [`Batch`].
const BATCH_RECORDS_MAX: usize = 4096;

/// A place in a group of a [`Log`], joined to its transactional producer. Dropping it leaves the group;
/// [`Session::crash`] does not.
pub struct Session {
    log: Log,
    group: String,
    transactional_id: String,
    epoch: u64,
    member: MemberId,
    /// What we ask for whenever we join.
    wanted: Vec<TopicPartition>,
    batch_records_max: usize,
    /// What was announced to the worker as its own.
    assigned: BTreeSet<TopicPartition>,
    /// The next record to deliver of each partition that was started.
    delivering: BTreeMap<TopicPartition, Offset>,
    /// What the last poll asked to be handed over.
    leaving: Vec<TopicPartition>,
    /// A commit failed: everything is to be announced again.
    reset: bool,
    /// Where the next search for records begins, so that no partition starves another.
    turn: usize,
    crashed: bool,
}

impl Session {
    pub(super) fn new(
        log: Log,
        group: &str,
        transactional_id: &str,
        epoch: u64,
        member: MemberId,
        wanted: Vec<TopicPartition>,
    ) -> Self {
        Self {
            log,
            group: group.to_owned(),
            transactional_id: transactional_id.to_owned(),
            epoch,
            member,
            wanted,
            batch_records_max: BATCH_RECORDS_MAX,
            assigned: BTreeSet::new(),
            delivering: BTreeMap::new(),
            leaving: Vec::new(),
            reset: false,
            turn: 0,
            crashed: false,
        }
    }

    /// Delivers at most so many records in one batch.
    #[must_use]
    pub fn with_batch_records_max(mut self, records: usize) -> Self {
        self.batch_records_max = records.max(1);
        self
    }

    /// Our name in the group, for [`Log::evict`].
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// Behaves as after a commit that failed for a reason of the broker: everything is announced again.
    pub fn abort(&mut self, reason: &str) -> Error {
        self.reset = true;
        Error::Aborted(reason.to_owned())
    }

    /// Ends the session as a killed process does: the group believes it is alive until [`Log::evict`].
    pub fn crash(mut self) {
        self.crashed = true;
    }

    fn check_epoch(&self, inner: &Inner) -> Result<(), Error> {
        match inner.epochs.get(&self.transactional_id) {
            Some(epoch) if *epoch == self.epoch => Ok(()),
            _ => Err(Error::Fenced(format!(
                "another process holds the transactional id `{}`",
                self.transactional_id
            ))),
        }
    }

    /// What there is to say, or `None`.
    fn next(&mut self, inner: &mut Inner) -> Option<Polled> {
        let group = inner.groups.get_mut(&self.group)?;
        group.give_up(self.member, &std::mem::take(&mut self.leaving));
        let reset = std::mem::take(&mut self.reset);
        if reset || !group.is_member(self.member) {
            return self.start_over(inner);
        }
        let leaving = group.to_give_up(self.member);
        if !leaving.is_empty() {
            self.forget(&leaving);
            self.leaving.clone_from(&leaving);
            return Some(Polled::Revoked(leaving));
        }
        let taken = group.take_free(self.member);
        if !taken.is_empty() {
            return Some(self.announce(inner, taken));
        }
        self.records(inner)
    }

    /// After an eviction: everything is lost, and we join again. After a failed commit: everything is announced again.
    fn start_over(&mut self, inner: &mut Inner) -> Option<Polled> {
        let assigned: Vec<_> = std::mem::take(&mut self.assigned).into_iter().collect();
        self.delivering.clear();
        let group = inner.groups.get_mut(&self.group)?;
        if group.is_member(self.member) {
            let ours = assigned
                .into_iter()
                .filter(|partition| group.owner(partition) == Some(self.member))
                .collect();
            return Some(self.announce(inner, ours));
        }
        inner.members += 1;
        self.member = inner.members;
        inner
            .groups
            .get_mut(&self.group)?
            .join(self.member, self.wanted.clone());
        Some(Polled::Lost(assigned))
    }

    fn announce(&mut self, inner: &Inner, partitions: Vec<TopicPartition>) -> Polled {
        let committed = |partition: &TopicPartition| {
            inner
                .groups
                .get(&self.group)
                .and_then(|group| group.committed.get(partition).copied())
        };
        let assignments = partitions.iter().map(|partition| Assignment {
            partition: partition.clone(),
            committed: committed(partition),
        });
        let assignments = assignments.collect();
        self.assigned.extend(partitions);
        Polled::Assigned(assignments)
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.assigned.remove(partition);
            self.delivering.remove(partition);
        }
    }

    fn records(&mut self, inner: &Inner) -> Option<Polled> {
        let count = self.delivering.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            let (place, next) = self.delivering.iter_mut().nth(at)?;
            let records = inner.partition(place).ok()?.read(*next, self.batch_records_max);
            if let Some(last) = records.last() {
                *next = last.offset + 1;
                self.turn = at + 1;
                return Some(Polled::Records(Batch {
                    partition: place.clone(),
                    records,
                }));
            }
        }
        None
    }
}

impl Reader for Session {
    fn partition_count(&mut self, topic: &str) -> Result<u32, Error> {
        crate::Publisher::partition_count(&self.log, topic)
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        self.log.bounds(partition)
    }

    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error> {
        self.log
            .lock()
            .partition(partition)
            .map(|partition| partition.chunk(from))
    }
}

impl crate::Session for Session {
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        let log = self.log.clone();
        let mut inner = log.lock();
        self.check_epoch(&inner)?;
        if let Some(polled) = self.next(&mut inner) {
            log.shared.appended.notify_all();
            return Ok(polled);
        }
        if wait.is_zero() {
            return Ok(Polled::Idle);
        }
        let waited = log.shared.appended.wait_timeout(inner, wait);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Ok(self.next(&mut inner).unwrap_or(Polled::Idle))
    }

    fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), Error> {
        let (first, _) = self.log.bounds(partition)?;
        if from < first {
            return Err(Error::Misconfigured(format!(
                "{partition} is kept from {first}, not from {from}"
            )));
        }
        if self.assigned.contains(partition) {
            self.delivering.insert(partition.clone(), from);
        }
        Ok(())
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Committed, Error> {
        if transaction.positions.is_empty() {
            return Err(Error::Refused(
                "a transaction without positions is not fenced by the group".into(),
            ));
        }
        let mut inner = self.log.lock();
        self.check_epoch(&inner)?;
        let now = (self.log.shared.now)();
        let decided = inner.commit(&self.group, self.member, transaction, now);
        drop(inner);
        self.log.shared.appended.notify_all();
        self.reset = decided.is_err();
        decided
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.crashed {
            self.log.evict(&self.group, self.member);
        }
    }
}
