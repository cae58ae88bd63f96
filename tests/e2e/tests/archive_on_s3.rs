//! The archiver on a real S3 with Object Lock: what it commits is there, locked as its tier says, and found again by
//! an archiver that knows nothing of the first.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use archive::{LockMode, ObjectStore, Retention, TIERS, Writer, read_segments};
use archiver::{Archiver, Settings, topics};
use broker::memory::{Keep, Log};
use broker::{Output, Publisher as _, Reader as _, TopicPartition};
use e2e::s3::{Bucket, now};
use event::topic;
use objects::S3;
use service::health::Health;
use service::metrics::Metrics;

const RECORDS: usize = 25;

fn log() -> Log {
    let log = Log::new(now);
    for name in topics() {
        log.create_topic(name, 1, Keep::All);
        for at in 0..RECORDS {
            let value = Some(format!("{{\"time\":\"2026-01-01T00:00:00Z\",\"at\":{at}}}").into());
            let output = Output {
                topic: name.into(),
                partition: 0,
                key: None,
                value,
                headers: Vec::new(),
            };
            log.publish(vec![output], Box::new(|done| assert!(done.is_ok())))
                .unwrap();
        }
    }
    log.create_topic(topic::MANIFESTS, 1, Keep::All);
    log
}

/// Archives everything as a member of `group`, in segments of `records`; returns what it counted.
fn archive_all(log: &Log, bucket: &Bucket, group: &str, records: u64) -> String {
    let mut settings = Settings::new(
        Some(LockMode::Governance),
        Writer {
            build: "0".into(),
            host: group.into(),
        },
    );
    settings.limits.records_max = records;
    settings.poll_wait = Duration::ZERO;
    if let Some(audit) = settings.policies.get_mut("audit") {
        audit.lock = Some(LockMode::Compliance);
    }
    let session = log.session(group, group, &topics()).unwrap().with_batch_records_max(5);
    let (metrics, health) = (Metrics::new(), Health::default());
    let readiness = health.readiness("archiver");
    let mut archiver: Archiver<_, S3> =
        Archiver::new(session, bucket.store(), settings, Box::new(now), &metrics, readiness);
    let steps = std::cell::Cell::new(0);
    archiver
        .run(|| {
            steps.set(steps.get() + 1);
            steps.get() > 150
        })
        .unwrap();
    assert_eq!(health.unready(), []);
    for name in topics() {
        let committed = log.committed(group, &TopicPartition::new(name, 0));
        assert_eq!(committed, Some(RECORDS as u64), "{name}");
    }
    metrics.encode().unwrap()
}

#[test]
fn everything_is_there_locked_and_found_again() {
    let bucket = Bucket::create("archive", true);
    let log = log();
    let counted = archive_all(&log, &bucket, "first", 10);
    assert!(
        counted.contains("tidewatch_archive_puts_total{outcome=\"created\"} 15"),
        "{counted}"
    );
    let store = bucket.store();
    let objects = store.list("tier=").unwrap();
    assert_eq!(objects.len(), 15);
    for tier in TIERS {
        let place = TopicPartition::new(tier.topics[0], 0);
        let mode = if tier.name == "audit" {
            LockMode::Compliance
        } else {
            LockMode::Governance
        };
        let mut archived = Vec::new();
        for segment in read_segments(&store, &place).unwrap() {
            let (manifest, records) = segment.unwrap();
            archived.extend(records);
            let lock = Some(Retention {
                mode,
                until: manifest.retain_until,
            });
            assert!(manifest.retain_until > now().plus(Duration::from_secs(89 * 86_400)));
            for name in [manifest.key.clone(), manifest.name()] {
                assert_eq!(store.head(&name, None).unwrap().unwrap().retention, lock, "{name}");
            }
        }
        let mut reader = log.session("reader", "reader", &[]).unwrap();
        assert_eq!(archived, reader.read(&place, 0).unwrap().records, "{place}");
    }
    // The positions are lost, and the limits are others: nothing is written a second time.
    let counted = archive_all(&log, &bucket, "second", 15);
    assert!(
        counted.contains("tidewatch_archive_puts_total{outcome=\"adopted\"} 15"),
        "{counted}"
    );
    assert!(
        counted.contains("tidewatch_archive_puts_total{outcome=\"created\"} 0"),
        "{counted}"
    );
    assert_eq!(store.list("tier=").unwrap(), objects);
}
