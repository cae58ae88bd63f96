//! Reads partitions apart from any group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Chunk, Error, Offset, Reader, TopicPartition};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::{self, Plain};
use crate::drain::Drain;
use crate::failure;
use crate::names::Names;
use crate::{KafkaSettings, Observer};

/// The most records of a chunk.
const CHUNK_RECORDS: usize = 1_000;

/// How long the brokers may be silent while there must be something to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads what is committed, anywhere, and commits nothing.
pub struct KafkaReader {
    consumer: BaseConsumer<Plain>,
    names: Names,
    observer: Arc<dyn Observer>,
    reading: Option<Reading>,
}

/// What the consumer is assigned to, so that chunks in a row use what it has fetched ahead.
struct Reading {
    partition: TopicPartition,
    next: Offset,
    /// The end, asked for before the assignment: when the client reports the end of the partition, all before this is read.
    end: Offset,
}

impl KafkaReader {
    /// A reader of its own. Nothing is asked of the brokers yet.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if the client cannot be made of the settings.
    pub fn connect(settings: &KafkaSettings, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        let consumer = settings
            .reading_consumer()
            .create_with_context(Plain {
                observer: Arc::clone(&observer),
            })
            .map_err(|error| Error::Misconfigured(format!("reader: {error}")))?;
        Ok(Self {
            consumer,
            names: Names::new(&settings.prefix),
            observer,
            reading: None,
        })
    }

    /// Goes on where the last chunk ended, or begins anew at `from`.
    fn begin(&mut self, partition: &TopicPartition, from: Offset) -> Result<Reading, Error> {
        if let Some(reading) = self.reading.take_if(|it| it.partition == *partition && it.next == from) {
            return Ok(reading);
        }
        let bounds = client::bounds(self.consumer.client(), &self.names, partition)?;
        client::check_kept(partition, from, bounds)?;
        let list = self.names.list([(partition, Some(from))]);
        let assigned = list.and_then(|list| self.consumer.assign(&list));
        assigned.map_err(|error| failure::of_question(&partition.to_string(), &error))?;
        Ok(Reading {
            partition: partition.clone(),
            next: from,
            end: bounds.1,
        })
    }

    /// Fills `drain` until it is a chunk, or to the end. True if the end was reached.
    fn fill(&self, drain: &mut Drain, reading: &mut Reading) -> Result<bool, Error> {
        let mut until = Instant::now() + PATIENCE;
        while reading.next < reading.end {
            if drain.records >= CHUNK_RECORDS {
                return Ok(false);
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    drain.push(&message, &self.names, &*self.observer);
                    reading.next = crate::names::known_offset(message.offset()).map_or(0, |offset| offset + 1);
                    until = Instant::now() + PATIENCE;
                }
                // The last offsets may be markers of transactions, or aborted: no record ever comes from there.
                Some(Err(KafkaError::PartitionEOF(_))) => reading.next = reading.next.max(reading.end),
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
        client::partition_count(self.consumer.client(), self.names.full(topic))
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        client::bounds(self.consumer.client(), &self.names, partition)
    }

    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error> {
        let mut reading = self.begin(partition, from)?;
        let mut drain = Drain::default();
        let at_end = self.fill(&mut drain, &mut reading)?;
        let next = reading.next;
        // At the end the next chunk begins anew: the end may have moved, and an end once reported is not reported again.
        self.reading = (!at_end).then_some(reading);
        let records = drain
            .into_batches()
            .next()
            .map(|batch| batch.records)
            .unwrap_or_default();
        Ok(Chunk { records, next, at_end })
    }
}
