//! Reads partitions apart from any group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use broker::{Chunk, Error, Offset, Reader, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message};

use crate::client::{self, Plain};
use crate::drain::Drain;
use crate::failure;
use crate::listener::ask;
use crate::names::Names;
use crate::{KafkaSettings, Observer};

/// The most records of a chunk.
const CHUNK_RECORDS: usize = 1_000;

/// How long the brokers may be silent while there must be something to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the client's thread needs at most to stop reading from a partition; it asks nobody.
const SETTLING: Duration = Duration::from_millis(100);

/// How long one read waits for transactions to be decided, and how often it looks.
const DECIDING: Duration = Duration::from_millis(500);
const LOOKING: Duration = Duration::from_millis(2);

/// Reads what is committed, anywhere, and commits nothing.
///
/// The end of a partition is where its last record is, not where its last *decided* record is: a transaction that was
/// committed is decided in each partition at its own time, after the commit has returned. Whoever restores state up to
/// the last decided record, and continues from the position of that same transaction, has lost its changes.
pub struct KafkaReader {
    settings: KafkaSettings,
    /// What its consumers are named after.
    group: String,
    /// Sees the undecided too; only asked for ends.
    asking: BaseConsumer<Plain>,
    names: Names,
    observer: Arc<dyn Observer>,
    /// What is read in part. At most one for each partition that was ever asked for.
    reading: BTreeMap<TopicPartition, Reading>,
    /// Read a partition to its end, and is assigned to nothing.
    idle: Option<BaseConsumer<Plain>>,
}

/// A partition that is read in part, so that the next chunk is of what was fetched ahead.
///
/// With a consumer of its own: one that is taken from a partition in the middle of what it fetched, and later given the
/// same partition again, may never fetch from it any more (librdkafka 2.12; `tests/e2e/tests/kafka_reading.rs`).
struct Reading {
    consumer: BaseConsumer<Plain>,
    partition: TopicPartition,
    next: Offset,
    /// All before this is decided. Asked for before the assignment: when the client reports the end of the partition,
    /// all before this is read.
    decided: Offset,
    /// Whether everything was decided that had been written when this began.
    complete: bool,
}

impl KafkaReader {
    /// A reader of its own. Nothing is asked of the brokers yet.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if the client cannot be made of the settings.
    pub fn connect(settings: &KafkaSettings, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        Self::of_group(settings, format!("{}reader", settings.prefix), observer)
    }

    /// One that needs no more rights than a member of `group` has: it does not join, but the client looks for the group.
    pub(crate) fn of_group(
        settings: &KafkaSettings,
        group: String,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        settings.require()?;
        Ok(Self {
            settings: settings.clone(),
            group,
            asking: client_of(&settings.asking_consumer(), &observer)?,
            names: Names::new(&settings.prefix),
            // Who only asks for ends needs none.
            idle: None,
            observer,
            reading: BTreeMap::new(),
        })
    }

    /// Kafka's own id of the cluster: another cluster of the same address has other offsets.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nobody answers.
    pub fn cluster_id(&self) -> Result<String, Error> {
        ask(&self.asking, |client| {
            let id = client.fetch_cluster_id(client::ANSWER);
            id.ok_or_else(|| Error::Unavailable("no broker told the id of the cluster".to_owned()))
        })
    }

    /// Goes on where the last chunk ended, or begins anew at `from`.
    fn begin(&mut self, partition: &TopicPartition, from: Offset) -> Result<Reading, Error> {
        if let Some(reading) = self.reading.remove(partition).filter(|it| it.next == from) {
            return Ok(reading);
        }
        let (first, end) = self.bounds(partition)?;
        client::check_kept(partition, from, (first, end))?;
        let consumer = match self.idle.take() {
            Some(idle) => idle,
            None => client_of(&self.settings.reading_consumer(&self.group), &self.observer)?,
        };
        let decided = self.await_decided(&consumer, partition, end)?;
        // Not where nothing is to be read: a partition that is taken away twice before the client's thread has stopped it
        // once ends the process (librdkafka asserts `rktp_started`). A record, or the end, shows that it was taken up.
        if from < decided {
            let list = self.names.list([(partition, Some(from))]);
            let assigned = list.and_then(|list| consumer.assign(&list));
            assigned.map_err(|error| failure::of_question(&partition.to_string(), &error))?;
        }
        Ok(Reading {
            consumer,
            partition: partition.clone(),
            next: from,
            decided,
            complete: decided >= end,
        })
    }

    /// Up to where all transactions are decided; waits a while for it to be `end`.
    fn await_decided(
        &self,
        consumer: &BaseConsumer<Plain>,
        partition: &TopicPartition,
        end: Offset,
    ) -> Result<Offset, Error> {
        let until = Instant::now() + DECIDING;
        loop {
            let (_, decided) = client::bounds(consumer.client(), &self.names, partition)?;
            if decided >= end || Instant::now() >= until {
                return Ok(decided);
            }
            thread::sleep(LOOKING);
        }
    }

    /// Fills `drain` until it is a chunk, or up to what is decided. True if it got there.
    fn fill(&self, drain: &mut Drain, reading: &mut Reading) -> Result<bool, Error> {
        let mut until = Instant::now() + PATIENCE;
        while reading.next < reading.decided {
            if drain.records >= CHUNK_RECORDS {
                return Ok(false);
            }
            match reading.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    drain.push(&message, &self.names, &*self.observer);
                    reading.next = crate::names::known_offset(message.offset()).map_or(0, |offset| offset + 1);
                    until = Instant::now() + PATIENCE;
                }
                // The last offsets may be markers of transactions, or aborted: no record ever comes from there.
                Some(Err(KafkaError::PartitionEOF(_))) => reading.next = reading.next.max(reading.decided),
                Some(Err(error)) => check(&reading.partition, &error)?,
                None if Instant::now() > until => {
                    return Err(Error::Unavailable(format!(
                        "{}: nothing for {PATIENCE:?}",
                        reading.partition
                    )));
                }
                None => {}
            }
        }
        Ok(true)
    }
}

fn client_of(config: &ClientConfig, observer: &Arc<dyn Observer>) -> Result<BaseConsumer<Plain>, Error> {
    let observer = Arc::clone(observer);
    config
        .create_with_context(Plain::new(observer))
        .map_err(|error| Error::Misconfigured(format!("reader: {error}")))
}

fn check(partition: &TopicPartition, error: &KafkaError) -> Result<(), Error> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset) => Err(Error::Misconfigured(format!(
            "{partition}: the position is no longer kept"
        ))),
        Some(code) if failure::is_misconfiguration(code) => Err(failure::of_question(&partition.to_string(), error)),
        _ => Ok(()),
    }
}

impl Reader for KafkaReader {
    fn partition_count(&mut self, topic: &str) -> Result<u32, Error> {
        let full = self.names.full(topic);
        ask(&self.asking, |client| client::partition_count(client, full))
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        ask(&self.asking, |client| client::bounds(client, &self.names, partition))
    }

    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error> {
        let mut reading = self.begin(partition, from)?;
        let mut drain = Drain::default();
        // The pause is for the client's thread, as above: the next thing may be another assignment.
        let done = self
            .fill(&mut drain, &mut reading)
            .inspect_err(|_| thread::sleep(SETTLING))?;
        let (next, at_end) = (reading.next, done && reading.complete);
        // After the end the next chunk begins anew: more may be there, and an end once reported is not reported again.
        if done {
            reading
                .consumer
                .unassign()
                .map_err(|error| failure::of_question(&partition.to_string(), &error))?;
            self.idle = Some(reading.consumer);
        } else {
            self.reading.insert(partition.clone(), reading);
        }
        let records = drain
            .into_batches()
            .next()
            .map(|batch| batch.records)
            .unwrap_or_default();
        Ok(Chunk { records, next, at_end })
    }
}
