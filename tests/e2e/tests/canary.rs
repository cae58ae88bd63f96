//! The canary: what ingest writes comes out of the alerter while everything in between works, and tells nobody.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::expect::{Events, alerts};
use e2e::log::{PATIENCE, read_all};
use e2e::pipeline::{Installation, PARTITIONS, Services};
use e2e::process::{Process, wait_for};
use e2e::receiver::{PAGERDUTY, SLACK, WEBHOOK};
use e2e::s3::now;
use event::{AlertStatus, canary, topic};

const LAST: &str = "tidewatch_canary_last_seconds";
const CAME: &str = "tidewatch_canary_seconds_count";
const WRITTEN: &str = r#"tidewatch_ingest_events_total{format="canary",outcome="accepted"}"#;

/// How long nothing may happen before a test believes that nothing will: many canaries.
const QUIET: Duration = Duration::from_secs(4);

fn at_least(process: &Process, series: &str, least: f64) {
    let reached = || (process.metric(series) >= least).then_some(());
    wait_for(&format!("{series} of {least}"), PATIENCE, reached);
}

fn seconds_now() -> f64 {
    now().since(event::Timestamp::from_millis(0)).as_secs_f64()
}

/// One in each partition at least.
fn come_through(services: &Services) {
    at_least(&services.alerter, CAME, f64::from(PARTITIONS) + 1.0);
    let age = seconds_now() - services.alerter.metric(LAST);
    println!("the newest canary that came through was written {age:.2} s ago");
    assert!((0.0..5.0).contains(&age), "{age} s ago");
    // What two alerts measure by.
    assert_eq!(services.ingest.metric("tidewatch_ingest_canary_interval_seconds"), 1.0);
    let limit = "tidewatch_detector_state_limit_bytes";
    assert_eq!(services.detector.metric(limit), f64::from(256 << 20));
}

/// While no detector runs the gauge stands still, though canaries are written; then it catches up.
fn stand_still(installation: &Installation, services: &mut Services) {
    let (status, _) = services.detector.terminate();
    assert!(status.success(), "{status}");
    // What it committed last is still on its way.
    std::thread::sleep(Duration::from_secs(1));
    let [last, came, written] = [
        (&services.alerter, LAST),
        (&services.alerter, CAME),
        (&services.ingest, WRITTEN),
    ]
    .map(|(process, series)| process.metric(series));
    std::thread::sleep(QUIET);
    assert_eq!(services.alerter.metric(LAST), last);
    assert_eq!(services.alerter.metric(CAME), came);
    assert!(services.ingest.metric(WRITTEN) >= written + 4.0);
    services.detector = installation.start("detector", "0");
    at_least(&services.alerter, LAST, last + QUIET.as_secs_f64());
}

/// Once ingest has stopped: every canary is one alert, and they went everywhere.
fn add_up(installation: &Installation, services: &mut Services) {
    let (status, _) = services.ingest.terminate();
    assert!(status.success(), "{status}");
    let events = Events::read(&installation.kafka).count();
    let canaries = events / 2;
    assert_eq!(events, canaries * 2, "each is two events");
    at_least(&services.alerter, CAME, canaries as f64);
    let told = alerts(&installation.kafka);
    assert!(
        told.iter()
            .all(|alert| (&*alert.rule_id, &*alert.tenant) == (canary::RULE, canary::TENANT))
    );
    let opened = told.iter().filter(|alert| alert.status == AlertStatus::Opened);
    let ids: BTreeSet<_> = opened.clone().map(|alert| alert.alert_id).collect();
    assert_eq!(ids.len(), canaries, "one alert for each canary");
    assert_eq!(opened.count(), canaries, "and none twice");
    assert_eq!(services.alerter.metric(CAME), canaries as f64);
    println!("{canaries} canaries, {canaries} alerts");
    for name in [topic::EVENTS_SECURITY, topic::FACTS] {
        // Heartbeats and ticks have no key.
        let records = read_all(&installation.kafka, name).into_iter();
        let of_canaries = records.filter(|(_, record)| record.key.is_some());
        let visited: BTreeSet<u32> = of_canaries.map(|(place, _)| place.partition).collect();
        assert_eq!(visited, (0..PARTITIONS).collect(), "partitions of {name}");
    }
}

#[test]
fn canaries_come_through_and_tell_nobody_and_their_absence_is_seen() {
    let mut installation = Installation::create("canary");
    installation.canary_interval = "1s";
    let mut services = installation.start_all();
    come_through(&services);
    stand_still(&installation, &mut services);
    add_up(&installation, &mut services);
    for path in [WEBHOOK, SLACK, PAGERDUTY] {
        assert!(installation.receiver.received(path).is_empty(), "{path}");
    }
    assert_eq!(read_all(&installation.kafka, topic::NOTIFICATIONS), []);
    assert_eq!(read_all(&installation.kafka, topic::DEAD_LETTERS), []);
}
