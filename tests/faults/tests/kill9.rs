//! Detectors are killed at random moments while events flow: no alert is lost, and none is told twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2e::expect::{Events, Guide, alerts};
use e2e::log::{PATIENCE, read_all};
use e2e::pipeline::Installation;
use e2e::process::{Process, wait_for};
use e2e::producer::{logged, post};
use e2e::receiver::WEBHOOK;
use e2e::s3::now;
use event::{Alert, AlertId, AlertStatus, Timestamp, topic};
use faults::aborted_records;
use kafka::KafkaSettings;
use serde_json::{Value, json};
use sim::random::Random;

/// So many kills at least, and so many at most if none of them aborted a transaction.
const KILLS: usize = 20;
const KILLS_MAX: usize = 80;

/// The wait before a kill, and before the killed one comes back, in milliseconds.
const LIFE: std::ops::Range<u64> = 0..1500;
const DEATH: std::ops::Range<u64> = 0..1500;

/// Of 100 kills, how many wait until both detectors have their share again: a group that is being rebalanced all the
/// time is not at work. The others come whatever is going on.
const AT_WORK: u64 = 90;

/// The two detectors: the names of their instances.
const INSTANCES: [&str; 2] = ["a", "b"];

/// Where transactions of detectors write.
const WRITTEN: [&str; 3] = [topic::FACTS, topic::ALERTS, topic::CHANGELOG];

/// What a detector logs when a transaction of its own is not committed.
const ABORTED: &str = "transaction aborted: evaluating again from what is committed";

/// How long after a record's append its detector has told that the transaction was aborted, if it did that itself; and how
/// long a transaction is open at most when nothing is wrong.
const TOLD: Duration = Duration::from_secs(5);
const OPEN: Duration = Duration::from_secs(1);

/// Addresses of a round of events, which fail 8 to 15 times each. More than 10 are an attack.
const ADDRESSES: u64 = 30;
const FAILURES: std::ops::Range<u64> = 8..16;
const FIRING: usize = 11;

/// Events of a round that are an alert each.
const TRAVELS: usize = 5;

/// Entries of a request, and the pause after it.
const ENTRIES: usize = 4;
const PAUSE: Duration = Duration::from_millis(1);

/// A transaction takes some milliseconds, and by default a tenth of a second passes until the next: most kills would hit
/// nothing. So they follow each other at once here, as they do where events are many.
const COMMIT_INTERVAL: &str = "5ms";

/// How long nothing may happen before the test believes that nothing will.
const QUIET: Duration = Duration::from_secs(5);

/// The events that were posted: the ids of each address's failures in their order, and those that are alerts alone.
#[derive(Default)]
struct Posted {
    failures: BTreeMap<String, Vec<String>>,
    travels: Vec<String>,
    count: usize,
}

impl Posted {
    /// Posts rounds of events, in an order that follows from the seed, until it is told to stop. A round that has begun
    /// is posted to its end.
    fn post(installation: &Installation, ingest: &mut Process, seed: u64, stop: &AtomicBool) -> Self {
        let mut random = Random::new(seed);
        let mut posted = Self::default();
        let mut last = Timestamp::MIN;
        for round in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            for sources in round_of(round, &mut random).chunks(ENTRIES) {
                let mut entries = Vec::new();
                for source in sources {
                    // Each later than the one before, so that it is known which one makes an attack.
                    last = now().max(last.plus(Duration::from_millis(1)));
                    entries.push(posted.entry(source.as_deref(), last));
                }
                post(installation, ingest, &entries);
                thread::sleep(PAUSE);
            }
        }
        posted
    }

    /// The next failure of an address, or a travel.
    fn entry(&mut self, address: Option<&str>, time: Timestamp) -> Value {
        let id = format!("event-{}", self.count);
        self.count += 1;
        match address {
            Some(address) => {
                self.failures.entry(address.to_owned()).or_default().push(id.clone());
                logged(&id, time, "login_failed", json!({"source_ip": address}))
            }
            None => {
                self.travels.push(id.clone());
                logged(&id, time, "impossible_travel", json!({"user_id": "carol"}))
            }
        }
    }

    /// The alerts that follow from the rules, by their ids, each with the ids of the events that may be in it.
    fn expected(&self, kafka: &KafkaSettings) -> BTreeMap<AlertId, (Alert, Vec<String>)> {
        let (guide, events) = (Guide::read(), Events::read(kafka));
        assert_eq!(events.count(), self.count, "the door accepted {}", self.count);
        let attacks = self.failures.iter().filter(|(_, ids)| ids.len() >= FIRING);
        let attacks = attacks.map(|(address, ids)| {
            let message = format!("Brute force attack detected from {address}");
            let key = [("source_ip", address.as_str())];
            let alert = guide.opened("guide_brute_force", &key, &events, &ids[..FIRING], &message);
            (alert, ids.clone())
        });
        let travels = self.travels.iter().map(|id| {
            let ids = vec![id.clone()];
            let message = "Impossible travel detected for user carol";
            let alert = guide.opened("guide_impossible_travel", &[], &events, &ids, message);
            (alert, ids)
        });
        attacks.chain(travels).map(|it| (it.0.alert_id, it)).collect()
    }
}

/// The addresses of a round's events; `None` is a travel.
fn round_of(round: u64, random: &mut Random) -> Vec<Option<String>> {
    let mut sources = vec![None; TRAVELS];
    for number in 0..ADDRESSES {
        let address = format!("10.{}.{}.{number}", round / 256, round % 256);
        let failures = random.within(FAILURES);
        sources.extend((0..failures).map(|_| Some(address.clone())));
    }
    for end in (1..sources.len()).rev() {
        let other = random.within(0..end as u64 + 1);
        sources.swap(end, usize::try_from(other).unwrap());
    }
    sources
}

/// What was done to the detectors, and what they knew of it.
#[derive(Default)]
struct Killed {
    /// When one was killed.
    kills: Vec<Timestamp>,
    /// How many of the kills aborted a transaction, as far as was known when there were enough.
    aborted: usize,
    /// When one that is dead by now had logged that a transaction of its own was aborted.
    known: Vec<Timestamp>,
}

impl Killed {
    /// Kills detectors and starts them again, until there were enough kills and one of them aborted a transaction.
    fn at_random(installation: &Installation, detectors: &mut [Process; 2], seed: u64) -> Self {
        let mut random = Random::new(!seed);
        let mut killed = Self::default();
        let pause = |milliseconds| thread::sleep(Duration::from_millis(milliseconds));
        while killed.kills.len() < KILLS_MAX {
            if random.chance(AT_WORK) {
                detectors.iter_mut().for_each(Process::wait_ready);
            }
            pause(random.within(LIFE));
            let victim = usize::from(random.chance(50));
            detectors[victim].expect_alive();
            killed.kills.push(now());
            detectors[victim].kill();
            killed.known.extend(known_aborts(&detectors[victim]));
            pause(random.within(DEATH));
            detectors[victim] = installation.start("detector", INSTANCES[victim]);
            if killed.kills.len() >= KILLS {
                killed.aborted = killed.that_aborted(&installation.kafka, detectors);
                if killed.aborted > 0 {
                    return killed;
                }
            }
        }
        panic!("void: {KILLS_MAX} kills, and none of them aborted a transaction");
    }

    /// How many of the kills aborted a transaction: a record had just been appended, its transaction was aborted, and no
    /// detector knows of it.
    fn that_aborted(&self, kafka: &KafkaSettings, detectors: &[Process; 2]) -> usize {
        let mut known = self.known.clone();
        known.extend(detectors.iter().flat_map(known_aborts));
        let mut aborted: Vec<Timestamp> = WRITTEN.iter().flat_map(|name| aborted_records(kafka, name)).collect();
        aborted.retain(|appended| !known.iter().any(|known| is_within(*known, *appended, TOLD)));
        let has_aborted = |kill: &&Timestamp| aborted.iter().any(|appended| is_within(**kill, *appended, OPEN));
        self.kills.iter().filter(has_aborted).count()
    }
}

/// Whether `moment` is at most `span` after `start`.
fn is_within(moment: Timestamp, start: Timestamp, span: Duration) -> bool {
    start <= moment && moment <= start.plus(span)
}

fn known_aborts(detector: &Process) -> Vec<Timestamp> {
    let lines = detector.logged(ABORTED);
    let moments = lines
        .iter()
        .map(|line| Timestamp::parse(line["timestamp"].as_str().unwrap()));
    moments.map(Option::unwrap).collect()
}

/// Each of the alerts once, opened by the event that opened it, over the events that were there.
fn check_alerts(found: &[Alert], expected: &BTreeMap<AlertId, (Alert, Vec<String>)>) {
    let times = |id: &AlertId| found.iter().filter(|alert| alert.alert_id == *id).count();
    let lost: Vec<&Alert> = expected
        .values()
        .map(|(alert, _)| alert)
        .filter(|alert| times(&alert.alert_id) == 0)
        .collect();
    let repeated: Vec<&AlertId> = expected.keys().filter(|id| times(id) > 1).collect();
    let invented: Vec<&Alert> = found
        .iter()
        .filter(|alert| !expected.contains_key(&alert.alert_id))
        .collect();
    assert!(
        lost.is_empty() && repeated.is_empty() && invented.is_empty(),
        "{} lost, {} repeated, {} invented; some of them: {:#?}",
        lost.len(),
        repeated.len(),
        invented.len(),
        (lost.first(), repeated.first(), invented.first())
    );
    for alert in found {
        let (opened, ids) = &expected[&alert.alert_id];
        // Failures that were in one batch with the eleventh are told with it.
        let count = usize::try_from(alert.count).unwrap();
        let told: Vec<&String> = alert.events.iter().map(|event| &event.event_id).collect();
        assert_eq!(told, ids[..count].iter().collect::<Vec<_>>(), "{alert:#?}");
        let at_opening = Alert {
            count: opened.count,
            last_event_at: opened.last_event_at,
            events: opened.events.clone(),
            ..alert.clone()
        };
        assert_eq!((&at_opening, alert.status), (opened, AlertStatus::Opened));
    }
}

/// Every alert was told, and whatever was told twice was the same and said so. Returns the requests.
fn check_webhooks(installation: &Installation, found: &[Alert]) -> usize {
    let ids: BTreeSet<String> = found.iter().map(|alert| format!("{}-1", alert.alert_id)).collect();
    let is_told = || {
        let requests = installation.receiver.received(WEBHOOK);
        let told: BTreeSet<_> = requests
            .iter()
            .map(|request| request.headers["webhook-id"].clone())
            .collect();
        (told == ids).then_some(requests)
    };
    let requests = wait_for("a webhook for every alert, and for nothing else", PATIENCE, is_told);
    let mut bodies = BTreeMap::new();
    for request in &requests {
        let body = bodies.entry(&request.headers["webhook-id"]).or_insert(&request.body);
        assert_eq!(*body, &request.body);
    }
    requests.len()
}

#[test]
fn twenty_kills_lose_no_alert_and_repeat_none() {
    let seed = std::env::var("TIDEWATCH_TEST_SEED").map_or(20, |text| text.parse().expect("a number"));
    println!("TIDEWATCH_TEST_SEED={seed}");
    let mut installation = Installation::create("kill9");
    installation.commit_interval = COMMIT_INTERVAL;
    let mut ingest = installation.start("ingest", "0");
    let mut alerter = installation.start("alerter", "0");
    let mut detectors = INSTANCES.map(|name| installation.start("detector", name));
    for service in [&mut ingest, &mut alerter].into_iter().chain(&mut detectors) {
        service.wait_ready();
    }
    let began = Instant::now();
    let stop = AtomicBool::new(false);
    let (posted, killed) = thread::scope(|scope| {
        let producer = scope.spawn(|| Posted::post(&installation, &mut ingest, seed, &stop));
        let killing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Killed::at_random(&installation, &mut detectors, seed)
        }));
        // Or a failure would wait for the producer for ever.
        stop.store(true, Ordering::Relaxed);
        let posted = producer.join().expect("all was posted");
        (
            posted,
            killing.unwrap_or_else(|failure| std::panic::resume_unwind(failure)),
        )
    });
    let flowed = began.elapsed();
    detectors.iter_mut().for_each(Process::wait_ready);
    let expected = posted.expected(&installation.kafka);
    // Whoever waits in vain is told below what is missing.
    let until = Instant::now() + PATIENCE;
    while alerts(&installation.kafka).len() < expected.len() && Instant::now() < until {
        thread::sleep(Duration::from_millis(200));
    }
    thread::sleep(QUIET);
    let found = alerts(&installation.kafka);
    println!(
        "{} events in {flowed:.1?}; {} kills, of which {} aborted a transaction; {} alerts",
        posted.count,
        killed.kills.len(),
        killed.aborted,
        found.len()
    );
    let aborted = aborted_records(&installation.kafka, topic::ALERTS).len();
    println!("alerts that only readers of uncommitted records see: {aborted}");
    check_alerts(&found, &expected);
    let told = check_webhooks(&installation, &found);
    println!("{told} webhooks for {} alerts", found.len());
    for name in [topic::DEAD_LETTERS, topic::LATE_FACTS, topic::UNDELIVERED] {
        assert_eq!(read_all(&installation.kafka, name), [], "{name}");
    }
}
