//! The port to the log, and the log in memory.
//!
//! A stage that reads a topic and writes a topic holds a [`Session`]: a place in a consumer group joined to a
//! transactional producer. It polls, evaluates, and makes everything that followed from a batch visible with one
//! [`Session::commit`]: outputs, state changes and input positions together, or none of them.
//!
//! [`memory`] is the log of `tidewatch demo` and of the simulator; the crate `kafka` is the adapter to Apache Kafka.

mod error;
pub mod memory;
mod record;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

pub use error::Error;
use event::StateChange;
pub use record::{Batch, Headers, Offset, Output, Position, Record, TopicPartition};
pub use worker::{Effects, Happened, Pace, Stage, Stopwatch, Worker};

/// Everything that can wake a worker.
#[derive(Debug)]
pub enum Polled {
    /// These partitions are ours from now on. Nothing is delivered from them until [`Session::start`].
    Assigned(Vec<Assignment>),
    /// These partitions are to be handed over. They are still ours, and a commit still counts, until the next poll.
    Revoked(Vec<TopicPartition>),
    /// These partitions are no longer ours: what is not committed is lost to us, and somebody else evaluates it.
    Lost(Vec<TopicPartition>),
    /// Records of one partition, in order.
    Records(Batch),
    /// Nothing came within the time.
    Idle,
}

/// A partition that became ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which one.
    pub partition: TopicPartition,
    /// The position the group has committed: the next record to evaluate. `None` if the group never committed one.
    ///
    /// It is stable: read after every earlier holder of our transactional id was fenced and after its pending
    /// commits were decided.
    pub committed: Option<Offset>,
}

/// What one commit makes visible, together.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Records for other topics.
    pub outputs: Vec<Output>,
    /// Writes to the state of a partition: records of the changelog topic, in the partition of that number.
    pub changes: Vec<(u32, StateChange)>,
    /// For every partition that this transaction stems from, the next record to evaluate. Never empty: a transaction
    /// without positions is not fenced by the group.
    pub positions: BTreeMap<TopicPartition, Offset>,
}

impl Transaction {
    /// Nothing to make visible, not even progress.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.changes.is_empty() && self.positions.is_empty()
    }

    /// The bytes of keys and values that wait, a measure of the memory it holds.
    pub fn bytes(&self) -> usize {
        let outputs: usize = self.outputs.iter().map(Output::bytes).sum();
        let changes: usize = self
            .changes
            .iter()
            .map(|(_, change)| change.key.len() + change.value.as_ref().map_or(0, |value| value.len()))
            .sum();
        outputs + changes
    }
}

/// What a commit that succeeded tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// For each partition whose state changed, the offset after its last changelog record: the state with these
    /// changes covers the changelog up to there.
    pub changelog: BTreeMap<u32, Offset>,
}

/// A stretch of a partition, read apart from any group.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The records, in order. Only what is committed.
    pub records: Vec<Record>,
    /// Where to go on.
    pub next: Offset,
    /// There was nothing more when this was read, and no transaction that had yet to be decided. Without it a chunk may
    /// be empty: try again.
    pub at_end: bool,
}

/// Reads partitions apart from any group: restoring state, listing alerts, verifying.
pub trait Reader {
    /// How many partitions a topic has.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if there is no such topic; [`Error::Unavailable`] if nobody answers.
    fn partition_count(&mut self, topic: &str) -> Result<u32, Error>;

    /// The first offset that is still kept and the end: the offset after the last record, committed or not yet decided.
    ///
    /// # Errors
    /// As [`Reader::partition_count`].
    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error>;

    /// Reads committed records from `from` on, at most about a thousand at a time.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if `from` is no longer kept; [`Error::Unavailable`] if nobody answers.
    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error>;
}

/// A place in a consumer group, joined to a transactional producer. Not shared between threads.
pub trait Session: Reader {
    /// Waits at most `wait` for something to happen. Revoked partitions of the last poll are given up first.
    ///
    /// # Errors
    /// [`Error::Fenced`] if another process holds our transactional id; [`Error::Unavailable`] and
    /// [`Error::Misconfigured`] as they say.
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error>;

    /// Begins to deliver an assigned partition at `from`; one that is being delivered goes on from there, and nothing
    /// that was read before comes after it.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if `from` is not kept.
    fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), Error>;

    /// Makes a transaction visible, or nothing of it. Returns when it is decided.
    ///
    /// After any error nothing may be assumed, and everything evaluated since the last commit is to be dropped: the
    /// next poll assigns again what is still ours, at the committed positions.
    ///
    /// # Errors
    /// [`Error::Aborted`] if it was not committed and evaluating again may succeed; [`Error::Fenced`] if we are not
    /// the ones who may commit.
    fn commit(&mut self, transaction: Transaction) -> Result<Committed, Error>;
}

/// What [`Publisher::publish`] calls with the positions of the records, in their order, or with the reason why the
/// fate of at least one is unknown.
pub type Published = Box<dyn FnOnce(Result<Vec<Position>, Error>) + Send>;

/// Writes records outside of transactions: for doors, which answer when the records are on every in-sync replica.
pub trait Publisher: Send + Sync {
    /// Hands over records; `done` is called once, from any thread, when the fate of all is known.
    ///
    /// # Errors
    /// [`Error::Overloaded`] at once, without calling `done`, if too much is on its way already.
    fn publish(&self, outputs: Vec<Output>, done: Published) -> Result<(), Error>;

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// As [`Reader::partition_count`].
    fn partition_count(&self, topic: &str) -> Result<u32, Error>;
}
