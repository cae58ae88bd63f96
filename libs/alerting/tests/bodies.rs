//! What goes over the wire, byte for byte, and what the answers mean. A golden file that must change means that
//! receivers see something else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "golden files are files, and writing them is asked for by a variable"
)]

use std::path::PathBuf;
use std::time::Duration;

use alerting::{Answer, CHANNELS, Outcome, Sending, channel};
use event::{Alert, AlertId, AlertStatus, Evidence, SemanticHash, Severity, Timestamp};
use serde_json::{Value, json};

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

fn opened() -> Alert {
    Alert {
        alert_id: AlertId([0xa1; 16]),
        status: AlertStatus::Opened,
        revision: 1,
        rule_id: "brute-force".into(),
        rule_hash: SemanticHash::new("brute-force"),
        title: "Brute force attack".into(),
        message: "Brute force attack detected from 203.0.113.7".into(),
        severity: Severity::Critical,
        tags: vec!["attack.t1110".into()],
        tenant: "acme".into(),
        key: json!({"source_ip": "203.0.113.7"}).as_object().unwrap().clone(),
        opened_at: time("2026-01-01T00:00:10Z"),
        first_event_at: time("2026-01-01T00:00:00Z"),
        last_event_at: time("2026-01-01T00:00:10Z"),
        count: 11,
        events: vec![Evidence {
            topic: "events.security".into(),
            partition: 1,
            offset: 42,
            event_id: "e-1".into(),
            time: time("2026-01-01T00:00:00Z"),
            weight: 1,
        }],
        events_omitted: 10,
        merged_into: None,
    }
}

fn closed() -> Alert {
    let last_event_at = time("2026-01-01T00:07:00Z");
    Alert {
        status: AlertStatus::Closed,
        revision: 3,
        count: 1200,
        last_event_at,
        ..opened()
    }
}

/// What an attacker puts into fields that he controls.
fn hostile() -> Alert {
    let key = json!({
        "user_id": "<!channel> <@U1> *bold* `code` & <https://evil.example|your bank>",
        "user_agent": format!("\u{1b}[2J\r\nSeverity: low\u{202e}{}", "A".repeat(5000)),
        "port": 22,
    });
    Alert {
        title: "Login as <root>".into(),
        message: format!("User <!here> & {} logged in", "é".repeat(3000)),
        severity: Severity::High,
        key: key.as_object().unwrap().clone(),
        ..opened()
    }
}

fn body(kind: &str, alert: &Alert) -> Vec<u8> {
    let secret = match kind {
        "pagerduty" => "R0UT1NGKEY",
        "webhook" => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        _ => "",
    };
    let sending = Sending {
        now: time("2026-01-01T00:00:12.345Z"),
        secret,
    };
    channel(kind).unwrap().message(alert, &sending).body
}

#[test]
fn every_body_is_as_it_was() {
    for channel in CHANNELS {
        for (name, alert) in [("opened", opened()), ("closed", closed()), ("hostile", hostile())] {
            check(
                &format!("{}_{name}.json", channel.name()),
                &body(channel.name(), &alert),
            );
        }
    }
}

#[test]
fn the_folder_and_the_list_agree() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/channels");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(CHANNELS.iter().map(|channel| channel.name()).collect::<Vec<_>>(), files);
}

#[test]
fn a_webhook_carries_its_id_its_time_and_its_signature() {
    let sending = |now: &str| Sending {
        now: time(now),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    };
    let webhook = channel("webhook").unwrap();
    let first = webhook.message(&opened(), &sending("2026-01-01T00:00:12.345Z"));
    let id = format!("{}-1", "a1".repeat(16));
    let expected = [
        ("content-type", "application/json"),
        ("webhook-id", &id),
        ("webhook-timestamp", "1767225612"),
        // openssl dgst -sha256 -mac HMAC -macopt hexkey:… over `id.timestamp.body`.
        ("webhook-signature", "v1,ZO9ILxshpsFwT8Q1JSRVy6hjkn3NSH+8pUJBubJaWII="),
        ("idempotency-key", &id),
    ];
    assert_eq!(first.headers, expected.map(|(name, value)| (name, value.to_owned())));
    let again = webhook.message(&opened(), &sending("2026-01-01T00:01:00Z"));
    assert_eq!(
        (again.body, &again.headers[1]),
        (first.body, &first.headers[1]),
        "an attempt again is the same message"
    );
    assert_ne!(again.headers[3], first.headers[3]);
}

#[test]
fn no_hostile_text_reaches_a_reader_as_it_is() {
    let hostile = hostile();
    let slack = String::from_utf8(body("slack", &hostile)).unwrap();
    assert!(!slack.contains('<') && !slack.contains('>'), "{slack}");
    assert!(slack.contains("&lt;!channel&gt;"));
    for kind in ["slack", "pagerduty", "log"] {
        let body = String::from_utf8(body(kind, &hostile)).unwrap();
        for unseen in ["\\u001b", "\\r", "\\n", "\u{202e}", "\n"] {
            assert!(!body.contains(unseen), "{kind} contains {unseen:?}");
        }
        assert!(body.contains("[…]"), "{kind} marks what it cut");
        assert!(body.len() < 16_000, "{kind} is {} bytes long", body.len());
    }
}

#[test]
fn a_summary_for_pagerduty_is_never_too_long() {
    let long = Alert {
        title: "é".repeat(4000),
        ..opened()
    };
    let body: Value = serde_json::from_slice(&body("pagerduty", &long)).unwrap();
    assert_eq!(body["payload"]["summary"].as_str().unwrap().chars().count(), 1024);
    assert_eq!(body["dedup_key"].as_str().unwrap().len(), 32);
}

#[derive(Debug, PartialEq)]
enum Meaning {
    Delivered,
    Retriable(Option<u64>),
    Permanent,
}

fn meaning(kind: &str, status: u16, retry_after: Option<&str>, body: &str) -> Meaning {
    let answer = Answer {
        status,
        retry_after,
        body: body.as_bytes(),
        now: time("2026-01-01T00:00:00Z"),
    };
    match channel(kind).unwrap().outcome(&opened(), &answer) {
        Outcome::Delivered => Meaning::Delivered,
        Outcome::Retriable { retry_after, .. } => Meaning::Retriable(retry_after.as_ref().map(Duration::as_secs)),
        Outcome::Permanent { .. } => Meaning::Permanent,
    }
}

#[test]
fn answers_mean_what_the_status_says() {
    for kind in ["slack", "pagerduty", "webhook"] {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(
                meaning(kind, status, None, "x"),
                Meaning::Retriable(None),
                "{kind} {status}"
            );
        }
        for status in [101, 301, 302, 307, 400, 401, 403, 404, 410, 413, 422] {
            assert_eq!(meaning(kind, status, None, "x"), Meaning::Permanent, "{kind} {status}");
        }
        assert_eq!(meaning(kind, 429, Some("0"), ""), Meaning::Retriable(Some(1)));
        assert_eq!(
            meaning(kind, 429, Some("Thu, 01 Jan 2026 00:00:42 GMT"), ""),
            Meaning::Retriable(Some(42))
        );
        assert_eq!(meaning(kind, 503, Some("soon"), ""), Meaning::Retriable(None));
    }
}

#[test]
fn a_yes_without_the_right_words_is_no_yes() {
    let page = "<html>Please log in</html>";
    for (body, expected) in [
        ("ok", Meaning::Delivered),
        ("ok\n", Meaning::Delivered),
        ("", Meaning::Permanent),
    ] {
        assert_eq!(meaning("slack", 200, None, body), expected, "{body:?}");
    }
    for body in [r#"{"ok":false}"#, "invalid_payload", "no_service", page] {
        assert_eq!(meaning("slack", 200, None, body), Meaning::Permanent, "{body:?}");
    }
    let same = format!(
        r#"{{"status":"success","message":"Event processed","dedup_key":"{}"}}"#,
        "a1".repeat(16)
    );
    assert_eq!(meaning("pagerduty", 202, None, &same), Meaning::Delivered);
    assert_eq!(
        meaning("pagerduty", 202, None, r#"{"status":"success"}"#),
        Meaning::Delivered
    );
    for body in [
        r#"{"status":"success","dedup_key":"other"}"#,
        r#"{"status":"invalid event"}"#,
        "",
        page,
    ] {
        assert_eq!(meaning("pagerduty", 202, None, body), Meaning::Permanent, "{body:?}");
    }
    assert_eq!(meaning("webhook", 204, None, ""), Meaning::Delivered);
}

#[test]
fn a_reason_quotes_little_and_nothing_unseen() {
    let body = format!("no\u{1b}[2J{}", "x".repeat(1000));
    let answer = Answer {
        status: 404,
        retry_after: None,
        body: body.as_bytes(),
        now: Timestamp::default(),
    };
    let Outcome::Permanent { reason } = answer.outcome() else {
        panic!("404 is permanent")
    };
    assert!(
        reason.starts_with("answered 404: no�[2Jxxx") && reason.chars().count() < 220,
        "{reason}"
    );
}
