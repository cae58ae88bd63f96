//! Writes records outside of transactions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker::{Error, Output, Position, Published, Publisher, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use crate::commit::{check_size, owned_headers};
use crate::listener::Listener;
use crate::names::{Names, known_offset, number};
use crate::{KafkaSettings, Observer, client, failure};

/// Writes to every in-sync replica, each record once, in the order of a call.
pub struct KafkaPublisher {
    producer: ThreadedProducer<Reports>,
    names: Names,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// Hands each delivery report to the call that the record belongs to.
struct Reports(Listener);

/// One call of [`Publisher::publish`] whose records are on their way.
struct Call {
    state: Mutex<State>,
    size: usize,
    bytes: Arc<AtomicUsize>,
}

struct State {
    unknown: usize,
    /// In the order of the records; those not yet reported have offset 0.
    positions: Vec<Position>,
    failed: Option<Error>,
    done: Option<Published>,
}

/// A record's place in its call.
struct Ticket {
    call: Arc<Call>,
    index: usize,
}

impl KafkaPublisher {
    /// A publisher. Nothing is asked of the brokers yet.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if the client cannot be made of the settings.
    pub fn connect(settings: &KafkaSettings, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        settings.require()?;
        let producer = settings
            .publishing_producer()
            .create_with_context(Reports(Listener::new(observer)))
            .map_err(|error| Error::Misconfigured(format!("publisher: {error}")))?;
        let names = Names::new(&settings.prefix);
        Ok(Self {
            producer,
            names,
            bytes: Arc::default(),
            bytes_max: settings.publish_bytes,
        })
    }

    /// Waits until all that was published is reported, at most for `wait`. True if it is.
    pub fn flush(&self, wait: Duration) -> bool {
        self.producer.flush(wait).is_ok()
    }

    /// Bytes on their way now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn reserve(&self, size: usize) -> Result<(), Error> {
        let add = |bytes: usize| Some(bytes + size).filter(|bytes| *bytes <= self.bytes_max);
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(bytes) => Err(Error::Overloaded(format!(
                "{bytes} bytes on their way; the most is {}",
                self.bytes_max
            ))),
        }
    }

    fn send(&self, output: &Output, ticket: Ticket) {
        let topic = self.names.full(&output.topic);
        let mut record: BaseRecord<'_, [u8], [u8], _> = BaseRecord::with_opaque_to(topic, Box::new(ticket));
        record.partition = Some(number(output.partition));
        record.key = output.key.as_deref();
        record.payload = output.value.as_deref();
        record.headers = owned_headers(&output.headers);
        if let Err((error, record)) = self.producer.send(record) {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            record.delivery_opaque.report(Err(failure::of_publishing(topic, code)));
        }
    }
}

impl Publisher for KafkaPublisher {
    fn publish(&self, outputs: Vec<Output>, done: Published) -> Result<(), Error> {
        for output in &outputs {
            check_size(&output.topic, output.bytes())?;
        }
        if outputs.is_empty() {
            done(Ok(Vec::new()));
            return Ok(());
        }
        let size = outputs.iter().map(Output::bytes).sum();
        self.reserve(size)?;
        let place = |output: &Output| TopicPartition {
            topic: Arc::clone(&output.topic),
            partition: output.partition,
        };
        let positions = outputs
            .iter()
            .map(|output| Position {
                partition: place(output),
                offset: 0,
            })
            .collect();
        let state = State {
            unknown: outputs.len(),
            positions,
            failed: None,
            done: Some(done),
        };
        let call = Arc::new(Call {
            state: Mutex::new(state),
            size,
            bytes: Arc::clone(&self.bytes),
        });
        for (index, output) in outputs.iter().enumerate() {
            self.send(
                output,
                Ticket {
                    call: Arc::clone(&call),
                    index,
                },
            );
        }
        Ok(())
    }

    fn partition_count(&self, topic: &str) -> Result<u32, Error> {
        // Its own thread polls it, so that all it has to say has been heard.
        let count = client::partition_count(self.producer.client(), self.names.full(topic));
        count.map_err(|error| self.producer.context().0.explain(error))
    }
}

impl Ticket {
    /// The fate of one record. With the last one of the call, the caller is told.
    fn report(&self, result: Result<broker::Offset, Error>) {
        let mut state = self.call.state.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(offset) => state.positions[self.index].offset = offset,
            Err(error) => drop(state.failed.get_or_insert(error)),
        }
        state.unknown -= 1;
        if state.unknown > 0 {
            return;
        }
        let positions = std::mem::take(&mut state.positions);
        let result = state.failed.take().map_or(Ok(positions), Err);
        let done = state.done.take();
        drop(state);
        self.call.bytes.fetch_sub(self.call.size, Ordering::Relaxed);
        // A panic here would end the thread that reports to everybody.
        if let Some(done) = done
            && catch_unwind(AssertUnwindSafe(|| done(result))).is_err()
        {
            tracing::error!("what was to be called after publishing panicked");
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        ticket.report(match result {
            Ok(message) => Ok(known_offset(message.offset()).unwrap_or(0)),
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                Err(failure::of_publishing(message.topic(), code))
            }
        });
    }
}
