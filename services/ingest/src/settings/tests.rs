#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use secrecy::ExposeSecret as _;
use service::settings::{Loaded, Problems, Sources, Tree, describe, read};

use super::IngestSettings;

fn load(yaml: &str) -> Result<Loaded<IngestSettings>, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidewatch.yaml");
    std::fs::write(&file, yaml).unwrap();
    let tree = Tree::load(&Sources {
        file: Some(file),
        variables: Vec::new(),
    })?;
    read(&tree, |root| root.section("ingest", "the doors", IngestSettings::read))
}

#[test]
fn what_is_written_is_read() {
    let loaded = load(
        r#"
ingest:
  http: {listen: "127.0.0.1:8081", body_bytes: 10MiB, receipt_window: 5m}
  api_keys:
    shop: {secret: 0123456789abcdef, tenant: acme}
    web: {secret: fedcba9876543210}
  topics:
    - {topic: raw}
    - {topic: nginx-logs, format: combined, tenant: acme, service: shop, zone: Europe/Berlin}
  topic_workers: 2
  canary: {interval: 0s}
  limits: {record_bytes: 64KiB}
"#,
    );
    let settings = loaded.unwrap().settings;
    assert_eq!(settings.http.listen, ([127, 0, 0, 1], 8081).into());
    assert_eq!(settings.http.body_bytes, 10 << 20);
    assert_eq!(settings.http.receipt_window, Duration::from_mins(5));
    assert_eq!(settings.topic_workers, 2);
    assert_eq!(settings.canary_interval, Duration::ZERO);
    assert_eq!(settings.limits.record, 64 << 10);
    let keys: Vec<_> = settings
        .api_keys
        .iter()
        .map(|key| (key.secret.expose_secret(), key.tenant.as_str()))
        .collect();
    assert_eq!(keys, [("0123456789abcdef", "acme"), ("fedcba9876543210", "default")]);
    let topics: Vec<_> = settings
        .topics
        .iter()
        .map(|topic| (topic.topic.as_str(), topic.format.name(), topic.tenant.as_str()))
        .collect();
    assert_eq!(topics, [("raw", "auto", "default"), ("nginx-logs", "combined", "acme")]);
}

#[test]
fn nothing_written_reads_raw_and_warns_that_nobody_may_send() {
    let loaded = load("").unwrap();
    assert_eq!(loaded.settings.topics[0].topic, "raw");
    assert_eq!(loaded.settings.heartbeat_interval, Duration::from_secs(1));
    assert_eq!(loaded.settings.canary_interval, Duration::from_mins(1));
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("refuses every request"), "{warnings:?}");
}

#[test]
fn all_mistakes_come_at_once() {
    let problems = load(
        r#"
ingest:
  http: {connections: 0, body_timeout: 5}
  api_keys:
    a: {secret: 0123456789abcdef, tenant: acme}
    b: {secret: 0123456789abcdef, tenant: globex}
    c: {tenant: acme}
    d: {secret: 0123456789abcdeg, tenant: Tidewatch-Canary}
  topics:
    - {topic: events.audit}
    - {topic: x, format: nonsense, zone: Mars/Olympus}
    - {topic: x}
  canary: {interval: 100ms}
  heartbeat: 1s
"#,
    )
    .unwrap_err()
    .to_string();
    for place in [
        "ingest.http.connections",
        "ingest.http.body_timeout",
        "ingest.api_keys: two keys have the same secret",
        "ingest.api_keys.c.secret",
        "ingest.api_keys.d.tenant: is the tenant of Tidewatch's own canaries",
        "ingest.canary.interval: must be from 1s to 1h, or 0s for none",
        "ingest.topics[0].topic: is written by Tidewatch itself",
        "ingest.topics[1].format: must be one of auto, logtide, windows, json, sshd, combined, found the text \"nonsense\"",
        "ingest.topics[1].zone: `Mars/Olympus`",
        "ingest.topics: x is named twice",
        "ingest.heartbeat: unknown key",
    ] {
        assert!(problems.contains(place), "{place} is not in\n{problems}");
    }
    assert!(!problems.contains("0123456789abcdef"), "no secret is shown\n{problems}");
}

#[test]
fn every_key_is_described() {
    let keys = describe(IngestSettings::read);
    assert!(keys.len() > 15, "{}", keys.len());
}
