//! Detectors are killed at random moments while events flow: no alert is lost, and none is told twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2e::log::read_all;
use e2e::pipeline::Installation;
use e2e::process::Process;
use e2e::producer::post;
use e2e::s3::now;
use event::{Timestamp, topic};
use faults::aborted_records;
use faults::load::{Posted, await_alerts, check_alerts, check_webhooks};
use kafka::KafkaSettings;
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

/// A transaction takes some milliseconds, and by default a tenth of a second passes until the next: most kills would hit
/// nothing. So they follow each other at once here, as they do where events are many.
const COMMIT_INTERVAL: &str = "5ms";

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
        let producer = scope.spawn(|| Posted::send(|entries| post(&installation, &mut ingest, entries), seed, &stop));
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
    let found = await_alerts(&installation.kafka, &expected);
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
