//! The log in memory: topics, transactions and consumer groups within one process.
//!
//! `tidewatch demo` and `tidewatch scan` run on it, and so does the simulator, which is why it fences, evicts and
//! rebalances like a real one. A transaction is applied in one step under one lock, so there are no aborted records
//! and the end of a partition is its last stable offset. Nothing outlives the process.

mod group;
mod partition;
mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use event::{StateChange, Timestamp, topic};
use group::Group;
pub use group::MemberId;
pub use partition::Keep;
use partition::Partition;
pub use session::Session;

use crate::{Committed, Error, Offset, Output, Position, Published, Publisher, TopicPartition, Transaction};

/// Tells the time at which a record is appended.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A log in memory. Clones are the same log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    appended: Condvar,
    now: Clock,
}

#[derive(Default)]
struct Inner {
    topics: BTreeMap<Arc<str>, Vec<Partition>>,
    groups: BTreeMap<String, Group>,
    /// The newest session of each transactional id; an older one is fenced.
    epochs: BTreeMap<String, u64>,
    members: MemberId,
}

impl Log {
    /// An empty log that stamps records with `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let shared = Shared {
            inner: Mutex::default(),
            appended: Condvar::new(),
            now: Arc::new(now),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Adds a topic, or replaces an empty one.
    ///
    /// # Panics
    /// If `partitions` is zero.
    pub fn create_topic(&self, name: &str, partitions: u32, keep: Keep) {
        assert!(partitions > 0, "a topic has at least one partition");
        let partitions = (0..partitions).map(|_| Partition::new(keep)).collect();
        self.lock().topics.insert(name.into(), partitions);
    }

    /// Joins `group` for `topics`, as the only holder of `transactional_id`: an earlier session that holds it is fenced.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if a topic does not exist.
    pub fn session(&self, group: &str, transactional_id: &str, topics: &[&str]) -> Result<Session, Error> {
        let mut inner = self.lock();
        let mut partitions = Vec::new();
        for name in topics {
            let count = inner.topic(name)?.len();
            let name: Arc<str> = (*name).into();
            partitions
                .extend((0..count).map(|at| TopicPartition::new(name.clone(), u32::try_from(at).unwrap_or(u32::MAX))));
        }
        inner.members += 1;
        let member = inner.members;
        let epoch = inner.epochs.entry(transactional_id.to_owned()).or_default();
        *epoch += 1;
        let epoch = *epoch;
        inner
            .groups
            .entry(group.to_owned())
            .or_default()
            .join(member, partitions.clone());
        drop(inner);
        self.shared.appended.notify_all();
        Ok(Session::new(
            self.clone(),
            group,
            transactional_id,
            epoch,
            member,
            partitions,
        ))
    }

    /// Takes a member out of its group, as a broker does when heartbeats stop. Its session learns of it when it polls
    /// or commits.
    pub fn evict(&self, group: &str, member: MemberId) {
        if let Some(group) = self.lock().groups.get_mut(group) {
            group.leave(member);
        }
        self.shared.appended.notify_all();
    }

    /// The position a group has committed.
    pub fn committed(&self, group: &str, partition: &TopicPartition) -> Option<Offset> {
        self.lock().groups.get(group)?.committed.get(partition).copied()
    }

    /// The first offset that is kept and the offset after the last record.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if there is no such partition.
    pub fn bounds(&self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        self.lock().partition(partition).map(|partition| partition.bounds())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere while the lock was held leaves the log as it was: every change under it is complete.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, outputs: Vec<Output>) -> Result<Vec<Position>, Error> {
        let mut inner = self.lock();
        let now = (self.shared.now)();
        outputs.iter().try_for_each(|output| inner.check(output))?;
        let positions = outputs.into_iter().map(|output| inner.append(output, now)).collect();
        drop(inner);
        self.shared.appended.notify_all();
        Ok(positions)
    }
}

impl Publisher for Log {
    fn publish(&self, outputs: Vec<Output>, done: Published) -> Result<(), Error> {
        done(self.append(outputs));
        Ok(())
    }

    fn partition_count(&self, topic: &str) -> Result<u32, Error> {
        self.lock()
            .topic(topic)
            .map(|partitions| u32::try_from(partitions.len()).unwrap_or(u32::MAX))
    }
}

impl Inner {
    fn topic(&self, name: &str) -> Result<&Vec<Partition>, Error> {
        self.topics
            .get(name)
            .ok_or_else(|| Error::Misconfigured(format!("there is no topic `{name}`")))
    }

    fn partition(&self, place: &TopicPartition) -> Result<&Partition, Error> {
        let partitions = self.topic(&place.topic)?;
        let found = partitions.get(usize::try_from(place.partition).unwrap_or(usize::MAX));
        found.ok_or_else(|| Error::Misconfigured(format!("there is no partition {place}")))
    }

    fn check(&self, output: &Output) -> Result<(), Error> {
        self.partition(&TopicPartition::new(output.topic.clone(), output.partition))
            .map(|_| ())
    }

    /// Appends a record whose partition exists.
    fn append(&mut self, output: Output, now: Timestamp) -> Position {
        let place = TopicPartition::new(output.topic.clone(), output.partition);
        let partitions = self.topics.get_mut(&output.topic).expect("the topic was checked");
        let offset = partitions[output.partition as usize].append(output, now);
        Position {
            partition: place,
            offset,
        }
    }

    /// Applies a transaction of `member`, or nothing of it.
    fn commit(
        &mut self,
        group: &str,
        member: MemberId,
        transaction: Transaction,
        now: Timestamp,
    ) -> Result<Committed, Error> {
        let owned = |group: &Group| {
            transaction
                .positions
                .keys()
                .all(|partition| group.owner(partition) == Some(member))
        };
        if !self.groups.get(group).is_some_and(owned) {
            return Err(Error::Aborted(
                "a partition of this transaction is not ours any more".into(),
            ));
        }
        let changes: Vec<_> = transaction
            .changes
            .iter()
            .map(|(partition, change)| changelog_record(*partition, change))
            .collect();
        transaction
            .outputs
            .iter()
            .chain(&changes)
            .try_for_each(|output| self.check(output))?;
        transaction
            .outputs
            .into_iter()
            .for_each(|output| drop(self.append(output, now)));
        let mut committed = Committed::default();
        for change in changes {
            let position = self.append(change, now);
            committed
                .changelog
                .insert(position.partition.partition, position.offset + 1);
        }
        if let Some(group) = self.groups.get_mut(group) {
            group.committed.extend(transaction.positions);
        }
        self.trim();
        Ok(committed)
    }

    /// Forgets what every group that reads a topic has committed past.
    fn trim(&mut self) {
        for (topic, partitions) in &mut self.topics {
            for (at, partition) in partitions
                .iter_mut()
                .enumerate()
                .filter(|(_, partition)| partition.keeps_until_read())
            {
                let place = TopicPartition::new(topic.clone(), u32::try_from(at).unwrap_or(u32::MAX));
                let readers = self.groups.values().filter(|group| group.reads(&place));
                if let Some(read) = readers
                    .map(|group| group.committed.get(&place).copied().unwrap_or(0))
                    .min()
                {
                    partition.forget_before(read);
                }
            }
        }
    }
}

fn changelog_record(partition: u32, change: &StateChange) -> Output {
    Output {
        topic: topic::CHANGELOG.into(),
        partition,
        key: Some(change.key.to_vec().into()),
        value: change.encode_value().map(Into::into),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
