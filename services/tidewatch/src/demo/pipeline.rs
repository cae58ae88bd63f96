//! The four services as threads of this process, on the log in memory and a directory as object store.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use alerter::{AlertSink, Alerter, HttpCourier};
use anyhow::{Context as _, Result, anyhow, bail};
use archive::{TIERS, Writer};
use archiver::Archiver;
use broker::memory::{Keep, Log, Session};
use broker::{Output, Pace, Publisher as _, Stage, Stopwatch, TopicPartition, Worker};
use detector::{CORRELATE_GROUP, MATCH_GROUP};
use event::{Timestamp, topic};
use formats::Choice;
use ingest::{ApiKey, Clocks, HttpSettings, Ingest, IngestSettings, TOPIC_GROUP, TopicSettings};
use objects::Directory;
use ruleset::RuleSet;
use service::Stop;
use service::health::Health;
use service::metrics::Metrics;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle as Task;

use super::clock::Clock;
use crate::offline;

/// The place of every topic: one partition is one order.
const PARTITION: u32 = 0;

const ALERTER_GROUP: &str = "alerter";
const ARCHIVER_GROUP: &str = "archiver";

/// Heartbeats come often, for at the end of a replay everybody waits for them.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(250);

/// What is under way is at most a batch: a worker that takes longer for it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most records of a segment: the log holds them in memory until they are archived.
const SEGMENT_RECORDS_MAX: u64 = 100_000;

/// How often is looked whether a worker is done.
const LOOK_INTERVAL: Duration = Duration::from_micros(200);

/// What the pipeline is made of.
pub(super) struct Parts {
    pub(super) rules: RuleSet,
    /// The format of the lines that are published.
    pub(super) format: Choice,
    /// Who may use the HTTP door.
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) clock: Arc<Clock>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    /// Where alerts are told.
    pub(super) sink: AlertSink,
}

/// The services while they run.
pub(super) struct Pipeline {
    log: Log,
    clock: Arc<Clock>,
    ingest: Arc<Ingest>,
    runtime: Runtime,
    threads: Vec<(&'static str, JoinHandle<()>)>,
    /// The first failure of a thread.
    failure: Arc<Mutex<Option<anyhow::Error>>>,
    /// The archiver writes whatever it holds.
    flushing: Arc<AtomicBool>,
    stop: Stop,
}

impl Pipeline {
    /// Starts all services; the archive is the directory `archive`.
    pub(super) fn start(parts: Parts, archive: &Path) -> Result<Self> {
        let clock = parts.clock.clone();
        let log = Log::new({
            let clock = clock.clone();
            move || clock.now()
        });
        create_topics(&log);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let ingest = Arc::new(open_ingest(&parts, &log)?);
        let mut pipeline = Self {
            log,
            clock,
            ingest,
            runtime,
            threads: Vec::new(),
            failure: Arc::default(),
            flushing: Arc::default(),
            stop: Stop::new(),
        };
        pipeline.start_ingest()?;
        pipeline.start_detector(&parts.rules, &parts.metrics)?;
        pipeline.start_archiver(&parts.metrics, &parts.health, archive)?;
        pipeline.start_alerter(parts)?;
        Ok(pipeline)
    }

    fn start_ingest(&mut self) -> Result<()> {
        let session = self.log.session(TOPIC_GROUP, TOPIC_GROUP, &[topic::RAW])?;
        let mut worker = self.ingest.topic_worker(session);
        let stop = self.stop.clone();
        self.thread("ingest", move || Ok(worker.run(|| stop.requested())?))?;
        let (ingest, stop) = (self.ingest.clone(), self.stop.clone());
        self.runtime.spawn(async move { ingest.write_heartbeats(&stop).await });
        Ok(())
    }

    fn start_detector(&mut self, rules: &RuleSet, metrics: &Metrics) -> Result<()> {
        let metrics = detector::Metrics::register(metrics.registry())?;
        let begun = Instant::now();
        let now: Stopwatch = Arc::new(move || begun.elapsed());
        let (matching, correlating) = offline::stages(rules, &now, &metrics);
        let session = self.log.session(MATCH_GROUP, MATCH_GROUP, &topic::EVENTS)?;
        self.worker("match", session, matching, now.clone())?;
        let session = self.log.session(CORRELATE_GROUP, CORRELATE_GROUP, &[topic::FACTS])?;
        self.worker("correlate", session, correlating, now)
    }

    fn worker<G>(&mut self, name: &'static str, session: Session, stage: G, now: Stopwatch) -> Result<()>
    where
        G: Stage + Send + 'static,
        G::Task: Send,
    {
        // A commit in memory costs next to nothing, and everybody waits for it.
        let pace = Pace {
            commit_interval: Duration::ZERO,
            ..Pace::default()
        };
        let mut worker = Worker::new(session, stage, pace, now);
        let stop = self.stop.clone();
        self.thread(name, move || Ok(worker.run(|| stop.requested())?))
    }

    fn start_alerter(&mut self, parts: Parts) -> Result<()> {
        let settings = alerter::Settings {
            routes: vec![alerter::RouteSettings::log("terminal")],
            commit_interval: Duration::from_millis(10),
            ..alerter::Settings::default()
        };
        let courier = HttpCourier::new(&settings, self.runtime.handle().clone(), parts.sink)?;
        let session = self.log.session(ALERTER_GROUP, ALERTER_GROUP, &[topic::ALERTS])?;
        let mut alerter = Alerter::new(session, courier, settings, &parts.metrics)?;
        let (stop, health) = (self.stop.clone(), parts.health);
        self.thread("alerter", move || Ok(alerter.run(&stop, &health)?))
    }

    fn start_archiver(&mut self, metrics: &Metrics, health: &Health, archive: &Path) -> Result<()> {
        let writer = Writer {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            host: "demo".to_owned(),
        };
        let mut settings = archiver::Settings::new(None, writer);
        // A replay is faster than time: a segment every 15 minutes of it would be very many.
        settings.limits.age_max = Duration::from_hours(24 * 7);
        settings.limits.records_max = SEGMENT_RECORDS_MAX;
        settings.poll_wait = Duration::from_millis(20);
        let store = Directory::open(archive)?;
        let session = self.log.session(ARCHIVER_GROUP, ARCHIVER_GROUP, &archiver::topics())?;
        let readiness = health.readiness("archiver");
        let now = Box::new(service::clock::now);
        let mut archiver = Archiver::new(session, store, settings, now, metrics, readiness);
        archiver.try_store()?;
        let (stop, flushing) = (self.stop.clone(), self.flushing.clone());
        self.thread("archiver", move || {
            while !stop.requested() {
                archiver.step()?;
                if flushing.load(Ordering::Relaxed) {
                    archiver.flush()?;
                }
            }
            Ok(archiver.flush()?)
        })
    }

    fn thread(&mut self, name: &'static str, work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let failure = self.failure.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(error) = work() {
                let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(error.context(name));
            }
        })?;
        self.threads.push((name, thread));
        Ok(())
    }

    /// Publishes lines, all of which arrive at `arrival`, and waits until they are evaluated and the log has room again.
    pub(super) fn publish(&self, lines: Vec<Vec<u8>>, arrival: Timestamp) -> Result<()> {
        self.clock.advance(arrival);
        let output = |line: Vec<u8>| Output {
            topic: topic::RAW.into(),
            partition: PARTITION,
            key: None,
            value: Some(line.into()),
            headers: Vec::new(),
        };
        let (told, published) = std::sync::mpsc::sync_channel(1);
        let done = move |result| {
            // Nobody waits any more only if this function has returned.
            told.send(result).ok();
        };
        self.log
            .publish(lines.into_iter().map(output).collect(), Box::new(done))?;
        published.recv().context("the log dropped what it was given")??;
        self.evaluate()?;
        self.wait_for(ARCHIVER_GROUP, || self.has_room())
    }

    /// Whether the log holds no more than the archiver works at.
    fn has_room(&self) -> Result<bool> {
        for topic in topic::EVENTS {
            let (first, end) = self.log.bounds(&TopicPartition::new(topic, PARTITION))?;
            if end - first >= 2 * SEGMENT_RECORDS_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until everything that was published is evaluated.
    fn evaluate(&self) -> Result<()> {
        self.read_by(TOPIC_GROUP, &[topic::RAW])?;
        self.read_by(MATCH_GROUP, &topic::EVENTS)?;
        self.read_by(CORRELATE_GROUP, &[topic::FACTS])
    }

    /// Waits until everything that was published is evaluated, every episode that is over by now is closed, every alert
    /// is told, and everything is in the archive.
    pub(super) fn settle(&self) -> Result<()> {
        self.evaluate()?;
        // Time stands at the last line, and the heartbeats tell all partitions so.
        let ends = self.ends(&topic::EVENTS)?;
        self.wait_for("heartbeats", || {
            let later = self.ends(&topic::EVENTS)?;
            Ok(ends.iter().zip(later).all(|(end, later)| *end < later))
        })?;
        self.evaluate()?;
        self.read_by(ALERTER_GROUP, &[topic::ALERTS])?;
        self.flushing.store(true, Ordering::Relaxed);
        let topics: Vec<&str> = TIERS.iter().flat_map(|tier| tier.topics).copied().collect();
        let archived = self.read_by(ARCHIVER_GROUP, &topics);
        self.flushing.store(false, Ordering::Relaxed);
        archived
    }

    fn ends(&self, topics: &[&str]) -> Result<Vec<u64>> {
        let end = |topic: &&str| Ok(self.log.bounds(&TopicPartition::new(*topic, PARTITION))?.1);
        topics.iter().map(end).collect()
    }

    /// Waits until a group has committed past everything that is in these topics now.
    fn read_by(&self, group: &str, topics: &[&str]) -> Result<()> {
        let ends = self.ends(topics)?;
        self.wait_for(group, || {
            let committed = |topic: &&str| self.log.committed(group, &TopicPartition::new(*topic, PARTITION));
            Ok(topics
                .iter()
                .zip(&ends)
                .all(|(topic, end)| committed(topic).unwrap_or(0) >= *end))
        })
    }

    fn wait_for(&self, what: &str, is_done: impl Fn() -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !is_done()? {
            self.check()?;
            if begun.elapsed() > PATIENCE {
                bail!("{what}: no progress for {} s", PATIENCE.as_secs());
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    /// Whether all services still run.
    pub(super) fn check(&self) -> Result<()> {
        let Some((name, _)) = self.threads.iter().find(|(_, thread)| thread.is_finished()) else {
            return Ok(());
        };
        Err(self.take_failure().unwrap_or_else(|| anyhow!("{name} ended by itself")))
    }

    fn take_failure(&self) -> Option<anyhow::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Opens the HTTP door, until `stop` is requested. Time passes by itself from now on.
    pub(super) fn listen(&self, listener: TcpListener, stop: &Stop) -> Result<Task<std::io::Result<()>>> {
        self.clock.go_live(service::clock::now());
        listener.set_nonblocking(true)?;
        let _within = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (ingest, stop) = (self.ingest.clone(), stop.clone());
        Ok(self
            .runtime
            .spawn(async move { ingest.serve_http(listener, &stop).await }))
    }

    /// Waits until the door is closed and what it was given is written.
    pub(super) fn close(&self, door: Task<std::io::Result<()>>) -> Result<()> {
        Ok(self.runtime.block_on(door)??)
    }

    /// Ends all services.
    pub(super) fn stop(mut self) -> Result<()> {
        self.stop.request();
        for (name, thread) in self.threads.drain(..) {
            thread.join().map_err(|_| anyhow!("{name} panicked"))?;
        }
        self.take_failure().map_or(Ok(()), Err)
    }
}

fn create_topics(log: &Log) {
    let read = [topic::RAW, topic::FACTS, topic::ALERTS]
        .into_iter()
        .chain(topic::EVENTS);
    for name in read {
        log.create_topic(name, 1, Keep::UntilRead);
    }
    // For a process that starts again, or for people with other tools: nobody reads them here.
    let unread = [
        topic::CHANGELOG,
        topic::NOTIFICATIONS,
        topic::MANIFESTS,
        topic::DEAD_LETTERS,
        topic::LATE_FACTS,
        topic::UNDELIVERED,
    ];
    for name in unread {
        log.create_topic(name, 1, Keep::Nothing);
    }
}

fn open_ingest(parts: &Parts, log: &Log) -> Result<Ingest> {
    let raw = TopicSettings {
        format: parts.format,
        ..TopicSettings::new(topic::RAW)
    };
    let settings = IngestSettings {
        http: HttpSettings {
            drain_timeout: Duration::from_secs(2),
            ..HttpSettings::default()
        },
        api_keys: parts.api_keys.clone(),
        topics: vec![raw],
        commit_interval: Duration::ZERO,
        heartbeat_interval: HEARTBEAT_INTERVAL,
        ..IngestSettings::default()
    };
    let clock = parts.clock.clone();
    let clocks = Clocks {
        wall: Arc::new(move || clock.now()),
        ..Clocks::of_this_machine()
    };
    let metrics = ingest::Metrics::new(&parts.metrics);
    Ok(Ingest::open(settings, Arc::new(log.clone()), metrics, clocks)?)
}
