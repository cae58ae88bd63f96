//! What all clients share: their log lines and errors go to `tracing`, and answers to simple questions.

use std::sync::Arc;
use std::time::Duration;

use broker::{Error, Offset, TopicPartition};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::names::{Names, count, known_offset, number};
use crate::{Observer, failure};

/// How long a question to the brokers may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// The context of clients that need no callback.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) observer: Arc<dyn Observer>,
}

impl ClientContext for Plain {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&*self.observer, &error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Plain {}

pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel as Level;
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        Level::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        Level::Notice | Level::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        Level::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// The end of a partition comes this way too and is not an error.
pub(crate) fn report(observer: &dyn Observer, error: &KafkaError, reason: &str) {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
    if code != RDKafkaErrorCode::PartitionEOF {
        observer.client_error(&format!("{code:?}"));
        tracing::warn!(target: "librdkafka", ?code, "{reason}");
    }
}

/// How many partitions a topic has.
pub(crate) fn partition_count<C: ClientContext>(client: &Client<C>, full: &str) -> Result<u32, Error> {
    let metadata = client
        .fetch_metadata(Some(full), ANSWER)
        .map_err(|error| failure::of_question(full, &error))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == full);
    let topic = topic.ok_or_else(|| Error::Unavailable(format!("{full}: no answer about this topic")))?;
    match topic.error().map(RDKafkaErrorCode::from) {
        None => Ok(count(i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX))),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Err(Error::Misconfigured(format!(
            "{full}: no such topic; `tidewatch topics create` makes it"
        ))),
        Some(code) => Err(failure::of_question(full, &KafkaError::MetadataFetch(code))),
    }
}

/// The first offset that is kept and the end, as far as the client sees: one that reads only what is committed sees the
/// end of what is decided.
pub(crate) fn bounds<C: ClientContext>(
    client: &Client<C>,
    names: &Names,
    partition: &TopicPartition,
) -> Result<(Offset, Offset), Error> {
    let (low, high) = client
        .fetch_watermarks(names.full(&partition.topic), number(partition.partition), ANSWER)
        .map_err(|error| failure::of_question(&partition.to_string(), &error))?;
    Ok((known_offset(low).unwrap_or(0), known_offset(high).unwrap_or(0)))
}

/// That a record from `from` on can be read.
pub(crate) fn check_kept(partition: &TopicPartition, from: Offset, bounds: (Offset, Offset)) -> Result<(), Error> {
    let (first, end) = bounds;
    if from < first {
        return Err(Error::Misconfigured(format!(
            "{partition}@{from} is no longer kept; the first record is {first}"
        )));
    }
    if from > end {
        return Err(Error::Misconfigured(format!(
            "{partition}@{from} is beyond the end, which is {end}; was the topic made anew?"
        )));
    }
    Ok(())
}
