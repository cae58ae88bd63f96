//! The transactional producer, and the one place where something becomes visible.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use broker::{Committed, Error, Headers, Offset, Transaction};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::util::Timeout;

use crate::Observer;
use crate::failure::{self, Failure, Verdict};
use crate::listener::Listener;
use crate::names::{Names, count, known_offset, number};
use crate::settings::{KafkaSettings, RECORD_BYTES_MAX};
use crate::watchdog::Watchdog;

/// How long to look away while records are on their way. A poll of the client's with a time waits all of that time,
/// even when the last report has come (rdkafka 0.39): its own flush before a commit does so in steps of 100 ms.
const DELIVERY_PAUSE: Duration = Duration::from_micros(300);

/// A producer that has fenced all earlier holders of its transactional id. After an error it is dropped, never used again.
pub(crate) struct TransactionalProducer {
    producer: BaseProducer<Deliveries>,
    names: Names,
    changelog: String,
    pause: Duration,
}

/// What became of the records of the current transaction. Filled by polls of the same thread.
pub(crate) struct Deliveries {
    changelog: String,
    reports: Mutex<Reports>,
    listener: Listener,
}

#[derive(Default)]
struct Reports {
    waiting: usize,
    failed: Option<Error>,
    changelog: BTreeMap<u32, Offset>,
}

/// A record on its way into the log.
struct Outgoing<'a> {
    topic: &'a str,
    partition: u32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &'a Headers,
}

impl TransactionalProducer {
    /// Takes over the transactional id: whoever had it is fenced, and what they left open is aborted.
    pub(crate) fn connect(
        settings: &KafkaSettings,
        names: &Names,
        transactional_id: &str,
        changelog: &str,
        observer: Arc<dyn Observer>,
        watchdog: &Watchdog,
    ) -> Result<Self, Error> {
        let changelog = names.full(changelog).to_owned();
        let deliveries = Deliveries {
            changelog: changelog.clone(),
            reports: Mutex::default(),
            listener: Listener::new(observer),
        };
        let config = settings.transactional_producer(transactional_id);
        let producer: BaseProducer<_> = config
            .create_with_context(deliveries)
            .map_err(|error| Error::Misconfigured(format!("producer {transactional_id}: {error}")))?;
        let _watched = watchdog.watch("init_transactions");
        producer
            .init_transactions(Timeout::Never)
            .map_err(|error| failure::of_transaction("init_transactions", &error))?;
        Ok(Self {
            producer,
            names: names.clone(),
            changelog,
            pause: settings.retry_backoff,
        })
    }

    /// Passes on what the client has to say: it keeps log lines and errors until somebody asks.
    pub(crate) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Commits outputs, changes and positions, or nothing of them. `group` is asked for the group's metadata as late as can be.
    pub(crate) fn commit(
        &self,
        transaction: &Transaction,
        positions: &TopicPartitionList,
        group: impl FnOnce() -> Option<ConsumerGroupMetadata>,
        watchdog: &Watchdog,
    ) -> Result<Committed, Error> {
        check_sizes(transaction)?;
        *self.reports() = Reports::default();
        self.insist("begin_transaction", watchdog, || self.producer.begin_transaction())?;
        {
            let _watched = watchdog.watch("produce");
            self.produce(transaction)?;
        }
        let group = group().ok_or_else(|| Error::Aborted("we are not in the group".into()))?;
        let send_offsets = || {
            self.producer
                .send_offsets_to_transaction(positions, &group, Timeout::Never)
        };
        self.insist("send_offsets_to_transaction", watchdog, send_offsets)?;
        {
            let _watched = watchdog.watch("deliver");
            self.await_deliveries()?;
        }
        self.insist("commit_transaction", watchdog, || {
            self.producer.commit_transaction(Timeout::Never)
        })?;
        Ok(Committed {
            changelog: std::mem::take(&mut self.reports().changelog),
        })
    }

    /// Calls until it is decided: the transactional calls can be resumed. The watchdog covers all attempts together.
    fn insist(&self, name: &'static str, watchdog: &Watchdog, call: impl Fn() -> KafkaResult<()>) -> Result<(), Error> {
        let _watched = watchdog.watch(name);
        loop {
            let Err(error) = call() else { return Ok(()) };
            if Failure::of(&error).verdict() != Verdict::Again {
                return Err(failure::of_transaction(name, &error));
            }
            tracing::warn!(%error, name, "trying again");
            self.producer.poll(Duration::ZERO);
            thread::sleep(self.pause);
        }
    }

    fn produce(&self, transaction: &Transaction) -> Result<(), Error> {
        for output in &transaction.outputs {
            self.send(&Outgoing {
                topic: self.names.full(&output.topic),
                partition: output.partition,
                key: output.key.as_deref(),
                value: output.value.as_deref(),
                headers: &output.headers,
            })?;
        }
        for (partition, change) in &transaction.changes {
            let value = change.encode_value();
            self.send(&Outgoing {
                topic: &self.changelog,
                partition: *partition,
                key: Some(&change.key),
                value: value.as_deref(),
                headers: &Headers::new(),
            })?;
        }
        Ok(())
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> Result<(), Error> {
        let mut record = outgoing.record();
        loop {
            match self.producer.send(record) {
                Ok(()) => {
                    self.reports().waiting += 1;
                    return Ok(());
                }
                Err((error, refused)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    record = refused;
                    self.make_room()?;
                }
                Err((error, _)) => {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                    return Err(self.fatal().unwrap_or_else(|| failure::of_record(outgoing.topic, code)));
                }
            }
        }
    }

    fn await_deliveries(&self) -> Result<(), Error> {
        while self.reports().waiting > 0 {
            self.make_room()?;
        }
        self.check_reports()
    }

    /// Takes one event, which reports on many records, or pauses if there is none.
    fn make_room(&self) -> Result<(), Error> {
        let waiting = self.reports().waiting;
        self.producer.poll(Duration::ZERO);
        self.check_reports()?;
        if self.reports().waiting == waiting {
            thread::sleep(DELIVERY_PAUSE);
        }
        Ok(())
    }

    /// A record that was not written fails its transaction.
    fn check_reports(&self) -> Result<(), Error> {
        let failed = self.reports().failed.take();
        failed.map_or(Ok(()), |error| Err(self.fatal().unwrap_or(error)))
    }

    /// What ended this producer, if it is ended: the reports of single records say only that.
    fn fatal(&self) -> Option<Error> {
        let (code, reason) = self.producer.client().fatal_error()?;
        tracing::error!(?code, reason, "the producer has failed for good");
        Some(failure::of_fatal(code, &reason))
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.producer.context().reports()
    }
}

impl Outgoing<'_> {
    fn record(&self) -> BaseRecord<'_, [u8], [u8]> {
        let mut record = BaseRecord::to(self.topic).partition(number(self.partition));
        record.key = self.key;
        record.payload = self.value;
        record.headers = owned_headers(self.headers);
        record
    }
}

pub(crate) fn owned_headers(headers: &Headers) -> Option<OwnedHeaders> {
    let insert = |all: OwnedHeaders, (name, value): &(String, bytes::Bytes)| {
        all.insert(Header {
            key: name,
            value: Some(&value[..]),
        })
    };
    (!headers.is_empty()).then(|| {
        headers
            .iter()
            .fold(OwnedHeaders::new_with_capacity(headers.len()), insert)
    })
}

/// A record too large fails its batch, and again whenever it is tried: better not to begin.
fn check_sizes(transaction: &Transaction) -> Result<(), Error> {
    let outputs = transaction
        .outputs
        .iter()
        .map(|output| (&*output.topic, output.bytes()));
    let size = |change: &event::StateChange| change.key.len() + change.value.as_ref().map_or(0, |value| value.len());
    let changes = transaction
        .changes
        .iter()
        .map(|(_, change)| ("changelog", size(change)));
    for (topic, bytes) in outputs.chain(changes) {
        check_size(topic, bytes)?;
    }
    Ok(())
}

pub(crate) fn check_size(topic: &str, bytes: usize) -> Result<(), Error> {
    if bytes > RECORD_BYTES_MAX {
        return Err(Error::Refused(format!(
            "{topic}: a record of {bytes} bytes; the most is {RECORD_BYTES_MAX}"
        )));
    }
    Ok(())
}

impl Deliveries {
    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self, reports: &mut Reports, message: &BorrowedMessage<'_>) {
        if message.topic() == self.changelog {
            let next = known_offset(message.offset()).map_or(0, |offset| offset + 1);
            let last = reports.changelog.entry(count(message.partition())).or_default();
            *last = next.max(*last);
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.listener.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.listener.error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut reports = self.reports();
        reports.waiting = reports.waiting.saturating_sub(1);
        match result {
            Ok(message) => self.written(&mut reports, message),
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                reports
                    .failed
                    .get_or_insert_with(|| failure::of_record(message.topic(), code));
            }
        }
    }
}
