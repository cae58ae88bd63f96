//! Deterministic simulation of the detector: one thread, one seed, real stages over a log in memory that aborts, loses
//! answers, evicts, fences and rebalances, and disks that outlive their processes.
//!
//! [`run`] plays one seed and compares what came out with an obviously right reference written apart, and with a
//! fold of the committed records without any fault. A planted bug ([`PlantedBug`]) must make it find a difference.

mod check;
mod disk;
mod faults;
mod planted_bug;
pub mod random;
pub mod reference;
mod rules;
mod session;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use broker::memory::Log;
use broker::{Output, Pace, Publisher as _, Stopwatch, TopicPartition, Worker};
use detection::SourceCounts;
use detector::{CORRELATE_GROUP, CorrelateSettings, CorrelateStage, MATCH_GROUP, MatchSettings, MatchStage, Metrics};
use disk::SimDisk;
use event::{Event, Level, Severity, Timestamp, topic};
pub use faults::{Faults, Met};
pub use planted_bug::PlantedBug;
use random::Random;
pub use rules::rules;
use ruleset::RuleSet;
use session::SimSession;

/// Plays one seed.
///
/// # Errors
/// The difference between what came out and what had to.
pub fn run(seed: u64, bug: Option<PlantedBug>) -> Result<Met, String> {
    let mut world = World::new(seed, bug);
    world.play()?;
    world.calm_down()?;
    check::all(&world)?;
    let met = *world.met.borrow();
    Ok(met)
}

type MatchWorker = Worker<SimSession, MatchStage>;
type CorrelateWorker = Worker<SimSession, CorrelateStage<SimDisk>>;

/// An instance: its process may die, its disk stays.
enum Instance {
    Match(Option<Box<MatchWorker>>),
    Correlate(Option<Box<CorrelateWorker>>, SimDisk),
}

struct World {
    random: Rc<RefCell<Random>>,
    met: Rc<RefCell<Met>>,
    clock: Arc<AtomicI64>,
    log: Log,
    rules: RuleSet,
    faults: Faults,
    bug: Option<PlantedBug>,
    pace: Pace,
    sources: u32,
    facts: u32,
    instances: Vec<Instance>,
    /// Members of dead processes, whom the broker still believes alive.
    ghosts: Vec<(&'static str, u64)>,
    events: u64,
}

const START: i64 = 1_767_268_800_000;

impl World {
    fn new(seed: u64, bug: Option<PlantedBug>) -> Self {
        let mut random = Random::new(seed);
        let wild = random.within(0..4);
        let mut weight = |most: u64| random.within(0..most + 1) * wild / 3;
        let faults = Faults {
            commit_aborts: weight(15),
            reply_lost: weight(15),
            crash: weight(6),
            evict: weight(6),
            leave: weight(4),
        };
        let clock = Arc::new(AtomicI64::new(START));
        let now = clock.clone();
        let log = Log::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)));
        let (sources, facts) = (3, u32::try_from(random.within(1..4)).unwrap_or(1));
        session::create_topics(&log, sources, facts);
        let pace = Pace {
            commit_interval: Duration::from_millis(random.within(0..8000)),
            records_max: random.within(1..60),
            ..Pace::default()
        };
        let disks = [SimDisk::default(), SimDisk::default()];
        let correlate = disks.into_iter().map(|disk| Instance::Correlate(None, disk));
        let instances = (0..2).map(|_| Instance::Match(None)).chain(correlate).collect();
        Self {
            random: Rc::new(RefCell::new(random)),
            met: Rc::default(),
            clock,
            log,
            rules: rules(),
            faults,
            bug,
            pace,
            sources,
            facts,
            instances,
            ghosts: Vec::new(),
            events: 0,
        }
    }

    fn within(&self, range: std::ops::Range<u64>) -> u64 {
        self.random.borrow_mut().within(range)
    }

    fn chance(&self, percent: u64) -> bool {
        self.random.borrow_mut().chance(percent)
    }

    fn advance(&self, millis: u64) {
        self.clock
            .fetch_add(i64::try_from(millis).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Events come while things go wrong.
    fn play(&mut self) -> Result<(), String> {
        for _ in 0..self.within(60..160) {
            self.advance(self.within(0..40_000));
            if self.chance(70) {
                self.publish_event();
            }
            if self.chance(25) {
                self.heartbeat();
            }
            for _ in 0..self.within(1..6) {
                let at = usize::try_from(self.within(0..self.instances.len() as u64)).unwrap_or_default();
                self.disturb(at);
                self.step(at)?;
            }
        }
        Ok(())
    }

    /// Everything is alive, nothing goes wrong any more, time passes until every episode is over.
    fn calm_down(&mut self) -> Result<(), String> {
        self.faults = Faults {
            commit_aborts: 0,
            reply_lost: 0,
            crash: 0,
            evict: 0,
            leave: 0,
        };
        for at in 0..self.instances.len() {
            self.leave(at);
        }
        self.bury_ghosts();
        self.until_quiet()?;
        self.advance(3 * 24 * 60 * 60 * 1000);
        // A tick goes out with a later commit than the heartbeat it speaks of.
        for _ in 0..4 {
            self.heartbeat();
            self.until_quiet()?;
            self.advance(2000);
        }
        Ok(())
    }

    /// Runs until every record is evaluated and committed.
    fn until_quiet(&mut self) -> Result<(), String> {
        for _ in 0..2000 {
            self.advance(500);
            for at in 0..self.instances.len() {
                self.step(at)?;
            }
            if self.unread().is_empty() {
                return Ok(());
            }
        }
        Err(format!("never quiet: {:?}", self.unread()))
    }

    /// The partitions in which a group is behind, and where.
    fn unread(&self) -> Vec<String> {
        let mut unread = Vec::new();
        for (group, topics) in [(MATCH_GROUP, &topic::EVENTS[..]), (CORRELATE_GROUP, &[topic::FACTS])] {
            for name in topics {
                for partition in 0..self.log.partition_count(name).unwrap_or_default() {
                    let place = TopicPartition::new(*name, partition);
                    let read = self.log.committed(group, &place).unwrap_or(0);
                    let end = self.log.bounds(&place).map_or(0, |(_, end)| end);
                    if read < end {
                        unread.push(format!("{group} at {place}@{read} of {end}"));
                    }
                }
            }
        }
        unread
    }

    fn heartbeat(&self) {
        for name in topic::EVENTS {
            for partition in 0..self.log.partition_count(name).unwrap_or_default() {
                let headers = vec![(topic::HEADER_HEARTBEAT.to_owned(), bytes::Bytes::new())];
                self.publish(Output {
                    topic: name.into(),
                    partition,
                    key: None,
                    value: None,
                    headers,
                });
            }
        }
    }

    fn publish(&self, output: Output) {
        let taken = self
            .log
            .publish(vec![output], Box::new(|done| assert!(done.is_ok(), "{done:?}")));
        assert!(taken.is_ok(), "the log in memory takes everything");
    }

    fn publish_event(&mut self) {
        self.events += 1;
        self.met.borrow_mut().events += 1;
        let event = self.event();
        let partitions = self.log.partition_count(topic::EVENTS_SECURITY).unwrap_or(1);
        let output = Output::keyed(
            topic::EVENTS_SECURITY,
            partitions,
            event.key().as_bytes(),
            event.encode(),
        );
        if self.chance(8) {
            // A producer's retry: the same event once more.
            self.publish(output.clone());
        }
        self.publish(output);
    }

    fn event(&self) -> Event {
        let now = Timestamp::from_millis(self.clock.load(Ordering::Relaxed));
        // Now and then as late as the rules of the simulation bear.
        let late = if self.chance(10) {
            20 * 60_000 - self.within(0..5_000)
        } else if self.chance(20) {
            self.within(0..20 * 60_000)
        } else {
            self.within(0..3_000)
        };
        let time = if self.chance(3) {
            now.plus(Duration::from_secs(self.within(60..86_400)))
        } else {
            now.minus(Duration::from_millis(late))
        };
        let names = [
            "login_failed",
            "login_failed",
            "login_failed",
            "login_success",
            "password_reset",
            "role_changed",
        ];
        let name = (*self.random.borrow_mut().one_of(&names)).to_owned();
        let of = |prefix: &str, count| Some(format!("{prefix}{}", self.within(0..count)));
        Event {
            event_id: format!("e-{}", self.events),
            time,
            ingest_time: now,
            tenant: event::DEFAULT_TENANT.to_owned(),
            service: "security".to_owned(),
            level: Level::Warn,
            message: "simulated".to_owned(),
            security_event: Some(name),
            severity: Severity::Medium,
            user_id: if self.chance(90) { of("u-", 3) } else { None },
            source_ip: if self.chance(90) { of("203.0.113.", 4) } else { None },
            repeat: if self.chance(10) { 3 } else { 1 },
            format: "json".to_owned(),
            ..Event::default()
        }
    }

    /// Something may go wrong with an instance before its next step.
    fn disturb(&mut self, at: usize) {
        if self.chance(self.faults.crash) {
            self.crash(at);
        }
        if self.chance(self.faults.leave) {
            self.leave(at);
        }
        if self.chance(self.faults.evict)
            && let Some((group, member)) = self.instances[at].member()
        {
            self.met.borrow_mut().evictions += 1;
            self.log.evict(group, member);
            // A zombie does not know yet, and may try to commit.
            if self.chance(50) {
                self.commit(at);
            }
        }
        if self.chance(20) {
            self.bury_ghosts();
        }
    }

    fn bury_ghosts(&mut self) {
        for (group, member) in self.ghosts.drain(..) {
            self.log.evict(group, member);
        }
    }

    fn crash(&mut self, at: usize) {
        let member = self.instances[at].member();
        let session = match &mut self.instances[at] {
            Instance::Match(worker) => worker.take().map(|worker| worker.into_session()),
            Instance::Correlate(worker, _) => worker.take().map(|worker| worker.into_session()),
        };
        if let Some(session) = session {
            self.met.borrow_mut().crashes += 1;
            session.crash();
            self.ghosts.extend(member);
        }
    }

    fn leave(&mut self, at: usize) {
        match &mut self.instances[at] {
            Instance::Match(worker) => drop(worker.take()),
            Instance::Correlate(worker, _) => drop(worker.take()),
        }
    }

    /// One step of an instance; one that is dead is started. An error ends the process, as it does in production.
    fn step(&mut self, at: usize) -> Result<(), String> {
        self.start(at)?;
        let stepped = match &mut self.instances[at] {
            Instance::Match(Some(worker)) => worker.step(),
            Instance::Correlate(Some(worker), _) => worker.step(),
            Instance::Match(None) | Instance::Correlate(None, _) => Ok(()),
        };
        match stepped {
            Ok(()) => Ok(()),
            Err(broker::Error::Misconfigured(why)) => Err(format!("instance {at} refuses to run: {why}")),
            Err(_) => {
                self.leave(at);
                Ok(())
            }
        }
    }

    fn commit(&mut self, at: usize) {
        let committed = match &mut self.instances[at] {
            Instance::Match(Some(worker)) => worker.commit(),
            Instance::Correlate(Some(worker), _) => worker.commit(),
            Instance::Match(None) | Instance::Correlate(None, _) => Ok(()),
        };
        if committed.is_err() {
            self.leave(at);
        }
    }

    fn start(&mut self, at: usize) -> Result<(), String> {
        let session = |group: &str, topics: &[&str]| {
            let inner = self
                .log
                .session(group, &format!("{group}-{at}"), topics)
                .map_err(|error| error.to_string())?;
            let inner = inner.with_batch_records_max(usize::try_from(self.within(1..40)).unwrap_or(1));
            let (random, met) = (self.random.clone(), self.met.clone());
            Ok::<_, String>(SimSession::new(
                inner,
                self.log.clone(),
                random,
                met,
                self.faults,
                self.bug,
            ))
        };
        let clock = self.clock.clone();
        let now: Stopwatch =
            Arc::new(move || Duration::from_millis((clock.load(Ordering::Relaxed) - START).unsigned_abs()));
        let metrics = Metrics::register(&prometheus::Registry::new()).map_err(|error| error.to_string())?;
        match &self.instances[at] {
            Instance::Match(None) => {
                let settings = MatchSettings {
                    facts_partitions: self.facts,
                    alerts_partitions: 1,
                    tick_interval: Duration::from_secs(1),
                };
                let stage = MatchStage::new(&self.rules, settings, now.clone(), metrics);
                let session = session(MATCH_GROUP, &topic::EVENTS)?;
                self.instances[at] = Instance::Match(Some(Box::new(Worker::new(session, stage, self.pace, now))));
            }
            Instance::Correlate(None, disk) => {
                let settings = CorrelateSettings {
                    sources: SourceCounts {
                        security: self.sources,
                        audit: 1,
                        access: 1,
                        facts: self.facts,
                    },
                    alerts_partitions: 1,
                    tick_interval: Duration::from_secs(1),
                    flush_interval: Duration::from_millis(self.within(0..60_000)),
                    memory_bytes_max: usize::try_from(self.within(0..4000)).unwrap_or_default(),
                };
                let disk = disk.clone();
                let stage = CorrelateStage::new(self.rules.clone(), settings, disk.clone(), now.clone(), metrics);
                let session = session(CORRELATE_GROUP, &[topic::FACTS])?;
                let worker = Worker::new(session, stage, self.pace, now);
                self.instances[at] = Instance::Correlate(Some(Box::new(worker)), disk);
            }
            Instance::Match(Some(_)) | Instance::Correlate(Some(_), _) => {}
        }
        Ok(())
    }

    /// All records of a topic, by partition.
    fn records(&self, name: &str) -> Result<Vec<Vec<broker::Record>>, String> {
        use broker::Reader as _;
        let mut reader = self
            .log
            .session("checker", "checker", &[])
            .map_err(|error| error.to_string())?;
        let count = self.log.partition_count(name).map_err(|error| error.to_string())?;
        let mut all = Vec::new();
        for partition in 0..count {
            let place = TopicPartition::new(name, partition);
            let (mut records, mut next) = (Vec::new(), 0);
            loop {
                let chunk = reader.read(&place, next).map_err(|error| error.to_string())?;
                next = chunk.next;
                records.extend(chunk.records);
                if chunk.at_end {
                    break;
                }
            }
            all.push(records);
        }
        Ok(all)
    }
}

impl Instance {
    fn member(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::Match(worker) => worker.as_ref().map(|worker| (MATCH_GROUP, worker.session().member())),
            Self::Correlate(worker, _) => worker
                .as_ref()
                .map(|worker| (CORRELATE_GROUP, worker.session().member())),
        }
    }
}
