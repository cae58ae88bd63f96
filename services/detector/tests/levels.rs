//! Rules that read alerts, through both stages and the log in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use broker::memory::{Keep, Log, Session};
use broker::{Output, Pace, Publisher as _, Reader as _, TopicPartition, Worker};
use detection::SourceCounts;
use detector::{
    CORRELATE_GROUP, CorrelateSettings, CorrelateStage, Images, MATCH_GROUP, MatchSettings, MatchStage, Metrics,
};
use event::{Alert, AlertStatus, Event, FactRecord, Timestamp, topic};
use ruleset::RuleSet;
use state::{ImageError, NoImage};

const HOUR: i64 = 60 * 60 * 1000;
/// More steps than anything here needs.
const STEPS_MAX: usize = 1000;

struct NoDisk;

impl Images for NoDisk {
    type Image = NoImage;

    fn open(&mut self, _: u32) -> Result<NoImage, ImageError> {
        Ok(NoImage)
    }

    fn discard(&mut self, _: u32, image: NoImage) -> Result<NoImage, ImageError> {
        Ok(image)
    }
}

/// Failed logins of an address; of those alerts, two of a tenant; and of those again each.
fn rules() -> RuleSet {
    let queries = [
        "security_event:login_failed | window 5m | group by source_ip | count > 2",
        "alert:rule-0 | window 1h | count > 1",
        "alert:rule-1 | window 1h | count > 0",
    ];
    let file = |(at, query): (usize, &&str)| {
        let text = format!("id: rule-{at}\ntitle: T\nseverity: high\nmessage: M\nquery: \"{query}\"\n");
        (format!("rule-{at}.yaml"), text)
    };
    ruleset::load(queries.iter().enumerate().map(file).collect::<Vec<_>>())
        .unwrap()
        .rule_set
}

/// Both stages, with three partitions of facts, and everything they wrote.
struct Detector {
    log: Log,
    arrival: Arc<AtomicI64>,
    matching: Worker<Session, MatchStage>,
    correlating: Worker<Session, CorrelateStage<NoDisk>>,
}

const FACTS: u32 = 3;

fn correlate(log: &Log, tick_interval: Duration) -> Worker<Session, CorrelateStage<NoDisk>> {
    let settings = CorrelateSettings {
        sources: SourceCounts {
            security: 1,
            audit: 1,
            access: 1,
            facts: FACTS,
        },
        alerts_partitions: 1,
        tick_interval,
        flush_interval: Duration::MAX,
        memory_bytes_max: usize::MAX,
    };
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let stage = CorrelateStage::new(rules(), settings, NoDisk, Arc::new(|| Duration::ZERO), metrics);
    let session = log.session(CORRELATE_GROUP, CORRELATE_GROUP, &[topic::FACTS]).unwrap();
    Worker::new(session, stage, pace(), Arc::new(|| Duration::ZERO))
}

/// Every step commits.
fn pace() -> Pace {
    Pace {
        commit_interval: Duration::ZERO,
        poll_wait: Duration::ZERO,
        ..Pace::default()
    }
}

impl Detector {
    fn new(correlate_ticks: Duration) -> Self {
        let arrival = Arc::new(AtomicI64::new(0));
        let now = arrival.clone();
        let log = Log::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)));
        for name in topic::EVENTS {
            log.create_topic(name, 1, Keep::All);
        }
        for name in [topic::FACTS, topic::CHANGELOG] {
            log.create_topic(name, FACTS, Keep::All);
        }
        for name in [topic::ALERTS, topic::DEAD_LETTERS, topic::LATE_FACTS] {
            log.create_topic(name, 1, Keep::All);
        }
        let settings = MatchSettings {
            facts_partitions: FACTS,
            alerts_partitions: 1,
            tick_interval: Duration::ZERO,
        };
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let stage = MatchStage::new(&rules(), settings, Arc::new(|| Duration::ZERO), metrics);
        let session = log.session(MATCH_GROUP, MATCH_GROUP, &topic::EVENTS).unwrap();
        let matching = Worker::new(session, stage, pace(), Arc::new(|| Duration::ZERO));
        let correlating = correlate(&log, correlate_ticks);
        Self {
            log,
            arrival,
            matching,
            correlating,
        }
    }

    fn publish(&self, output: Output) {
        self.log
            .publish(vec![output], Box::new(|done| assert!(done.is_ok())))
            .unwrap();
    }

    /// Three failures of an address.
    fn attack(&self, address: &str, millis: i64) {
        self.arrival.store(millis, Ordering::Relaxed);
        for number in 0..3 {
            let event = Event {
                event_id: format!("{address} {millis} {number}"),
                time: Timestamp::from_millis(millis),
                tenant: "acme".to_owned(),
                security_event: Some("login_failed".to_owned()),
                source_ip: Some(address.to_owned()),
                ..Event::default()
            };
            self.publish(Output::keyed(
                topic::EVENTS_SECURITY,
                1,
                event.key().as_bytes(),
                event.encode(),
            ));
        }
    }

    /// Everything that arrives from now on is so late.
    fn time_is(&self, millis: i64) {
        self.arrival.store(millis, Ordering::Relaxed);
        for name in topic::EVENTS {
            self.publish(Output {
                topic: name.into(),
                partition: 0,
                key: None,
                value: None,
                headers: vec![(topic::HEADER_HEARTBEAT.to_owned(), Vec::new().into())],
            });
        }
    }

    /// Until everything is read, what the stages write to each other and themselves included.
    fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            self.matching.step().unwrap();
            self.correlating.step().unwrap();
            let is_read = |group, name: &str, count| {
                (0..count).all(|partition| {
                    let place = TopicPartition::new(name, partition);
                    self.log.committed(group, &place).unwrap_or(0) == self.log.bounds(&place).unwrap().1
                })
            };
            if topic::EVENTS.iter().all(|name| is_read(MATCH_GROUP, name, 1))
                && is_read(CORRELATE_GROUP, topic::FACTS, FACTS)
            {
                return;
            }
        }
        panic!("there is no end of it");
    }

    fn values(&self, name: &str, partition: u32) -> Vec<Vec<u8>> {
        let mut reader = self.log.session("test", "test", &[]).unwrap();
        let chunk = reader.read(&TopicPartition::new(name, partition), 0).unwrap();
        assert!(chunk.at_end);
        chunk
            .records
            .into_iter()
            .filter_map(|record| Some(record.value?.to_vec()))
            .collect()
    }

    fn alerts(&self) -> Vec<Alert> {
        let values = self.values(topic::ALERTS, 0);
        values.iter().map(|value| Alert::decode(value).unwrap()).collect()
    }

    /// The latest watermark of each level that each partition was told of, and how many ticks it took.
    fn told(&self, partition: u32) -> [(usize, Timestamp); 2] {
        let mut told = [(0, Timestamp::MIN); 2];
        for value in self.values(topic::FACTS, partition) {
            if let FactRecord::Tick(tick) = FactRecord::decode(&value).unwrap()
                && let Some(level) = usize::from(tick.level).checked_sub(1)
            {
                let least = tick.watermarks.iter().map(|(_, watermark)| *watermark).min();
                told[level] = (told[level].0 + 1, least.unwrap());
            }
        }
        told
    }
}

#[test]
fn levels_are_announced_and_what_waits_for_them_ends() {
    let mut detector = Detector::new(Duration::ZERO);
    detector.attack("203.0.113.7", 0);
    detector.attack("203.0.113.8", 1000);
    detector.run();
    let opened: Vec<_> = detector.alerts().iter().map(|alert| alert.rule_id.clone()).collect();
    let mut sorted = opened.clone();
    sorted.sort();
    assert_eq!(sorted, ["rule-0", "rule-0", "rule-1", "rule-2"]);
    // The end of time, as a scan and the tests of rules have it.
    detector.time_is(i64::MAX);
    detector.run();
    let closed = |alert: &&Alert| alert.status == AlertStatus::Closed;
    assert_eq!(detector.alerts().iter().filter(closed).count(), 4);
    let end = Timestamp::MAX.minus(Duration::from_secs(10));
    for partition in 0..FACTS {
        let [(first, first_at), (second, second_at)] = detector.told(partition);
        assert_eq!((first_at, second_at), (end, end));
        // Each of the partitions tells of each of the levels when it is done with it.
        let most = 2 * 2 * FACTS as usize;
        assert!(first <= most && second <= most, "{first} and {second} ticks");
    }
    assert_eq!(detector.values(topic::LATE_FACTS, 0).len(), 0);
}

#[test]
fn what_one_owner_had_not_announced_yet_the_next_one_announces() {
    let mut detector = Detector::new(Duration::MAX);
    detector.time_is(HOUR);
    detector.run();
    let first = detector.told(0)[0];
    detector.time_is(2 * HOUR);
    detector.run();
    assert_eq!(detector.told(0)[0], first, "the next tick is not due");
    let done = Timestamp::from_millis(2 * HOUR).minus(Duration::from_secs(10));
    assert!(first.1 < done);
    // Nothing comes any more but a new owner.
    let next = correlate(&detector.log, Duration::ZERO);
    drop(std::mem::replace(&mut detector.correlating, next));
    (0..20).for_each(|_| detector.correlating.step().unwrap());
    assert_eq!(detector.told(0)[0].1, done);
}
