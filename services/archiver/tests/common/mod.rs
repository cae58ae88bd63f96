//! A log, a store that can be told to fail, and the questions that every test ends with.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive::{Head, Listed, Manifest, ObjectStore, Put, PutOutcome, StoreError, Writer, read_segments};
use archiver::{Archiver, Error, Settings};
use broker::memory::{Keep, Log, Session};
use broker::{Output, Publisher as _, Reader as _, Record, TopicPartition};
use bytes::Bytes;
use event::{Timestamp, topic};
use service::health::Health;
use service::metrics::Metrics;

pub(crate) const GROUP: &str = "archiver";
pub(crate) const PARTITIONS: u32 = 2;

/// A log with the archived topics and a clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    clock: Arc<AtomicI64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let start = Timestamp::parse("2026-01-01T00:59:00Z").unwrap().as_millis();
        let clock = Arc::new(AtomicI64::new(start));
        let shared = clock.clone();
        let log = Log::new(move || Timestamp::from_millis(shared.load(Ordering::Relaxed)));
        for name in archiver::topics() {
            log.create_topic(name, PARTITIONS, Keep::All);
        }
        log.create_topic(topic::MANIFESTS, 1, Keep::All);
        Self {
            log,
            metrics: Metrics::new(),
            health: Health::default(),
            clock,
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::Relaxed))
    }

    pub(crate) fn publish(&self, topic: &str, partition: u32, value: &str) {
        let headers = if value == "heartbeat" {
            vec![("heartbeat".to_owned(), Bytes::new())]
        } else {
            Vec::new()
        };
        let value = Some(Bytes::from(value.to_owned()));
        let output = Output {
            topic: topic.into(),
            partition,
            key: Some("k".into()),
            value,
            headers,
        };
        self.log
            .publish(vec![output], Box::new(|done| assert!(done.is_ok())))
            .unwrap();
        self.pass(Duration::from_millis(1));
    }

    pub(crate) fn session(&self, id: &str) -> Session {
        self.log
            .session(GROUP, id, &archiver::topics())
            .unwrap()
            .with_batch_records_max(2)
    }

    pub(crate) fn archiver<O: ObjectStore>(&self, id: &str, store: O, settings: Settings) -> Archiver<Session, O> {
        let world = self.clone();
        let now = Box::new(move || world.now());
        Archiver::new(
            self.session(id),
            store,
            settings,
            now,
            &self.metrics,
            self.health.readiness(id),
        )
    }

    pub(crate) fn records(&self, place: &TopicPartition) -> Vec<Record> {
        let mut reader = self.log.session("reader", "reader", &[]).unwrap();
        let mut records = Vec::new();
        let mut next = 0;
        loop {
            let chunk = reader.read(place, next).unwrap();
            records.extend(chunk.records);
            next = chunk.next;
            if chunk.at_end {
                return records;
            }
        }
    }

    /// The value of a counter, zero if it never counted.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let text = self.metrics.encode().unwrap();
        let name = format!("tidewatch_archive_{name} ");
        text.lines()
            .find_map(|line| line.strip_prefix(name.as_str()))
            .map_or(0, |value| value.parse().unwrap())
    }

    pub(crate) fn metric(&self, line: &str) -> bool {
        let text = self.metrics.encode().unwrap();
        text.lines()
            .any(|written| written == format!("tidewatch_archive_{line}"))
    }
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new(
        Some(archive::LockMode::Compliance),
        Writer {
            build: "0.1.0".into(),
            host: "test".into(),
        },
    );
    settings.poll_wait = Duration::ZERO;
    settings.limits.records_max = 3;
    settings
}

/// The settings for a store that locks nothing.
pub(crate) fn unlocked() -> Settings {
    let mut settings = settings();
    settings.policies.values_mut().for_each(|policy| policy.lock = None);
    settings
}

pub(crate) fn places() -> Vec<TopicPartition> {
    let topics = archiver::topics();
    topics
        .iter()
        .flat_map(|name| (0..PARTITIONS).map(|at| TopicPartition::new(*name, at)))
        .collect()
}

/// Steps until the log has nothing more to say and nothing is due.
pub(crate) fn settle<O: ObjectStore>(archiver: &mut Archiver<Session, O>) -> Result<(), Error> {
    (0..200).try_for_each(|_| archiver.step())
}

/// When the archiver has stopped: the archive is the log, each record once; there is one object for each manifest and
/// one manifest for each object; each manifest went once to its topic; and what is committed is what is archived.
pub(crate) fn check_whole(world: &World, store: &impl ObjectStore) {
    let mut manifests = BTreeMap::new();
    for place in places() {
        let mut archived = Vec::new();
        for segment in read_segments(store, &place).unwrap() {
            let (manifest, records) = segment.unwrap_or_else(|error| panic!("{place}: {error}"));
            archived.extend(records);
            manifests.insert(manifest.key.clone(), manifest);
        }
        assert_eq!(archived, world.records(&place), "{place}");
        let end = world.log.bounds(&place).unwrap().1;
        assert_eq!(world.log.committed(GROUP, &place).unwrap_or(0), end, "{place}");
    }
    let objects: Vec<_> = store
        .list("tier=")
        .unwrap()
        .into_iter()
        .map(|listed| listed.name)
        .collect();
    assert_eq!(objects, manifests.keys().cloned().collect::<Vec<_>>());
    let told = world.records(&TopicPartition::new(topic::MANIFESTS, 0));
    let mut told: Vec<_> = told
        .iter()
        .map(|record| Manifest::decode("told", record.value.as_ref().unwrap()).unwrap())
        .collect();
    told.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(told, manifests.into_values().collect::<Vec<_>>());
}

/// A moment around a call to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

type Hook = dyn FnMut(Moment, &str) -> Option<StoreError> + Send;

/// A store that asks before and after each call whether to fail there.
#[derive(Clone)]
pub(crate) struct Hooked<O> {
    pub(crate) inner: O,
    hook: Arc<Mutex<Box<Hook>>>,
}

impl<O> Hooked<O> {
    pub(crate) fn new(inner: O, hook: impl FnMut(Moment, &str) -> Option<StoreError> + Send + 'static) -> Self {
        Self {
            inner,
            hook: Arc::new(Mutex::new(Box::new(hook))),
        }
    }

    fn around<T>(&self, name: &str, call: impl FnOnce(&O) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(error) = (self.hook.lock().unwrap())(Moment::Before, name) {
            return Err(error);
        }
        let answer = call(&self.inner);
        (self.hook.lock().unwrap())(Moment::After, name).map_or(answer, Err)
    }
}

impl<O: ObjectStore> ObjectStore for Hooked<O> {
    fn put_new(&self, put: Put) -> Result<PutOutcome, StoreError> {
        let name = put.name.clone();
        self.around(&name, |inner| inner.put_new(put))
    }

    fn head(&self, name: &str, version: Option<&str>) -> Result<Option<Head>, StoreError> {
        self.around(name, |inner| inner.head(name, version))
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.around(name, |inner| inner.get(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix)
    }

    fn locks(&self) -> bool {
        self.inner.locks()
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}

/// What a killed process meets: the call that it was in never returns.
pub(crate) fn killed() -> StoreError {
    StoreError::Misconfigured("killed".into())
}
