//! What several tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use archive::{FORMATS, LockMode, Policy, Segment, SegmentBuilder, Writer, tier_of};
use broker::{Record, TopicPartition};
use event::Timestamp;

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("RFC 3339")
}

pub(crate) fn security() -> TopicPartition {
    TopicPartition::new("events.security", 3)
}

pub(crate) fn writer() -> Writer {
    Writer {
        build: "0.1.0".into(),
        host: "archiver-0".into(),
    }
}

pub(crate) const POLICY: Policy = Policy {
    retention_days: 366,
    lock: Some(LockMode::Compliance),
};

pub(crate) fn record(offset: u64, value: &str) -> Record {
    Record {
        offset,
        timestamp: time("2026-01-01T00:00:00Z"),
        key: None,
        value: Some(value.to_owned().into()),
        headers: Vec::new(),
    }
}

/// The segment of these records, which begins at `first`.
pub(crate) fn segment(place: &TopicPartition, first: u64, records: &[Record]) -> Segment {
    let tier = tier_of(&place.topic).expect("an archived topic");
    let mut builder = SegmentBuilder::new(tier, FORMATS[0], place.clone(), first);
    for record in records {
        builder.add(record, Timestamp::MIN).expect("in order");
    }
    builder.finish(POLICY, &writer()).expect("at least one record")
}

/// Everything that a record of a topic can be, with its edges.
pub(crate) fn odd_records() -> Vec<Record> {
    let event = r#"{"schema_version":1,"event_id":"e-1","time":"2025-12-31T23:59:58.500Z","message":"käse \"x\"","raw":"a\nb"}"#;
    let plain = record(100, event);
    let header = |name: &str, value: &'static [u8]| (name.to_owned(), value.into());
    vec![
        Record {
            key: Some(b"\x00\x04acme\x00\x0b203.0.113.7".as_slice().into()),
            ..plain.clone()
        },
        Record {
            offset: 101,
            headers: vec![header("heartbeat", b"")],
            value: Some("{}".into()),
            ..plain.clone()
        },
        Record {
            offset: 104,
            timestamp: time("2026-01-01T00:00:02.345Z"),
            key: Some("".into()),
            value: Some(b"\xff\x00\xfe".as_slice().into()),
            headers: vec![
                header("trace", b"\x80"),
                header("trace", b"twice"),
                header("", b"nameless"),
            ],
        },
        Record {
            offset: 105,
            value: None,
            ..plain
        },
    ]
}
