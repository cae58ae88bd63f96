#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Event, FieldValue, Reason, Tier, Timestamp};
use serde_json::{Value, json};

use super::Note;
use crate::{Choice, Context, Decoded, Limits, Rejection};

fn ingest_time() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:10Z").unwrap()
}

fn context() -> Context<'static> {
    Context::new("acme", ingest_time())
}

fn decode_in(entry: &Value, context: &Context) -> Result<Decoded, Rejection> {
    Choice::Auto.decode(entry.to_string().as_bytes(), context)
}

fn decode(entry: &Value) -> Decoded {
    decode_in(entry, &context()).unwrap()
}

/// The fields named in `expected` are so; a null says that there is none.
fn check(entry: &Value, expected: Value, notes: &[Note]) -> Event {
    let decoded = decode(entry);
    let written = serde_json::to_value(&decoded.event).unwrap();
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(written.get(name).unwrap_or(&Value::Null), expected, "{name} of {entry}");
    }
    let untimed = [Note::TimeMissing];
    let found: Vec<Note> = decoded
        .notes
        .into_iter()
        .filter(|note| !untimed.contains(note))
        .collect();
    assert_eq!(found, notes, "{entry}");
    decoded.event
}

#[test]
fn rule_1_metadata_fills_what_is_absent_and_overwrites_nothing() {
    let metadata = json!({"user_id": "u-1", "source_ip": "203.0.113.7", "audit": true});
    check(
        &json!({"service": "api", "level": "info", "message": "m", "metadata": metadata}),
        json!({"user_id": "u-1", "source_ip": "203.0.113.7", "audit": true, "metadata": metadata}),
        &[],
    );
    let forged =
        json!({"user_id": "victim", "severity": "low", "security_event": "harmless", "source_ip": "198.51.100.1"});
    check(
        &json!({"user_id": "u-1", "severity": "critical", "security_event": "login_failed", "source_ip": "no address", "metadata": forged}),
        json!({"user_id": "u-1", "severity": "critical", "security_event": "login_failed", "source_ip": null}),
        &[Note::MetadataShadowed, Note::SourceUnreadable],
    );
    check(
        &json!({"message": "m", "user_agent": {"original": "curl"}, "metadata": {"user_agent": "forged"}}),
        json!({"user_agent": null, "metadata": {"user_agent": {"original": "curl"}}}),
        &[Note::MetadataShadowed],
    );
    check(
        &json!({"message": "m", "metadata": {"event_id": "e-1", "repeat": 1000, "event": "clicked", "timestamp": 1}}),
        json!({"event_id": "", "repeat": null, "security_event": null, "time": "2026-01-01T00:00:10.000Z"}),
        &[],
    );
}

#[test]
fn rule_2_a_call_with_title_and_data_is_put_right() {
    let data = json!({"security_event": "login_failed", "severity": "medium", "user_id": "u-1", "source_ip": "203.0.113.7", "reason": "password"});
    let expected = json!({
        "service": "security", "message": "SECURITY: login_failed", "security_event": "login_failed", "severity": "medium",
        "user_id": "u-1", "source_ip": "203.0.113.7", "level": "warn",
    });
    let global = json!({"service": "security", "env": "prod"});
    let entry = json!({"service": "SECURITY: login_failed", "level": "warn", "message": data, "metadata": global, "time": "2026-01-01T00:00:00.123Z"});
    let event = check(&entry, expected.clone(), &[Note::CallRepaired]);
    assert_eq!(
        (event.field("reason"), event.field("env")),
        (Some("password".into()), Some("prod".into()))
    );
    let over =
        json!({"service": "SECURITY: x", "level": "warn", "message": {"env": "test"}, "metadata": {"env": "prod"}});
    assert_eq!(
        decode(&over).event.metadata["env"],
        "test",
        "the SDK lays a call's data over its global metadata"
    );
    let bare = json!({"service": "SECURITY: login_failed", "level": "warn", "message": data, "metadata": {}});
    check(&bare, expected, &[Note::CallRepaired]);
    check(
        &json!({"service": "SECURITY: login_failed", "level": "warn", "message": "by password", "metadata": {}}),
        json!({"service": "security", "message": "by password", "security_event": "login_failed"}),
        &[Note::CallRepaired],
    );
    check(
        &json!({"service": "api", "level": "info", "message": {"security_event": "logout"}}),
        json!({"service": "api", "message": "logout", "security_event": "logout"}),
        &[Note::CallRepaired],
    );
    check(
        &json!({"service": "SECURITY: two words", "level": "info", "message": "m"}),
        json!({"service": "security", "security_event": null}),
        &[Note::CallRepaired],
    );
    check(
        &json!({"service": "api", "level": "info", "message": "m", "metadata": {"service": "security"}}),
        json!({"service": "api", "message": "m", "metadata": {"service": "security"}}),
        &[Note::MetadataShadowed],
    );
    check(
        &json!({"metadata": {"service": "security", "message": "m"}}),
        json!({"service": "security", "message": "m"}),
        &[],
    );
}

#[test]
fn rule_3_a_bare_name_is_canonical_else_of_metadata() {
    let entry = json!({"message": "m", "target_id": "u-2", "new_role": null, "metadata": {"new_role": "admin", "target_id": "forged"}});
    let event = decode(&entry).event;
    assert_eq!(
        event.field("target_id"),
        Some("u-2".into()),
        "what stands beside the canonical fields wins"
    );
    assert_eq!(event.field("metadata.target_id"), Some("u-2".into()));
    assert_eq!(event.field("new_role"), Some("admin".into()), "a null is nothing");
    let entry =
        json!({"message": "m", "metadata": {"new_role": "admin", "hour": 23}, "tenant_name": "x", "format": "pdf"});
    let event = decode(&entry).event;
    assert_eq!(event.field("metadata.new_role"), Some("admin".into()));
    assert_eq!(event.field("hour"), Some(FieldValue::Integer(23)));
    assert_eq!(event.field("tenant_name"), Some("x".into()));
    assert_eq!(
        (event.format.as_str(), event.field("metadata.format")),
        ("json", Some("pdf".into()))
    );
}

#[test]
fn rule_4_other_names_of_the_fields() {
    let entry = json!({
        "event": "login_failed", "userId": 42, "ip": "203.0.113.7", "userAgent": "curl/8", "userEmail": "u@example.org", "userRole": "admin",
        "sessionId": "s-1", "resourceType": "user", "resourceId": 7, "errorMessage": "no", "eventId": "e-1", "traceId": "t-1",
        "spanId": "00f067aa0ba902b7", "timestamp": "2026-01-01T00:00:00Z",
    });
    let expected = json!({
        "security_event": "login_failed", "user_id": "42", "source_ip": "203.0.113.7", "user_agent": "curl/8", "user_email": "u@example.org",
        "user_role": "admin", "session_id": "s-1", "resource_type": "user", "resource_id": "7", "error_message": "no", "event_id": "e-1",
        "trace_id": "t-1", "span_id": "00f067aa0ba902b7", "time": "2026-01-01T00:00:00.000Z", "service": "security", "metadata": null,
    });
    check(&entry, expected, &[]);
    for entry in [
        json!({"userId": "b", "user_id": "a", "message": "m"}),
        json!({"user_id": "a", "userId": "b", "message": "m"}),
    ] {
        check(
            &entry,
            json!({"user_id": "a", "metadata": {"userId": "b"}}),
            &[Note::MetadataShadowed],
        );
    }
    check(
        &json!({"message": "m", "metadata": {"userId": "a", "ip": "203.0.113.7"}}),
        json!({"user_id": "a", "source_ip": "203.0.113.7"}),
        &[],
    );
    check(
        &json!({"message": "m", "event": {"action": "x"}}),
        json!({"security_event": null, "metadata": {"event": {"action": "x"}}}),
        &[],
    );
    check(
        &json!({"message": "m", "user_id": "", "userId": "a"}),
        json!({"user_id": "a"}),
        &[],
    );
}

#[test]
fn rule_5_severity_and_level() {
    let cases = [
        (json!({"level": "critical"}), "critical", "high"),
        (json!({"level": "ERROR"}), "error", "high"),
        (json!({"level": "warning"}), "warn", "medium"),
        (json!({"level": "fatal", "severity": "Low"}), "critical", "low"),
        (json!({"level": 50}), "error", "high"),
        (json!({}), "info", "low"),
    ];
    for (entry, level, severity) in cases {
        check(&entry, json!({"level": level, "severity": severity}), &[]);
    }
    check(
        &json!({"level": "error", "severity": "sev1"}),
        json!({"level": "error", "severity": "high", "metadata": {"severity": "sev1"}}),
        &[Note::SeverityUnknown],
    );
    check(
        &json!({"level": "loud"}),
        json!({"level": "info", "metadata": {"level": "loud"}}),
        &[Note::LevelUnknown],
    );
}

#[test]
fn rule_6_long_texts_are_cut_with_a_mark() {
    let limits = Limits {
        string: 64,
        ..Limits::default()
    };
    let context = Context { limits, ..context() };
    let long = "é".repeat(40);
    let entry = json!({"message": long, "tags": ["t", long], "user_agent": "x".repeat(64), "deep": [{"a": long}], "event_id": "e"});
    let decoded = decode_in(&entry, &context).unwrap();
    let cut = format!("{}…[truncated]", "é".repeat(25));
    let event = &decoded.event;
    assert_eq!(event.message, cut);
    assert_eq!(event.tags, ["t", cut.as_str()]);
    assert_eq!(
        event.user_agent.as_deref().map(str::len),
        Some(64),
        "what fits is whole"
    );
    assert_eq!(event.metadata["deep"][0]["a"], cut);
    assert_eq!(
        event.metadata["_truncated"],
        json!(["message", "tags", "metadata.deep"])
    );
    assert!(decoded.notes.contains(&Note::Truncated));
    assert_eq!(
        event.raw.bytes().unwrap(),
        entry.to_string().as_bytes(),
        "the bytes as they came are whole"
    );

    let long_id = json!({"message": "m", "event_id": "e".repeat(257)});
    let rejection = decode_in(&long_id, &context).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (Reason::Invalid, "`event_id` is longer than 256 bytes")
    );
}

#[test]
fn rule_7_the_tier() {
    let cases = [
        (json!({"message": "m"}), Tier::Access),
        (
            json!({"message": "m", "security_event": "login_failed"}),
            Tier::Security,
        ),
        (
            json!({"message": "m", "metadata": {"security_event": "login_failed"}}),
            Tier::Security,
        ),
        (
            json!({"message": "m", "security_event": "role_changed", "audit": true}),
            Tier::Audit,
        ),
        (json!({"message": "m", "metadata": {"audit": "true"}}), Tier::Audit),
        (
            json!({"message": "m", "audit": "perhaps", "metadata": {"audit": true}}),
            Tier::Access,
        ),
    ];
    for (entry, tier) in cases {
        assert_eq!(decode(&entry).event.tier(), tier, "{entry}");
    }
}

#[test]
fn rule_8_two_clocks() {
    let cases = [
        (
            json!("2026-01-01T00:00:00.000Z"),
            "2026-01-01T00:00:00.000Z",
            true,
            None,
        ),
        (json!("2025-12-31T00:00:00Z"), "2025-12-31T00:00:00.000Z", false, None),
        (json!("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00.000Z", false, None),
        (json!("2026-01-01T00:05:10Z"), "2026-01-01T00:05:10.000Z", false, None),
        (
            json!("2026-01-01T00:05:10.001Z"),
            "2026-01-01T00:05:10.001Z",
            true,
            Some(Note::TimeAhead),
        ),
        (
            json!("2099-01-01T00:00:00Z"),
            "2099-01-01T00:00:00.000Z",
            false,
            Some(Note::TimeAhead),
        ),
        (
            json!("2026-02-30T00:00:00Z"),
            "2026-01-01T00:00:10.000Z",
            false,
            Some(Note::TimeUnreadable),
        ),
        (
            json!(["x"]),
            "2026-01-01T00:00:10.000Z",
            false,
            Some(Note::TimeUnreadable),
        ),
        (json!(null), "2026-01-01T00:00:10.000Z", false, Some(Note::TimeMissing)),
        (json!(1_767_225_600_123_u64), "2026-01-01T00:00:00.123Z", true, None),
    ];
    for (time, expected, identifiable, note) in cases {
        let decoded = decode(&json!({"message": "m", "time": time}));
        assert_eq!(decoded.event.time.to_string(), expected, "{time}");
        assert_eq!(decoded.event.ingest_time, ingest_time());
        assert_eq!(decoded.event.time_suspect, note.is_some(), "{time}");
        assert_eq!(decoded.identifiable, identifiable, "{time}");
        assert_eq!(decoded.notes, Vec::from_iter(note), "{time}");
    }
    assert!(decode(&json!({"message": "m", "event_id": "e-1"})).identifiable);
}

#[test]
fn the_tenant_is_that_of_the_credential() {
    let event = check(
        &json!({"message": "m", "tenant": "other"}),
        json!({"tenant": "acme"}),
        &[Note::TenantIgnored],
    );
    assert_eq!(event.metadata["tenant"], "other", "what was claimed stays to be seen");
    check(
        &json!({"message": "m", "tenant": "acme"}),
        json!({"tenant": "acme"}),
        &[],
    );
}

#[test]
fn addresses_have_one_spelling() {
    let cases = [
        ("203.0.113.7", json!("203.0.113.7"), None),
        ("::ffff:1.2.3.4", json!("1.2.3.4"), None),
        ("1.2.3.4:80", json!("1.2.3.4"), None),
        ("fe80::1%eth0", json!("fe80::1"), None),
        ("0177.0.0.1", Value::Null, Some(Note::SourceUnreadable)),
        ("300.1.1.1", Value::Null, Some(Note::SourceUnreadable)),
        ("10.0.0.0/8", Value::Null, Some(Note::SourceUnreadable)),
    ];
    for (written, expected, note) in cases {
        let original = if expected == written {
            Value::Null
        } else {
            json!({"source_ip_original": written})
        };
        let entry = json!({"message": "m", "source_ip": written});
        check(
            &entry,
            json!({"source_ip": expected, "metadata": original}),
            note.as_slice(),
        );
    }
}
