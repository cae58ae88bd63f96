//! The encodings, byte for byte. A golden file that must change means a new version of its form.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "golden files are read, and written on demand")]

use std::borrow::Cow;
use std::path::PathBuf;

use event::{
    Alert, AlertId, AlertStatus, DeadLetter, Event, Evidence, Fact, FactEntry, FactRecord, FieldValue, Key, Level, Raw,
    Reason, SemanticHash, Severity, Source, SourcePartition, SourceTopic, StateChange, Tick, Tier, Timestamp,
};

/// Compares with the golden file; `GOLDEN=write` writes it, which is a decision and never automatic.
fn check(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&path, bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        golden == bytes,
        "{name} changed:\n{}\n{}",
        String::from_utf8_lossy(&golden),
        String::from_utf8_lossy(bytes)
    );
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn full_event() -> Event {
    let metadata = serde_json::json!({"new_role": "admin", "target_id": "u-2", "limit": {"per_minute": 5}, "a.b": 1});
    Event {
        schema_version: Event::SCHEMA_VERSION,
        event_id: "e-1".into(),
        time: time("2026-01-01T00:00:00.123Z"),
        ingest_time: time("2026-01-01T00:00:01Z"),
        time_suspect: true,
        tenant: "acme".into(),
        service: "security".into(),
        level: Level::Warn,
        message: "role changed".into(),
        security_event: Some("role_changed".into()),
        severity: Severity::High,
        user_id: Some("u-1".into()),
        user_email: Some("u@example.org".into()),
        user_role: Some("admin".into()),
        session_id: Some("s-1".into()),
        source_ip: Some("203.0.113.7".into()),
        user_agent: Some("curl/8".into()),
        audit: true,
        action: Some("update".into()),
        resource_type: Some("user".into()),
        resource_id: Some("u-2".into()),
        success: Some(true),
        error_message: Some("none".into()),
        metadata: metadata.as_object().unwrap().clone(),
        trace_id: Some("550e8400-e29b-41d4-a716-446655440000".into()),
        span_id: Some("00f067aa0ba902b7".into()),
        tags: vec!["new_device_login".into()],
        repeat: 3,
        format: "logtide".into(),
        raw: Raw::new(b"{\"x\":1}\n"),
    }
}

fn small_event() -> Event {
    Event {
        event_id: "e-2".into(),
        time: time("2026-01-01T00:00:00Z"),
        ingest_time: time("2026-01-01T00:00:00Z"),
        tenant: event::DEFAULT_TENANT.into(),
        service: "nginx".into(),
        message: "GET /".into(),
        format: "combined".into(),
        raw: Raw::new(b"\xff\x00"),
        ..Event::default()
    }
}

#[test]
fn events() {
    for (name, event) in [("event_full.json", full_event()), ("event_small.json", small_event())] {
        let bytes = event.encode();
        check(name, &bytes);
        assert_eq!(Event::decode(&bytes).unwrap(), event);
    }
    assert_eq!(small_event().raw.bytes(), Some(Cow::Borrowed(&b"\xff\x00"[..])));
    let newer = String::from_utf8(small_event().encode())
        .unwrap()
        .replace("\"schema_version\":1", "\"schema_version\":2");
    assert_eq!(
        Event::decode(newer.as_bytes()).unwrap_err().to_string(),
        "event of unknown version 2"
    );
}

#[test]
fn tiers_and_keys() {
    let mut event = full_event();
    assert_eq!(
        (event.tier(), event.key()),
        (Tier::Audit, Key::new("acme", ["203.0.113.7"]))
    );
    event.audit = false;
    event.source_ip = None;
    assert_eq!((event.tier(), event.key()), (Tier::Security, Key::new("acme", ["u-1"])));
    assert_eq!(
        (small_event().tier(), small_event().key()),
        (Tier::Access, Key::new("default", ["e-2"]))
    );
}

#[test]
fn fields() {
    let event = full_event();
    let text = |name: &str| event.field(name).map(|value| value.to_string());
    assert_eq!(text("user_id").as_deref(), Some("u-1"));
    assert_eq!(text("metadata.user_id"), None, "`metadata.x` is literal");
    assert_eq!(
        text("target_id").as_deref(),
        Some("u-2"),
        "a bare name falls through to metadata"
    );
    assert_eq!(text("metadata.new_role").as_deref(), Some("admin"));
    assert_eq!(text("limit.per_minute").as_deref(), Some("5"));
    assert_eq!(text("a.b").as_deref(), Some("1"), "a flat key wins over a path");
    assert_eq!(text("limit"), None, "an object has no value of its own");
    assert_eq!(event.field("success"), Some(FieldValue::Bool(true)));
}

fn fact() -> Fact {
    let partition = SourcePartition {
        topic: SourceTopic::Security,
        partition: 2,
    };
    Fact {
        rule: SemanticHash::new("a rule"),
        level: 0,
        side: 1,
        key: Key::new("acme", ["203.0.113.7"]),
        names: vec!["source_ip".into(), "attempts".into(), "success".into(), "score".into()],
        entries: vec![
            FactEntry {
                time: time("2026-01-01T00:00:00.123Z"),
                source: Source { partition, offset: 300 },
                event_id: "e-1".into(),
                weight: 5,
                values: vec![
                    Some("203.0.113.7".into()),
                    Some(FieldValue::Integer(-7)),
                    Some(FieldValue::Bool(true)),
                    Some(FieldValue::Float(0.5)),
                ],
            },
            FactEntry {
                time: time("1969-12-31T23:59:59Z"),
                source: Source { partition, offset: 301 },
                event_id: "e-2".into(),
                weight: 1,
                values: vec![Some("203.0.113.7".into()), None, None, None],
            },
        ],
    }
}

#[test]
fn facts_and_ticks() {
    let tick = Tick {
        level: 0,
        rule_set: SemanticHash::new("a set"),
        watermarks: vec![
            (
                SourcePartition {
                    topic: SourceTopic::Audit,
                    partition: 0,
                },
                time("2026-01-01T00:00:00Z"),
            ),
            (
                SourcePartition {
                    topic: SourceTopic::Access,
                    partition: 7,
                },
                Timestamp::MIN,
            ),
        ],
    };
    for (name, record) in [
        ("fact.bin", FactRecord::Fact(fact())),
        ("tick.bin", FactRecord::Tick(tick)),
    ] {
        let bytes = record.encode();
        check(name, &bytes);
        assert_eq!(FactRecord::decode(&bytes).unwrap(), record);
        for length in 0..bytes.len() {
            assert!(
                FactRecord::decode(&bytes[..length]).is_err(),
                "{name} cut to {length} bytes was read"
            );
        }
    }
    assert_eq!(
        FactRecord::decode(&[9, 0, 0]).unwrap_err().to_string(),
        "fact record of unknown version 9"
    );
}

#[test]
fn fact_values_by_name() {
    let fact = fact();
    assert_eq!(fact.value(&fact.entries[0], "attempts"), Some(&FieldValue::Integer(-7)));
    assert_eq!(fact.value(&fact.entries[1], "attempts"), None);
    assert_eq!(fact.value(&fact.entries[0], "nothing"), None);
}

#[test]
fn state_changes() {
    let change = StateChange {
        key: (*b"key").into(),
        value: Some((*b"value").into()),
    };
    let bytes = change.encode_value().unwrap();
    check("state_change.bin", &bytes);
    assert_eq!(StateChange::decode(b"key", Some(&bytes)).unwrap(), change);
    assert!(
        StateChange::decode(b"kez", Some(&bytes)).is_err(),
        "the checksum binds the value to its key"
    );
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(
            StateChange::decode(b"key", Some(&flipped)).is_err(),
            "a flipped bit in byte {at} was not seen"
        );
    }
    assert_eq!(
        StateChange::decode(b"key", None).unwrap(),
        StateChange {
            key: (*b"key").into(),
            value: None
        }
    );
}

#[test]
fn alerts() {
    let key = Key::new("acme", ["203.0.113.7"]);
    let rule = SemanticHash::new("a rule");
    let opened_at = time("2026-01-01T00:00:10Z");
    let alert = Alert {
        alert_id: AlertId::new("acme", "brute-force", rule, &key, "e-11", opened_at),
        status: AlertStatus::Closed,
        revision: 3,
        rule_id: "brute-force".into(),
        rule_hash: rule,
        title: "Brute force".into(),
        message: "Brute force attack detected from 203.0.113.7".into(),
        severity: Severity::High,
        tags: vec!["attack.t1110".into()],
        tenant: "acme".into(),
        key: serde_json::json!({"source_ip": "203.0.113.7"})
            .as_object()
            .unwrap()
            .clone(),
        opened_at,
        first_event_at: time("2026-01-01T00:00:00Z"),
        last_event_at: time("2026-01-01T00:01:00Z"),
        count: 1001,
        events: vec![Evidence {
            topic: "events.security".into(),
            partition: 1,
            offset: 42,
            event_id: "e-1".into(),
            time: time("2026-01-01T00:00:00Z"),
            weight: 2,
        }],
        events_omitted: 999,
        merged_into: Some(AlertId([7; 16])),
    };
    let bytes = alert.encode();
    check("alert.json", &bytes);
    assert_eq!(Alert::decode(&bytes).unwrap(), alert);
}

#[test]
fn dead_letters() {
    let letter = DeadLetter {
        time: time("2026-01-01T00:00:00Z"),
        tenant: "default".into(),
        reason: Reason::Malformed,
        detail: "line 1 column 3: expected a colon".into(),
        origin: "raw/0@17".into(),
        format: Some("json".into()),
        raw: Raw::new(b"{\"a\"\xff"),
    };
    let bytes = letter.encode();
    check("dead_letter.json", &bytes);
    assert_eq!(DeadLetter::decode(&bytes).unwrap(), letter);
}
