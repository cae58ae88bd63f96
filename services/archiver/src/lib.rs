//! Every record of every archived topic to the object store, once.
//!
//! For each partition it owns, the archiver gathers a segment. When one is due it writes the object, reads its lock
//! back, writes the manifest, and only then commits the position, in one transaction with the manifest's record for
//! `archive.manifests`. A crash between any two of these is repaired by doing them again: what exists already is
//! adopted if it holds exactly the records of the log, and is a conflict if it does not.
//!
//! Absent here: a way to overwrite, to delete, or to go past a record that is not archived.

mod error;
mod metrics;
mod settings;
mod task;
mod write;

use std::collections::BTreeMap;

use archive::{LockMode, Manifest, ObjectStore, tier_of};
use broker::{Assignment, Batch, Offset, Output, Polled, Session, TopicPartition, Transaction};
use event::{Timestamp, topic};
use service::health::Readiness;
use service::metrics::Metrics;

pub use error::Error;
use error::Setback;
use metrics::Instruments;
pub use metrics::TopicRetention;
pub use settings::Settings;
use task::{Stage, Task};

/// Tells the time, by which segments grow old and locks begin.
pub type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// The topics to join the group for.
pub fn topics() -> Vec<&'static str> {
    archive::TIERS.iter().flat_map(|tier| tier.topics).copied().collect()
}

/// One worker: a place in the group, and what it gathers of the partitions it owns.
pub struct Archiver<S, O> {
    session: S,
    store: O,
    settings: Settings,
    now: Clock,
    instruments: Instruments,
    readiness: Readiness,
    tasks: BTreeMap<TopicPartition, Task>,
    /// The group has given us partitions at least once.
    joined: bool,
}

impl<S: Session, O: ObjectStore> Archiver<S, O> {
    /// A worker that owns nothing yet. `session` has joined a group for [`topics`].
    pub fn new(session: S, store: O, settings: Settings, now: Clock, metrics: &Metrics, readiness: Readiness) -> Self {
        let instruments = Instruments::new(metrics);
        instruments.age_max.set(settings.limits.age_max.as_secs_f64());
        Self {
            session,
            store,
            settings,
            now,
            instruments,
            readiness,
            tasks: BTreeMap::new(),
            joined: false,
        }
    }

    /// Tries the store, then runs until asked to stop, and archives what it holds then. Where it meets a segment that
    /// ends before its own, what comes after that is left to the next owner.
    ///
    /// # Errors
    /// As [`Error`] says. What was not committed is then to be gathered again, by a new worker.
    pub fn run(&mut self, stop: impl Fn() -> bool) -> Result<(), Error> {
        self.try_store()?;
        while !stop() {
            self.step()?;
        }
        self.flush()
    }

    /// Archives what is gathered now, full or not.
    ///
    /// # Errors
    /// As [`Archiver::run`].
    pub fn flush(&mut self) -> Result<(), Error> {
        let all: Vec<_> = self.tasks.keys().cloned().collect();
        all.iter().try_for_each(|partition| self.archive(partition))
    }

    /// Finds out whether the store keeps what it promises, for every lock that a tier asks for.
    ///
    /// # Errors
    /// [`Error::Store`] with what it does wrong.
    pub fn try_store(&self) -> Result<(), Error> {
        let mut locks: Vec<Option<LockMode>> = self.settings.policies.values().map(|policy| policy.lock).collect();
        locks.sort_unstable();
        locks.dedup();
        for lock in locks {
            archive::probe(&self.store, lock, (self.now)())?;
        }
        let place = self.store.place();
        for (tier, policy) in self
            .settings
            .policies
            .iter()
            .filter(|(_, policy)| policy.lock.is_none())
        {
            let days = policy.retention_days;
            tracing::warn!(%place, tier, days, "NOTHING IS LOCKED: whoever may write here can change and delete evidence");
        }
        Ok(())
    }

    /// Waits for one thing to happen, then writes at most one segment, so that membership in the group is kept.
    ///
    /// # Errors
    /// As [`Archiver::run`].
    pub fn step(&mut self) -> Result<(), Error> {
        match self.session.poll(self.settings.poll_wait)? {
            Polled::Assigned(assignments) => self.open(assignments)?,
            Polled::Revoked(partitions) => {
                partitions.iter().try_for_each(|partition| self.archive(partition))?;
                self.close(&partitions);
            }
            Polled::Lost(partitions) => self.close(&partitions),
            Polled::Records(batch) => self.gather(batch)?,
            Polled::Idle => {}
        }
        let now = (self.now)();
        self.resume(now)?;
        self.instruments.observe_tasks(&self.tasks, now);
        self.report();
        match self.due(now) {
            Some(partition) => self.archive(&partition),
            None => Ok(()),
        }
    }

    /// Gives the session and the store back, without a commit.
    pub fn into_parts(self) -> (S, O) {
        (self.session, self.store)
    }

    fn open(&mut self, assignments: Vec<Assignment>) -> Result<(), Error> {
        self.joined = true;
        for Assignment { partition, committed } in assignments {
            let Some(tier) = tier_of(&partition.topic) else {
                continue;
            };
            let from = match committed {
                Some(committed) => committed,
                None => self.session.bounds(&partition)?.0,
            };
            self.instruments.not_stopped(&partition);
            let task = Task::new(tier, self.settings.policy(tier), &partition, from);
            self.session.start(&partition, from)?;
            self.tasks.insert(partition, task);
        }
        Ok(())
    }

    fn close(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.tasks.remove(partition);
            self.instruments.not_stopped(partition);
        }
    }

    fn gather(&mut self, batch: Batch) -> Result<(), Error> {
        let now = (self.now)();
        let Some(task) = self.tasks.get_mut(&batch.partition) else {
            return Ok(());
        };
        let oldest = batch.records.first().map(|record| record.timestamp);
        match task.gather(batch.records, now) {
            Ok(()) => Ok(()),
            Err(error) => self.set_back(&batch.partition, Setback::Conflict(error.to_string()), oldest),
        }
    }

    /// Begins again where the wait is over, at the position that is committed.
    fn resume(&mut self, now: Timestamp) -> Result<(), Error> {
        for (partition, task) in self.tasks.iter_mut().filter(|(_, task)| task.has_waited(now)) {
            self.session.start(partition, task.position)?;
            task.begin(partition);
        }
        Ok(())
    }

    /// The segment to write next: a full one, else the largest when all together hold too much memory.
    fn due(&self, now: Timestamp) -> Option<TopicPartition> {
        let full = self
            .tasks
            .iter()
            .find(|(_, task)| task.is_due(&self.settings.limits, now));
        let held: usize = self.tasks.values().map(Task::bytes).sum();
        let largest = || self.tasks.iter().max_by_key(|(_, task)| task.bytes());
        let found = full.or_else(|| (held > self.settings.memory_max).then(largest).flatten());
        found.map(|(partition, _)| partition.clone())
    }

    /// Writes what is gathered of a partition and commits it.
    fn archive(&mut self, partition: &TopicPartition) -> Result<(), Error> {
        let Some(task) = self.tasks.get_mut(partition) else {
            return Ok(());
        };
        let Some(builder) = task.take() else { return Ok(()) };
        let gathered_to = builder.summary().next_offset();
        let oldest = builder.summary().oldest_append();
        match self.write(partition, builder) {
            Ok(Some(manifest)) => self.commit(partition, &manifest, gathered_to),
            Ok(None) => Ok(()),
            Err(setback) => self.set_back(partition, setback, oldest),
        }
    }

    /// Makes the manifest's record and the position visible together.
    fn commit(&mut self, partition: &TopicPartition, manifest: &Manifest, gathered_to: Offset) -> Result<(), Error> {
        let next = manifest.last_offset + 1;
        let transaction = Transaction {
            outputs: vec![record_of(manifest)],
            changes: Vec::new(),
            positions: BTreeMap::from([(partition.clone(), next)]),
        };
        match self.session.commit(transaction) {
            Ok(_) => {
                self.committed(partition, manifest, gathered_to);
                Ok(())
            }
            // The session announces again what is still ours; what we wrote will be found and adopted.
            Err(broker::Error::Aborted(reason)) => {
                tracing::warn!(%partition, reason, "the commit was refused: everything is gathered again");
                let all: Vec<_> = self.tasks.keys().cloned().collect();
                self.close(&all);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn committed(&mut self, partition: &TopicPartition, manifest: &Manifest, gathered_to: Offset) {
        self.instruments.count(manifest);
        tracing::info!(%partition, object = manifest.key, records = manifest.count, bytes = manifest.size, "archived");
        let Some(task) = self.tasks.get_mut(partition) else {
            return;
        };
        task.position = manifest.last_offset + 1;
        if task.position == gathered_to {
            task.begin(partition);
        } else {
            // Somebody else's segment ended elsewhere than ours did: the log gives again what lies between.
            task.stage = Stage::Waiting {
                until: Timestamp::MIN,
                since: manifest.max_ts,
            };
        }
    }

    /// What happens to a partition whose segment could not be written.
    fn set_back(
        &mut self,
        partition: &TopicPartition,
        setback: Setback,
        oldest: Option<Timestamp>,
    ) -> Result<(), Error> {
        self.instruments.setback(partition, &setback);
        let now = (self.now)();
        let since = oldest.unwrap_or(now);
        let stage = match setback {
            Setback::Later(reason) => {
                tracing::warn!(%partition, reason, "not archived yet: trying again soon");
                Stage::Waiting {
                    until: now.plus(self.settings.retry_pause),
                    since,
                }
            }
            Setback::Conflict(reason) | Setback::Unlocked(reason) => {
                tracing::error!(%partition, reason, "ARCHIVING OF THIS PARTITION HAS STOPPED: somebody must look at it");
                Stage::Stopped { since, reason }
            }
            Setback::Fatal(error) => return Err(error),
        };
        if let Some(task) = self.tasks.get_mut(partition) {
            task.stage = stage;
        }
        Ok(())
    }

    /// Says what keeps records from being archived.
    fn report(&self) {
        match self
            .tasks
            .iter()
            .find_map(|(partition, task)| Some((partition, task.obstacle()?)))
        {
            Some((partition, obstacle)) => self.readiness.not_ready(format!("{partition}: {obstacle}")),
            None if self.joined => self.readiness.ready(),
            None => self.readiness.not_ready("waiting for partitions"),
        }
    }
}

/// The manifest as a record; one partition holds them all, so that they have one order.
fn record_of(manifest: &Manifest) -> Output {
    Output {
        topic: topic::MANIFESTS.into(),
        partition: 0,
        key: Some(manifest.key.clone().into()),
        value: Some(manifest.encode().into()),
        headers: Vec::new(),
    }
}
