//! How long the brokers keep what is to be archived: asked of them, for an operator may have changed it.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::time::Duration;

use broker::Error;
use e2e::log::{PATIENCE, installation};
use e2e::pipeline::Installation;
use e2e::process::wait_for;
use event::topic::{ALERTS, CHANGELOG, EVENTS_SECURITY, FACTS};
use kafka::topics::{Retention, retention};
use kafka::{KafkaSettings, topics};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

const DAY: Duration = Duration::from_hours(24);

/// Makes these entries the whole configuration of a topic, as an operator can.
fn configure(settings: &KafkaSettings, topic: &str, entries: &[(&str, &str)]) {
    let name = format!("{}{topic}", settings.prefix);
    let config = AlterConfig::new(ResourceSpecifier::Topic(&name));
    let config = entries
        .iter()
        .fold(config, |config, (key, value)| config.set(key, value));
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .create()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let altered = runtime.block_on(admin.alter_configs([&config], &AdminOptions::new()));
    altered.unwrap()[0].as_ref().unwrap();
}

/// What is altered is committed, and brokers take it up a moment later.
fn await_kept(settings: &KafkaSettings, topic: &'static str, kept: Retention) {
    let is_so = || retention(settings, &[topic]).unwrap() == [(topic, kept)];
    wait_for(&format!("{topic} keeps {kept:?}"), PATIENCE, || is_so().then_some(()));
}

fn after(time: impl Into<Option<Duration>>) -> Retention {
    Retention {
        time: time.into(),
        bytes: None,
    }
}

#[test]
fn it_is_what_an_operator_made_of_it() {
    let settings = installation("retention", 1);
    let all = retention(&settings, &[EVENTS_SECURITY, ALERTS, CHANGELOG]).unwrap();
    let kept = [
        (EVENTS_SECURITY, after(DAY * 7)),
        (ALERTS, after(DAY * 30)),
        // What is compacted does not age.
        (CHANGELOG, after(None)),
    ];
    assert_eq!(all, kept);
    let becomes = |entries: &[(&str, &str)], kept| {
        configure(&settings, EVENTS_SECURITY, entries);
        await_kept(&settings, EVENTS_SECURITY, kept);
    };
    let bounded = Retention {
        time: Some(Duration::from_hours(1)),
        bytes: Some(1_000_000),
    };
    becomes(&[("retention.ms", "3600000"), ("retention.bytes", "1000000")], bounded);
    // For ever.
    becomes(&[("retention.ms", "-1")], after(None));
    // The brokers' own default.
    becomes(&[], after(DAY * 7));
    let missing = retention(&settings, &["nowhere"]);
    assert!(matches!(missing, Err(Error::Misconfigured(_))), "{missing:?}");
    assert_eq!(
        topics::verify(&settings, 1, 1).unwrap().len(),
        2,
        "`topics verify` would have told"
    );
}

#[test]
fn the_archiver_shows_it_by_tier() {
    let installation = Installation::create("retention-shown");
    configure(&installation.kafka, FACTS, &[("retention.ms", "5400000")]);
    await_kept(&installation.kafka, FACTS, after(Duration::from_secs(5400)));
    let archiver = installation.start("archiver", "0");
    let shown = |series: &str| {
        wait_for(series, PATIENCE, || {
            let is_serving = !archiver.logged("started").is_empty();
            Some(if is_serving { archiver.metric(series) } else { 0.0 }).filter(|value| *value > 0.0)
        })
    };
    let kept = |tier: &str, topic: &str| {
        shown(&format!(
            "tidewatch_archive_topic_retention_seconds{{tier=\"{tier}\",topic=\"{topic}\"}}"
        ))
    };
    assert_eq!(kept("facts", FACTS), 5400.0);
    assert_eq!(kept("security", EVENTS_SECURITY), (DAY * 7).as_secs_f64());
    assert_eq!(kept("alerts", ALERTS), (DAY * 30).as_secs_f64());
    assert_eq!(shown("tidewatch_archive_segment_age_max_seconds"), 5.0);
}
