//! How the services as processes stand what happens to them: how fast they are, what they answer to bad input, what a
//! restart costs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::brute_force::{alert, failure};
use e2e::expect::alerts;
use e2e::log::{PATIENCE, read_all};
use e2e::pipeline::{API_KEY, Installation, door, run};
use e2e::process::{Process, STOP_MAX, wait_for};
use e2e::producer::post;
use e2e::receiver::WEBHOOK;
use event::{DeadLetter, Reason, topic};
use serde_json::{Value, json};

/// How long nothing may happen before a test believes that nothing will.
const QUIET: Duration = Duration::from_secs(2);

#[test]
fn eleven_curls_raise_one_alert_within_two_seconds() {
    let installation = Installation::create("latency");
    let mut services = installation.start_all();
    let url = door(&mut services.ingest, "/api/v1/ingest");
    let curl = |number: usize| {
        let body = json!({"logs": [failure(number)]}).to_string();
        let (key, kind) = (format!("X-API-Key: {API_KEY}"), "Content-Type: application/json");
        let options = [
            "-sS",
            "--max-time",
            "20",
            "-X",
            "POST",
            &url,
            "-H",
            &key,
            "-H",
            kind,
            "-d",
            &body,
        ];
        let done = Command::new("curl").args(options).output().expect("curl is there");
        let answer: Value = serde_json::from_slice(&done.stdout).expect("a receipt");
        assert_eq!(answer["received"], 1, "{done:?}");
    };
    (0..10).for_each(curl);
    std::thread::sleep(QUIET);
    assert_eq!(
        installation.receiver.received(WEBHOOK).len(),
        0,
        "ten failures are silent"
    );
    let eleventh = Instant::now();
    curl(10);
    let told = installation.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
    let latency = told[0].at.duration_since(eleventh);
    println!("from the eleventh curl to the webhook: {latency:?}");
    assert!(latency < Duration::from_secs(2), "{latency:?}");
    std::thread::sleep(QUIET);
    assert_eq!(alerts(&installation.kafka), [alert(&installation)]);
    assert_eq!(installation.receiver.received(WEBHOOK).len(), 1);
}

/// Posts a body, and says what the door answered.
fn offer(installation: &Installation, ingest: &mut Process, key: &str, body: impl Into<bytes::Bytes>) -> (u16, Value) {
    let url = door(ingest, "/api/v1/ingest");
    let headers = [("x-api-key", key), ("content-type", "text/plain")];
    let (status, body) = installation.web.post(&url, &headers, body).expect("the door answers");
    (status, serde_json::from_str(&body).expect("JSON"))
}

fn dead_letters(installation: &Installation) -> Vec<DeadLetter> {
    read_all(&installation.kafka, topic::DEAD_LETTERS)
        .iter()
        .map(|(_, record)| DeadLetter::decode(record.value.as_deref().unwrap()).unwrap())
        .collect()
}

/// Waits for the next dead letter, and returns it.
fn next_letter(installation: &Installation, known: usize) -> DeadLetter {
    let mut letters = wait_for("a dead letter", PATIENCE, || {
        Some(dead_letters(installation)).filter(|letters| letters.len() > known)
    });
    assert_eq!(letters.len(), known + 1);
    letters.sort_by_key(|letter| letter.time);
    letters.pop().unwrap()
}

#[test]
fn bad_input_is_answered_counted_and_kept_and_stops_nothing() {
    const GARBAGE: &str = "what is this";
    let installation = Installation::create("bad-input");
    let mut services = installation.start_all();
    let ingest = &mut services.ingest;

    let (status, said) = offer(&installation, ingest, API_KEY, GARBAGE);
    assert_eq!((status, &said["received"]), (200, &json!(0)), "{said}");
    assert_eq!(said["rejected"][0]["reason"], "unknown_format", "{said}");
    let letter = next_letter(&installation, 0);
    assert_eq!(
        (letter.reason, letter.origin.as_str()),
        (Reason::UnknownFormat, "http 127.0.0.1 entry 0")
    );
    assert_eq!(letter.raw.bytes().unwrap().as_ref(), GARBAGE.as_bytes());

    let long = "x".repeat(20 << 20);
    let (status, said) = offer(&installation, ingest, API_KEY, long.clone());
    assert_eq!((status, &said["received"]), (200, &json!(0)), "{said}");
    assert_eq!(said["rejected"][0]["reason"], "too_large", "{said}");
    let letter = next_letter(&installation, 1);
    assert_eq!(letter.reason, Reason::TooLarge);
    assert!(long.as_bytes().starts_with(&letter.raw.bytes().unwrap()) && letter.detail.contains("20971520 bytes"));

    let (status, said) = offer(&installation, ingest, API_KEY, "");
    let empty = json!({"error": "Bad Request", "message": "the body is empty"});
    assert_eq!((status, said), (400, empty));
    let (status, said) = offer(&installation, ingest, "not the key, but as long as one", GARBAGE);
    assert_eq!((status, &said["error"]), (401, &json!("Unauthorized")), "{said}");

    // A key and nothing after it, which kcat -Z makes a record without a value.
    installation.produce(topic::RAW, 0, &["key:".to_owned()], &["-Z", "-K:"]);
    let letter = next_letter(&installation, 2);
    assert_eq!((letter.reason, letter.origin.as_str()), (Reason::Empty, "raw/0@0"));
    installation.produce(topic::RAW, 0, &[GARBAGE.to_owned()], &[]);
    let letter = next_letter(&installation, 3);
    assert_eq!(
        (letter.reason, letter.origin.as_str()),
        (Reason::UnknownFormat, "raw/0@1")
    );

    let counted = [
        (r#"tidewatch_ingest_dead_letters_total{reason="unknown_format"}"#, 2.0),
        (r#"tidewatch_ingest_dead_letters_total{reason="too_large"}"#, 1.0),
        (r#"tidewatch_ingest_dead_letters_total{reason="empty"}"#, 1.0),
        (r#"tidewatch_ingest_requests_total{code="400"}"#, 1.0),
        (r#"tidewatch_ingest_requests_total{code="401"}"#, 1.0),
        (r#"tidewatch_ingest_auth_failures_total{reason="invalid"}"#, 1.0),
    ];
    for (series, count) in counted {
        let is_counted = || (ingest.metric(series) >= count).then_some(());
        wait_for(series, PATIENCE, is_counted);
        assert_eq!(ingest.metric(series), count, "{series}");
    }
    // A record that nobody of ours wrote, in a topic that only we write: the detector and the archiver go on as well.
    installation.produce(topic::EVENTS_SECURITY, 0, &[GARBAGE.to_owned()], &[]);
    let letter = next_letter(&installation, 4);
    assert_eq!(letter.reason, Reason::Rejected);
    let series = "tidewatch_detector_dead_letters_total";
    assert_eq!(services.detector.metric(series), 1.0);
    services.each(|service| {
        service.expect_alive();
        service.wait_ready();
    });
    for number in 0..11 {
        post(&installation, &mut services.ingest, &[failure(number)]);
    }
    installation.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
}

#[test]
fn a_configuration_with_five_mistakes_is_told_all_five() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidewatch.yaml");
    let file = path.to_str().unwrap();
    let text = "kafka:\n  brokers: nowhere\n  linger: soon\n\
                ingest:\n  http:\n    listen: everywhere\n    body_size: 1MiB\n\
                alerter:\n  routes:\n    pager:\n      channel: pigeon\n\
                archiver:\n  store:\n    kind: directory\n    path: archive\n";
    std::fs::write(&path, text).unwrap();
    let checked = run(&["config", "check", file]);
    let said = String::from_utf8(checked.stderr).unwrap();
    let mut told: Vec<&str> = said.lines().collect();
    told.sort_unstable();
    let wanted = [
        "alerter.routes.pager.channel: must be one of log, pagerduty, slack, webhook, found the text \"pigeon\"",
        "ingest.http.body_size: unknown key",
        "ingest.http.listen: expected an address and port, as 0.0.0.0:9090 or [::]:9090, found the text \"everywhere\"",
        "kafka.brokers: expected host:port, separated by commas",
        "kafka.linger: expected a duration with its unit (ms, s, m, h, d), as 30s, found the text \"soon\"",
    ];
    assert_eq!(told, wanted.map(|problem| format!("{file}: {problem}")));
    assert_eq!(checked.status.code(), Some(78));
    assert!(checked.stdout.is_empty());

    // Each of the mistakes put right, it is told that all is.
    let right = text
        .replace("nowhere", "127.0.0.1:9092")
        .replace("soon", "5ms")
        .replace("everywhere", "127.0.0.1:8080")
        .replace("body_size", "body_bytes")
        .replace("pigeon", "log");
    std::fs::write(&path, right).unwrap();
    let checked = run(&["config", "check", file]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn a_detector_restarted_in_the_middle_of_a_window_knows_its_first_half() {
    const APPLIED: &str = r#"tidewatch_detector_fact_entries_total{outcome="applied"}"#;
    let installation = Installation::create("restart");
    let mut services = installation.start_all();
    for number in 0..6 {
        post(&installation, &mut services.ingest, &[failure(number)]);
    }
    let applied = |detector: &Process, count: f64| {
        wait_for(APPLIED, PATIENCE, || (detector.metric(APPLIED) >= count).then_some(()));
        assert_eq!(detector.metric(APPLIED), count);
    };
    applied(&services.detector, 6.0);
    let (status, took) = services.detector.terminate();
    println!("the detector stopped within {took:?}");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_MAX);
    // What comes while it is away is not lost on it.
    for number in 6..9 {
        post(&installation, &mut services.ingest, &[failure(number)]);
    }
    services.detector = installation.start("detector", "0");
    services.detector.wait_ready();
    for number in 9..11 {
        post(&installation, &mut services.ingest, &[failure(number)]);
    }
    installation.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
    std::thread::sleep(QUIET);
    assert_eq!(alerts(&installation.kafka), [alert(&installation)]);
    assert_eq!(installation.receiver.received(WEBHOOK).len(), 1);
    // It took up where it was: nothing was evaluated a second time.
    applied(&services.detector, 5.0);
}
