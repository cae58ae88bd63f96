use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use broker::memory::{Keep, Log};
use broker::{Error, Output, Published, Publisher, Reader as _, Record, TopicPartition};
use event::topic::{self, HEADER_HEARTBEAT};
use event::{DeadLetter, Event};
use ingest::{ApiKey, Clocks, Ingest, IngestSettings, Metrics};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use service::Stop;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const KEY: &str = "the-key-of-acme-for-tests";
pub(crate) const EVENTS_PARTITIONS: u32 = 3;

pub(crate) fn log() -> Log {
    let log = Log::new(service::clock::now);
    for name in topic::EVENTS {
        log.create_topic(name, EVENTS_PARTITIONS, Keep::All);
    }
    log.create_topic(topic::RAW, 2, Keep::All);
    log.create_topic(topic::DEAD_LETTERS, 1, Keep::All);
    log
}

pub(crate) fn settings() -> IngestSettings {
    IngestSettings {
        api_keys: vec![
            ApiKey::new(KEY, "acme"),
            ApiKey::new("the-key-of-globex-for-tests", "globex"),
        ],
        ..IngestSettings::default()
    }
}

/// All records of a topic with their partitions, a partition after the other.
pub(crate) fn records(log: &Log, topic: &str) -> Vec<(u32, Record)> {
    let mut reader = log.session("nobody", "nobody", &[]).unwrap();
    let mut records = Vec::new();
    for partition in 0..reader.partition_count(topic).unwrap() {
        let place = TopicPartition::new(topic, partition);
        let mut next = 0;
        loop {
            let chunk = reader.read(&place, next).unwrap();
            next = chunk.next;
            records.extend(chunk.records.into_iter().map(|record| (partition, record)));
            if chunk.at_end {
                break;
            }
        }
    }
    records
}

/// All events of all tiers, each checked to be where it belongs.
pub(crate) fn events(log: &Log) -> Vec<Event> {
    let mut events = Vec::new();
    for topic in topic::EVENTS {
        for (partition, record) in records(log, topic) {
            if record.header(HEADER_HEARTBEAT).is_some() {
                continue;
            }
            let event = Event::decode(&record.value.unwrap()).unwrap();
            assert_eq!(format!("events.{}", event.tier()), topic);
            assert_eq!(record.key.as_deref(), Some(event.key().as_bytes()));
            assert_eq!(
                partition,
                event::partition_of(event.key().as_bytes(), EVENTS_PARTITIONS)
            );
            events.push(event);
        }
    }
    events
}

pub(crate) fn dead_letters(log: &Log) -> Vec<DeadLetter> {
    let letters = records(log, topic::DEAD_LETTERS).into_iter();
    letters
        .map(|(_, record)| DeadLetter::decode(&record.value.unwrap()).unwrap())
        .collect()
}

/// A publisher that does what a test says.
pub(crate) struct Gate {
    log: Log,
    mode: Mutex<Mode>,
    held: Mutex<Vec<(Vec<Output>, Published)>>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    Pass,
    /// Takes nothing.
    Overloaded,
    /// Takes records and reports that they are not written.
    Fail,
    /// Takes records and does not report.
    Forget,
    /// Takes records and waits for [`Gate::release`].
    Hold,
}

impl Gate {
    pub(crate) fn new(log: &Log) -> Arc<Self> {
        Arc::new(Self {
            log: log.clone(),
            mode: Mutex::new(Mode::Pass),
            held: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    pub(crate) fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    pub(crate) fn release(&self) {
        self.set(Mode::Pass);
        for (outputs, done) in std::mem::take(&mut *self.held.lock().unwrap()) {
            self.log.publish(outputs, done).unwrap();
        }
    }
}

impl Publisher for Gate {
    fn publish(&self, outputs: Vec<Output>, done: Published) -> Result<(), Error> {
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Pass => self.log.publish(outputs, done)?,
            Mode::Overloaded => return Err(Error::Overloaded("a test".into())),
            Mode::Fail => done(Err(Error::Unavailable("a test".into()))),
            Mode::Forget => drop(done),
            Mode::Hold => self.held.lock().unwrap().push((outputs, done)),
        }
        Ok(())
    }

    fn partition_count(&self, topic: &str) -> Result<u32, Error> {
        self.log.partition_count(topic)
    }
}

/// A door that runs.
pub(crate) struct Door {
    pub(crate) log: Log,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: service::metrics::Metrics,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) stop: Stop,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) serving: JoinHandle<()>,
    client: Client,
}

impl Door {
    pub(crate) async fn open(settings: IngestSettings) -> Self {
        // The client wants one to be there, also where no TLS is spoken. Another test may have been first.
        rustls::crypto::ring::default_provider().install_default().ok();
        let log = log();
        let gate = Gate::new(&log);
        let metrics = service::metrics::Metrics::new();
        let ingest = Ingest::open(
            settings,
            gate.clone(),
            Metrics::new(&metrics),
            Clocks::of_this_machine(),
        );
        let ingest = Arc::new(ingest.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Stop::new();
        let serving = tokio::spawn({
            let (ingest, stop) = (ingest.clone(), stop.clone());
            async move { ingest.serve_http(listener, &stop).await.unwrap() }
        });
        Self {
            log,
            gate,
            metrics,
            ingest,
            stop,
            address,
            serving,
            client: Client::builder().timeout(Duration::from_secs(30)).build().unwrap(),
        }
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A post with the key of acme.
    pub(crate) fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(reqwest::Method::POST, path)
            .header("X-API-Key", KEY)
            .body(body)
    }

    pub(crate) async fn ingest(&self, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        answer(self.post("/api/v1/ingest", body)).await
    }

    /// The value of a series, given as in `requests_total{code="200"}`; without one 0.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        metric(&self.metrics, series)
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        events(&self.log)
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        dead_letters(&self.log)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.request();
    }
}

pub(crate) fn metric(metrics: &service::metrics::Metrics, series: &str) -> f64 {
    let text = metrics.encode().unwrap();
    let wanted = format!("tidewatch_ingest_{series} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&wanted));
    found.map_or(0.0, |value| value.parse().unwrap())
}

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} without JSON: {text:?}"));
    (status, json)
}

/// Waits for something that is bound to happen.
pub(crate) async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
