//! What all clients share: answers to simple questions, and the context of those that need no callback.

use std::sync::Arc;
use std::time::Duration;

use broker::{Error, Offset, TopicPartition};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::listener::{Listener, Listening};
use crate::names::{Names, count, known_offset, number};
use crate::{Observer, failure};

/// How long a question to the brokers may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// The context of clients that need no callback.
pub(crate) struct Plain(Listener);

impl Plain {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Listener::new(observer))
    }
}

impl Listening for Plain {
    fn listener(&self) -> &Listener {
        &self.0
    }
}

impl ClientContext for Plain {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Plain {}

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
