//! What is lost when something is lost, and what an operator does then: the procedures of `docs/upgrade-and-recovery.md`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use archive::{ReadError, read_segments};
use broker::TopicPartition;
use e2e::brute_force::{FIRING, alert, failure};
use e2e::expect::alerts;
use e2e::log::PATIENCE;
use e2e::pipeline::{Installation, PARTITIONS, Services};
use e2e::process::{Process, wait_for};
use e2e::producer::post;
use e2e::receiver::WEBHOOK;
use e2e::tool;
use event::topic;
use serde_json::json;

/// How long nothing may happen before a test believes that nothing will.
const QUIET: Duration = Duration::from_secs(3);

const APPLIED: &str = r#"tidewatch_detector_fact_entries_total{outcome="applied"}"#;
const RESTORED: &str = "tidewatch_detector_restored_changes_total";

fn post_failures(installation: &Installation, ingest: &mut Process, numbers: std::ops::Range<usize>) {
    for number in numbers {
        post(installation, ingest, &[failure(number)]);
    }
}

/// Waits until this detector has taken in so many failures.
fn await_applied(detector: &Process, count: f64) {
    wait_for(APPLIED, PATIENCE, || (detector.metric(APPLIED) >= count).then_some(()));
}

/// The ids of the webhooks so far, of each as often as it came.
fn told(installation: &Installation) -> Vec<String> {
    let requests = installation.receiver.received(WEBHOOK);
    requests
        .iter()
        .map(|request| request.headers["webhook-id"].clone())
        .collect()
}

/// Raises the alert, and waits until it is told.
fn attack(installation: &Installation, services: &mut Services) {
    post_failures(installation, &mut services.ingest, 0..FIRING);
    installation.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
}

/// Runs one of Kafka's tools, which must do what it was asked.
fn tool(installation: &Installation, name: &str, arguments: &[&str]) -> String {
    let done = tool::run(name, &installation.kafka.brokers, arguments);
    let (said, complained) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    // Some of them end with 0 whatever happens.
    assert!(
        done.status.success() && !said.contains("Error:"),
        "{name} {arguments:?}: {said} {complained}"
    );
    said.into_owned()
}

/// A topic is lost, and made anew as `tidewatch topics create` makes it.
fn lose_topic(installation: &Installation, topic: &str) {
    let full = format!("{}{topic}", installation.kafka.prefix);
    tool(installation, "kafka-topics.sh", &["--delete", "--topic", &full]);
    // Deleted means: no broker knows it any more, which is a moment later.
    wait_for("the topic is made anew", PATIENCE, || {
        let created = installation.topics("create");
        let said = String::from_utf8_lossy(&created.stdout).into_owned();
        said.contains(&format!("created {full}")).then_some(())
    });
}

/// The positions of a group in a topic are lost, or are set: `--to-earliest`, or `--delete-offsets`.
fn move_positions(installation: &Installation, group: &str, topic: &str, how: &[&str]) {
    let (group, topic) = (
        format!("{}{group}", installation.kafka.prefix),
        format!("{}{topic}", installation.kafka.prefix),
    );
    let arguments = [&["--group", &group, "--topic", &topic], how].concat();
    // Until the last member's session is over the group is not empty.
    wait_for("positions are moved", PATIENCE, || {
        let done = tool::run("kafka-consumer-groups.sh", &installation.kafka.brokers, &arguments);
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        (done.status.success() && !said.contains("Error")).then_some(())
    });
}

/// The brokers delete all that a topic has.
fn forget(installation: &Installation, topic: &str) {
    let full = format!("{}{topic}", installation.kafka.prefix);
    let partitions = (0..PARTITIONS).map(|partition| json!({"topic": full, "partition": partition, "offset": -1}));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("offsets.json");
    let offsets = json!({"version": 1, "partitions": partitions.collect::<Vec<_>>()});
    std::fs::write(&file, offsets.to_string()).unwrap();
    tool(
        installation,
        "kafka-delete-records.sh",
        &["--offset-json-file", file.to_str().unwrap()],
    );
}

/// The last words of a service that ends by itself, because a person has to do something.
fn last_words(service: &mut Process) -> String {
    let status = service.wait_end();
    let said = service.logged("ended by an error");
    let error = said
        .first()
        .and_then(|line| line["error"].as_str())
        .unwrap_or_default()
        .to_owned();
    assert_eq!(status.code(), Some(78), "{error}");
    error
}

#[test]
fn a_lost_disk_costs_no_alert() {
    let installation = Installation::create("lost-disk");
    let mut services = installation.start_all();
    let replace = |services: &mut Services| {
        std::fs::remove_dir_all(installation.state_dir("0")).unwrap();
        services.detector = installation.start("detector", "0");
        services.detector.wait_ready();
        assert!(!services.detector.logged("new state image").is_empty());
        assert!(services.detector.metric(RESTORED) > 0.0, "nothing was restored");
    };
    // In the middle of a window, after an orderly stop.
    post_failures(&installation, &mut services.ingest, 0..6);
    await_applied(&services.detector, 6.0);
    assert!(services.detector.terminate().0.success());
    replace(&mut services);
    post_failures(&installation, &mut services.ingest, 6..FIRING);
    installation.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
    // In the middle of an episode, without a word.
    services.detector.kill();
    replace(&mut services);
    post_failures(&installation, &mut services.ingest, FIRING..FIRING + 4);
    await_applied(&services.detector, 4.0);
    thread::sleep(QUIET);
    assert_eq!(alerts(&installation.kafka), [alert(&installation)]);
    assert_eq!(told(&installation).len(), 1);
}

#[test]
fn a_ledger_or_positions_alone_keep_the_alerter_from_repeating() {
    let installation = Installation::create("lost-ledger");
    let mut services = installation.start_all();
    attack(&installation, &mut services);
    let told_once = told(&installation);
    assert_eq!(told_once.len(), 1);
    let mut restart = |lose: &dyn Fn()| {
        assert!(services.alerter.terminate().0.success());
        lose();
        services.alerter = installation.start("alerter", "0");
        services.alerter.wait_ready();
        thread::sleep(QUIET);
        told(&installation)
    };
    let lose_positions = || move_positions(&installation, "alerter", topic::ALERTS, &["--delete-offsets"]);
    // It reads all alerts again, and knows that they were told.
    assert_eq!(restart(&lose_positions), told_once);
    // It goes on after the alerts that were told.
    assert_eq!(restart(&|| lose_topic(&installation, topic::NOTIFICATIONS)), told_once);
    // Both: it tells again what the topic has, and the receiver knows the id.
    let again = restart(&|| {
        lose_positions();
        lose_topic(&installation, topic::NOTIFICATIONS);
    });
    assert_eq!(again.len(), 2);
    assert_eq!(
        again.iter().collect::<BTreeSet<_>>(),
        told_once.iter().collect::<BTreeSet<_>>()
    );
}

/// Reads the archive of a partition: the last offset of each of its segments, as far as nothing is wrong.
fn read_archive(installation: &Installation, place: &TopicPartition) -> Result<Vec<u64>, ReadError> {
    let store = installation.bucket.store();
    let segments = read_segments(&store, place)?;
    segments.map(|segment| Ok(segment?.0.last_offset)).collect()
}

#[test]
fn records_that_are_gone_stop_whoever_has_not_read_them() {
    let installation = Installation::create("lost-records");
    let mut services = installation.start_all();
    let place = TopicPartition::new(topic::EVENTS_SECURITY, 0);
    // Heartbeats are records too, so that every partition has some.
    let last = wait_for("a segment", PATIENCE, || {
        read_archive(&installation, &place).unwrap().pop()
    });
    assert!(services.archiver.terminate().0.success());
    thread::sleep(QUIET);
    // As after a week without an archiver, the brokers forget what it has not read.
    forget(&installation, topic::EVENTS_SECURITY);
    let error = last_words(&mut installation.start("archiver", "0"));
    assert!(error.contains("is no longer kept; the first record is"), "{error}");
    move_positions(
        &installation,
        "archiver",
        topic::EVENTS_SECURITY,
        &["--reset-offsets", "--to-earliest", "--execute"],
    );
    services.archiver = installation.start("archiver", "0");
    services.archiver.wait_ready();
    // Whoever reads the archive is told of what is missing.
    let gap = wait_for("a segment after the gap", PATIENCE, || {
        read_archive(&installation, &place).err()
    });
    assert!(
        matches!(gap, ReadError::Gap { expected, found, .. } if expected > last && found > expected),
        "{gap:?}"
    );
}

#[test]
fn state_of_nobody_knows_which_facts_is_made_anew_of_those_that_are_kept() {
    let installation = Installation::create("lost-positions");
    let mut services = installation.start_all();
    attack(&installation, &mut services);
    assert!(services.detector.terminate().0.success());
    // As after a week without a detector, the brokers forget how far it was.
    move_positions(&installation, "detector-correlate", topic::FACTS, &["--delete-offsets"]);
    let error = last_words(&mut installation.start("detector", "0"));
    assert!(
        error.contains("has state, but the group has no position in it"),
        "{error}"
    );
    lose_topic(&installation, topic::CHANGELOG);
    std::fs::remove_dir_all(installation.state_dir("0")).unwrap();
    services.detector = installation.start("detector", "0");
    services.detector.wait_ready();
    // All facts that are kept are evaluated again, and make the same alert: the same to its last byte.
    wait_for("the alert, again", PATIENCE, || {
        (alerts(&installation.kafka).len() == 2).then_some(())
    });
    assert_eq!(
        alerts(&installation.kafka),
        [alert(&installation), alert(&installation)]
    );
    // The alerter knows it.
    thread::sleep(QUIET);
    assert_eq!(told(&installation).len(), 1);
    // And what comes now belongs to the same episode.
    post_failures(&installation, &mut services.ingest, FIRING..FIRING + 4);
    await_applied(&services.detector, FIRING as f64 + 4.0);
    thread::sleep(QUIET);
    assert_eq!(alerts(&installation.kafka).len(), 2);
}

/// The events that are archived, as they would be read out of the objects.
fn archived_events(installation: &Installation) -> Vec<String> {
    let store = installation.bucket.store();
    let places = (0..PARTITIONS).map(|partition| TopicPartition::new(topic::EVENTS_SECURITY, partition));
    let segments = places.flat_map(|place| {
        read_segments(&store, &place)
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    });
    // Heartbeats have no value.
    let values = segments
        .flat_map(|(_, records)| records)
        .filter_map(|record| record.value);
    values.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn a_new_cluster_finds_in_the_archive_what_the_lost_one_found() {
    let lost = Installation::create("lost-cluster");
    let mut services = lost.start_all();
    attack(&lost, &mut services);
    wait_for("the events are archived", PATIENCE, || {
        (archived_events(&lost).len() == FIRING).then_some(())
    });
    services.each(|process| assert!(process.terminate().0.success()));
    let new = Installation::create("new-cluster");
    let mut services = new.start_all();
    new.produce(topic::RAW, 0, &archived_events(&lost), &[]);
    new.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
    // Events keep their ids, and so does the alert: whoever was told of it knows it.
    assert_eq!(told(&new), told(&lost));
    services.each(Process::expect_alive);
}
