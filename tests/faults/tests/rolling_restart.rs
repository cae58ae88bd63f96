//! Every process of an installation is replaced while events flow, as an upgrade replaces them: no alert is lost or repeated, all
//! are told, and everything is archived once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use archive::read_segments;
use broker::{Record, TopicPartition};
use e2e::log::{PATIENCE, read_all};
use e2e::pipeline::{API_KEY, Installation, PARTITIONS, door};
use e2e::process::{Process, wait_for};
use event::topic;
use faults::load::{Posted, await_alerts, check_alerts, check_webhooks};
use serde_json::{Value, json};

/// Two processes of each service, in the order in which `docs/upgrade-and-recovery.md` replaces them: whoever reads before
/// whoever writes.
const SERVICES: [&str; 4] = ["archiver", "alerter", "detector", "ingest"];
const INSTANCES: [&str; 2] = ["a", "b"];

/// The doors that are open, as a load balancer knows them.
struct Doors<'a> {
    installation: &'a Installation,
    open: Mutex<Vec<String>>,
}

impl Doors<'_> {
    /// Gives entries to a door that takes them all; of doors that do not, tries the next one.
    fn take(&self, entries: &[Value]) {
        let body = json!({"logs": entries}).to_string();
        let headers = [("x-api-key", API_KEY), ("content-type", "application/json")];
        wait_for("a door takes it", PATIENCE, || {
            let open = self.open.lock().unwrap().clone();
            let mut answers = open
                .iter()
                .filter_map(|url| self.installation.web.post(url, &headers, body.clone()));
            let (_, answer) = answers.find(|(status, _)| *status == 200)?;
            let receipt: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(receipt["received"], json!(entries.len()), "{answer}");
            Some(())
        });
    }

    fn add(&self, ingest: &mut Process) {
        let url = door(ingest, "/api/v1/ingest");
        self.open.lock().unwrap().push(url);
    }

    fn remove(&self, ingest: &mut Process) {
        let url = door(ingest, "/api/v1/ingest");
        self.open.lock().unwrap().retain(|open| *open != url);
    }
}

/// Replaces one process after the other; the next one when all are ready.
fn replace_all(doors: &Doors<'_>, processes: &mut [[Process; 2]; 4]) {
    for (at, service) in SERVICES.iter().enumerate() {
        for (which, instance) in INSTANCES.iter().enumerate() {
            let began = Instant::now();
            if *service == "ingest" {
                doors.remove(&mut processes[at][which]);
            }
            let (status, stopped) = processes[at][which].terminate();
            assert_eq!(status.code(), Some(0), "{service} {instance}");
            processes[at][which] = doors.installation.start(service, instance);
            processes.iter_mut().flatten().for_each(Process::wait_ready);
            if *service == "ingest" {
                doors.add(&mut processes[at][which]);
            }
            println!(
                "{service} {instance}: stopped in {stopped:.1?}, all ready again after {:.1?}",
                began.elapsed()
            );
        }
    }
}

/// Everything that the topics have is in the archive, once.
fn check_archive(installation: &Installation) {
    let store = installation.bucket.store();
    for name in [topic::ALERTS, topic::EVENTS_SECURITY] {
        let committed = read_all(&installation.kafka, name);
        for partition in 0..PARTITIONS {
            let place = TopicPartition::new(name, partition);
            let records = committed
                .iter()
                .filter(|(of, _)| *of == place)
                .map(|(_, record)| record.clone());
            let records: Vec<Record> = records.collect();
            let archived = || {
                let segments = read_segments(&store, &place).unwrap().map(Result::unwrap);
                segments.flat_map(|(_, records)| records).collect::<Vec<_>>()
            };
            wait_for(&format!("the archive of {place}"), PATIENCE, || {
                (archived().last() == records.last()).then_some(())
            });
            assert!(archived() == records, "{place} is archived as it is not");
        }
    }
}

#[test]
fn a_rolling_restart_loses_no_alert_and_repeats_none() {
    let installation = Installation::create("rolling");
    let mut processes = SERVICES.map(|service| INSTANCES.map(|instance| installation.start(service, instance)));
    processes.iter_mut().flatten().for_each(Process::wait_ready);
    let doors = Doors {
        installation: &installation,
        open: Mutex::default(),
    };
    processes[3].iter_mut().for_each(|ingest| doors.add(ingest));
    let (began, stop) = (Instant::now(), AtomicBool::new(false));
    let posted = thread::scope(|scope| {
        let producer = scope.spawn(|| Posted::send(|entries| doors.take(entries), 7, &stop));
        let replacing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| replace_all(&doors, &mut processes)));
        // Or a failure would wait for the producer for ever.
        stop.store(true, Ordering::Relaxed);
        let posted = producer.join().expect("all was taken");
        replacing.unwrap_or_else(|failure| std::panic::resume_unwind(failure));
        posted
    });
    let flowed = began.elapsed();
    let expected = posted.expected(&installation.kafka);
    let found = await_alerts(&installation.kafka, &expected);
    println!("{} events in {flowed:.1?}, {} alerts", posted.count, found.len());
    check_alerts(&found, &expected);
    // A commit of the alerter may be refused while its group rebalances: what it told since the last one is told again, under
    // the same id.
    let told = check_webhooks(&installation, &found);
    println!("{told} webhooks for {} alerts", found.len());
    for name in [topic::DEAD_LETTERS, topic::LATE_FACTS, topic::UNDELIVERED] {
        assert_eq!(read_all(&installation.kafka, name), [], "{name}");
    }
    // So that nothing is written any more that would have to be archived.
    for process in processes[1..].iter_mut().flatten() {
        assert!(process.terminate().0.success());
    }
    check_archive(&installation);
}
