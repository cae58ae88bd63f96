//! The transactional loop, the same for every stage that reads a topic and writes a topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event::StateChange;

use crate::{
    Assignment, Committed, Error, Offset, Output, Polled, Reader, Record, Session, TopicPartition, Transaction,
};

/// Tells the time since some fixed moment; it never goes back.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What a stage does with the records of the partitions it owns. The worker decides when, and what is committed.
pub trait Stage {
    /// What is kept of one partition: dropped and rebuilt whenever anything goes wrong.
    type Task;

    /// Takes over a partition. `reader` is for restoring.
    ///
    /// # Errors
    /// Any error ends the worker.
    fn open(&mut self, assignment: &Assignment, reader: &mut dyn Reader) -> Result<Self::Task, Error>;

    /// Restores a piece of the task, a second's work at most, so that membership in the group is kept meanwhile.
    /// Returns where to begin to read when all is restored.
    ///
    /// # Errors
    /// Any error ends the worker.
    fn restore(&mut self, task: &mut Self::Task, reader: &mut dyn Reader) -> Result<Option<Offset>, Error>;

    /// Evaluates records of the task's partition, in order.
    ///
    /// # Errors
    /// Any error ends the worker. A record that cannot be read is not an error: it is an output to `dead-letters`.
    fn process(&mut self, task: &mut Self::Task, records: Vec<Record>, effects: &mut Effects) -> Result<(), Error>;

    /// Whether there is something to say although no record came. Asked after every poll.
    fn wants_commit(&mut self) -> bool {
        false
    }

    /// Adds what follows from all partitions together, after what follows from each.
    fn complete(&mut self, _effects: &mut Effects) {}

    /// A transaction with this task's effects is committed; its state changes end before `changelog`.
    ///
    /// # Errors
    /// Any error ends the worker.
    fn committed(&mut self, _task: &mut Self::Task, _changelog: Option<Offset>) -> Result<(), Error> {
        Ok(())
    }

    /// The partition is somebody else's; everything of the task that was committed is already told.
    fn close(&mut self, _partition: &TopicPartition, _task: Self::Task) {}

    /// Is told what happens, for metrics.
    fn observe(&mut self, _happened: &Happened) {}
}

/// What is worth a metric.
#[derive(Debug)]
pub enum Happened {
    /// A transaction was committed.
    Committed {
        /// How long the commit took.
        took: Duration,
        /// How many records it evaluated.
        records: u64,
    },
    /// A transaction was not committed; its records will be evaluated again.
    Aborted(Error),
    /// So many partitions are ours, and so many of them are being restored.
    Owned {
        /// All of them.
        partitions: usize,
        /// Those that are not evaluated yet.
        restoring: usize,
    },
}

/// What the records of one partition led to since the last commit.
#[derive(Debug, Default)]
pub struct Effects {
    /// Records to write.
    pub outputs: Vec<Output>,
    /// State changes of the partition; of several changes of a key the last counts.
    pub changes: Vec<StateChange>,
}

/// When to commit.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// At the latest so long after the first record since the last commit.
    pub commit_interval: Duration,
    /// As soon as so many records were evaluated.
    pub records_max: u64,
    /// As soon as so many bytes wait to be written.
    pub bytes_max: usize,
    /// The longest wait for records.
    pub poll_wait: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_millis(100),
            records_max: 50_000,
            bytes_max: 16 << 20,
            poll_wait: Duration::from_millis(20),
        }
    }
}

/// A session, a stage, and the tasks of the partitions it owns.
pub struct Worker<S, G: Stage> {
    session: S,
    stage: G,
    pace: Pace,
    now: Stopwatch,
    tasks: BTreeMap<TopicPartition, Owned<G::Task>>,
    /// When the first record since the last commit was taken.
    since: Option<Duration>,
    records: u64,
    bytes: usize,
}

struct Owned<T> {
    task: T,
    /// The next record to evaluate; unknown while restoring.
    next: Option<Offset>,
    effects: Effects,
}

impl<S: Session, G: Stage> Worker<S, G> {
    /// A worker that owns nothing yet.
    pub fn new(session: S, stage: G, pace: Pace, now: Stopwatch) -> Self {
        Self {
            session,
            stage,
            pace,
            now,
            tasks: BTreeMap::new(),
            since: None,
            records: 0,
            bytes: 0,
        }
    }

    /// Runs until asked to stop, then commits what is evaluated and gives the partitions back.
    ///
    /// # Errors
    /// What [`Session`] and [`Stage`] say. Everything that was not committed is then to be evaluated again, by a new
    /// worker.
    pub fn run(&mut self, stop: impl Fn() -> bool) -> Result<(), Error> {
        while !stop() {
            self.step()?;
        }
        self.commit()?;
        self.close_all();
        Ok(())
    }

    /// Waits for one thing to happen, and does what follows from it.
    ///
    /// # Errors
    /// As [`Worker::run`].
    pub fn step(&mut self) -> Result<(), Error> {
        let restoring = self.restore()?;
        let wait = if restoring { Duration::ZERO } else { self.wait() };
        match self.session.poll(wait)? {
            Polled::Assigned(assignments) => self.open(&assignments)?,
            Polled::Revoked(partitions) => {
                self.commit()?;
                self.close(&partitions);
            }
            Polled::Lost(partitions) => self.close(&partitions),
            Polled::Records(batch) => self.process(&batch.partition, batch.records)?,
            Polled::Idle => {}
        }
        if self.is_due() { self.commit() } else { Ok(()) }
    }

    /// Makes everything evaluated since the last commit visible. If it cannot be, drops it and the tasks: the session
    /// announces the partitions again, and they are rebuilt from what is committed.
    ///
    /// # Errors
    /// If this worker is not to go on.
    pub fn commit(&mut self) -> Result<(), Error> {
        let (transaction, touched) = self.transaction();
        self.since = None;
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        if transaction.positions.is_empty() {
            return Ok(());
        }
        let begun = (self.now)();
        match self.session.commit(transaction) {
            Ok(committed) => {
                self.stage.observe(&Happened::Committed {
                    took: (self.now)().saturating_sub(begun),
                    records,
                });
                self.tell_tasks(&touched, &committed)
            }
            Err(error @ Error::Aborted(_)) => {
                self.stage.observe(&Happened::Aborted(error));
                self.close_all();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The stage, to ask it things.
    pub fn stage(&self) -> &G {
        &self.stage
    }

    /// The tasks, by partition.
    pub fn tasks(&self) -> impl Iterator<Item = (&TopicPartition, &G::Task)> {
        self.tasks.iter().map(|(partition, owned)| (partition, &owned.task))
    }

    /// The session, to ask it things.
    pub fn session(&self) -> &S {
        &self.session
    }

    /// Ends the worker and gives the session back, without a commit.
    pub fn into_session(self) -> S {
        self.session
    }

    fn open(&mut self, assignments: &[Assignment]) -> Result<(), Error> {
        for assignment in assignments {
            let task = self.stage.open(assignment, &mut self.session)?;
            let owned = Owned {
                task,
                next: None,
                effects: Effects::default(),
            };
            self.tasks.insert(assignment.partition.clone(), owned);
        }
        self.count_owned();
        Ok(())
    }

    /// Restores a piece of every task that is not ready, and says whether one still is not.
    fn restore(&mut self) -> Result<bool, Error> {
        let mut restoring = false;
        let mut ready = false;
        for (partition, owned) in self.tasks.iter_mut().filter(|(_, owned)| owned.next.is_none()) {
            owned.next = self.stage.restore(&mut owned.task, &mut self.session)?;
            match owned.next {
                Some(next) => self.session.start(partition, next)?,
                None => restoring = true,
            }
            ready |= owned.next.is_some();
        }
        if ready {
            self.count_owned();
        }
        Ok(restoring)
    }

    fn process(&mut self, partition: &TopicPartition, records: Vec<Record>) -> Result<(), Error> {
        let Some(owned) = self.tasks.get_mut(partition) else {
            return Err(Error::Aborted(format!(
                "records came of {partition}, which is not ours"
            )));
        };
        let Some(last) = records.last() else { return Ok(()) };
        owned.next = Some(last.offset + 1);
        self.records += records.len() as u64;
        let before = size(&owned.effects);
        self.stage.process(&mut owned.task, records, &mut owned.effects)?;
        self.bytes += size(&owned.effects).saturating_sub(before);
        self.since.get_or_insert_with(|| (self.now)());
        Ok(())
    }

    fn wait(&self) -> Duration {
        let Some(since) = self.since else {
            return self.pace.poll_wait;
        };
        let due = since + self.pace.commit_interval;
        due.saturating_sub((self.now)()).min(self.pace.poll_wait)
    }

    fn is_due(&mut self) -> bool {
        let waited = |since: Duration| (self.now)().saturating_sub(since) >= self.pace.commit_interval;
        self.since.is_some_and(waited)
            || self.records >= self.pace.records_max
            || self.bytes >= self.pace.bytes_max
            || self.stage.wants_commit()
    }

    /// Everything since the last commit, and the partitions it stems from. Positions of untouched partitions go along,
    /// so that every transaction is fenced by the group.
    fn transaction(&mut self) -> (Transaction, Vec<TopicPartition>) {
        let mut transaction = Transaction::default();
        let mut touched = Vec::new();
        for (partition, owned) in &mut self.tasks {
            let Some(next) = owned.next else { continue };
            let effects = std::mem::take(&mut owned.effects);
            let last: BTreeMap<Box<[u8]>, StateChange> = effects
                .changes
                .into_iter()
                .map(|change| (change.key.clone(), change))
                .collect();
            transaction
                .changes
                .extend(last.into_values().map(|change| (partition.partition, change)));
            transaction.outputs.extend(effects.outputs);
            transaction.positions.insert(partition.clone(), next);
            touched.push(partition.clone());
        }
        if !touched.is_empty() {
            let mut effects = Effects::default();
            self.stage.complete(&mut effects);
            transaction.outputs.extend(effects.outputs);
        }
        (transaction, touched)
    }

    fn tell_tasks(&mut self, touched: &[TopicPartition], committed: &Committed) -> Result<(), Error> {
        for partition in touched {
            if let Some(owned) = self.tasks.get_mut(partition) {
                let changelog = committed.changelog.get(&partition.partition).copied();
                self.stage.committed(&mut owned.task, changelog)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(owned) = self.tasks.remove(partition) {
                self.stage.close(partition, owned.task);
            }
        }
        self.count_owned();
    }

    fn close_all(&mut self) {
        let all: Vec<_> = self.tasks.keys().cloned().collect();
        self.close(&all);
    }

    fn count_owned(&mut self) {
        let restoring = self.tasks.values().filter(|owned| owned.next.is_none()).count();
        self.stage.observe(&Happened::Owned {
            partitions: self.tasks.len(),
            restoring,
        });
    }
}

fn size(effects: &Effects) -> usize {
    let changes: usize = effects
        .changes
        .iter()
        .map(|change| change.key.len() + change.value.as_ref().map_or(0, |value| value.len()))
        .sum();
    effects.outputs.iter().map(Output::bytes).sum::<usize>() + changes
}
