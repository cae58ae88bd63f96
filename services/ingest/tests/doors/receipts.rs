//! Bodies that come again, and deliveries that fail.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Door, Mode, answer, eventually, settings};

const TIMED: &str = r#"{"logs":[{"service":"api","level":"info","message":"m","time":"2026-11-22T06:10:18.478Z"}]}"#;
const UNTIMED: &str = r#"{"service":"security","level":"warn","message":"Failed login","metadata":{"security_event":"login_failed","source_ip":"203.0.113.7"}}"#;

/// The guide's `curl` in a loop: eleven failures are eleven, though their bytes are the same.
#[tokio::test]
async fn eleven_equal_posts_without_a_time_are_eleven_events() {
    let door = Door::open(settings()).await;
    for _ in 0..11 {
        let (status, said) = door.ingest(UNTIMED).await;
        assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(1)));
    }
    let events = door.events();
    assert_eq!(events.len(), 11);
    assert!(
        events
            .iter()
            .all(|event| event.security_event.as_deref() == Some("login_failed"))
    );
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!(ids.len(), 11);
    assert_eq!(door.metric("folded_bodies_total"), 0.0);
    // To the second is not fine enough either.
    let to_the_second = TIMED.replace(".478", "");
    for _ in 0..2 {
        door.ingest(to_the_second.clone()).await;
    }
    assert_eq!(door.events().len(), 13);
}

/// H18: the SDK sends a batch again whose answer it missed.
#[tokio::test]
async fn a_retry_is_answered_with_the_first_receipt() {
    let door = Door::open(settings()).await;
    let first = door.ingest(TIMED).await;
    tokio::time::sleep(Duration::from_millis(3)).await;
    assert_eq!(door.ingest(TIMED).await, first, "the same receipt, with its time");
    assert_eq!(door.events().len(), 1);
    assert_eq!(door.metric("folded_bodies_total"), 1.0);
    assert_eq!(door.metric(r#"events_total{format="logtide",outcome="accepted"}"#), 1.0);
    // Another tenant, another path, another byte: not the same.
    let other = door.request(Method::POST, "/api/v1/ingest").body(TIMED);
    answer(other.header("x-api-key", "the-key-of-globex-for-tests")).await;
    answer(door.post("/api/v1/ingest/json", TIMED)).await;
    door.ingest(TIMED.replace(".478", ".479")).await;
    assert_eq!(door.events().len(), 4);
    assert_eq!(door.metric("folded_bodies_total"), 1.0);
}

/// The client hangs up while its request is being written, and asks again.
#[tokio::test]
async fn a_retry_while_the_first_is_under_way_waits_for_it() {
    let door = Door::open(settings()).await;
    door.gate.set(Mode::Hold);
    let impatient = door.post("/api/v1/ingest", TIMED).timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    eventually("the first is at the log", || door.gate.held() == 1).await;
    let retry = tokio::spawn(answer(door.post("/api/v1/ingest", TIMED)));
    eventually("the retry is at the door", || door.metric("in_flight_requests") >= 1.0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!retry.is_finished(), "nothing is known yet");
    assert_eq!(door.gate.held(), 1, "and the retry is not written too");
    door.gate.release();
    let (status, said) = retry.await.unwrap();
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(1)));
    assert_eq!(door.events().len(), 1);
    assert_eq!(door.metric("folded_bodies_total"), 1.0);
}

/// No receipt is given, or remembered, for what may not be written.
#[tokio::test]
async fn a_failed_delivery_is_no_receipt() {
    let door = Door::open(settings()).await;
    for mode in [Mode::Overloaded, Mode::Fail, Mode::Forget] {
        door.gate.set(mode);
        let response = door.post("/api/v1/ingest", TIMED).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        let said: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(said["error"], "Service Unavailable");
    }
    assert_eq!(door.metric(r#"events_total{format="logtide",outcome="unknown"}"#), 3.0);
    assert_eq!(door.metric(r#"events_total{format="logtide",outcome="accepted"}"#), 0.0);
    assert_eq!(door.events(), []);
    door.gate.set(Mode::Pass);
    let (status, said) = door.ingest(TIMED).await;
    assert_eq!(
        (status, &said["received"]),
        (StatusCode::OK, &json!(1)),
        "it is written now"
    );
    assert_eq!(door.events().len(), 1);
    assert_eq!(door.metric("folded_bodies_total"), 0.0);
    assert_eq!(door.metric("in_flight_bytes"), 0.0);
}

/// A dead letter that is not written is no receipt either.
#[tokio::test]
async fn a_dead_letter_that_is_not_written_is_no_receipt() {
    let door = Door::open(settings()).await;
    door.gate.set(Mode::Fail);
    assert_eq!(door.ingest("garbage").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(door.metric(r#"dead_letters_total{reason="unknown_format"}"#), 0.0);
    door.gate.set(Mode::Pass);
    assert_eq!(door.ingest("garbage").await.0, StatusCode::OK);
    assert_eq!(door.metric(r#"dead_letters_total{reason="unknown_format"}"#), 1.0);
    assert_eq!(door.dead_letters().len(), 1);
}

/// With an idempotency key any body is known again; another body under it is refused and not swallowed.
#[tokio::test]
async fn an_idempotency_key() {
    let door = Door::open(settings()).await;
    let post = |key: &str, body: &'static str| answer(door.post("/api/v1/ingest", body).header("idempotency-key", key));
    let first = post("k-1", UNTIMED).await;
    assert_eq!(first.0, StatusCode::OK);
    assert_eq!(post("k-1", UNTIMED).await, first);
    assert_eq!(door.events().len(), 1);
    assert_eq!(post("k-2", UNTIMED).await.0, StatusCode::OK);
    assert_eq!(door.events().len(), 2);
    assert_eq!(post("k-1", TIMED).await.0, StatusCode::CONFLICT);
    assert_eq!(door.events().len(), 2);
    assert_eq!(post("", UNTIMED).await.0, StatusCode::BAD_REQUEST);
}

/// The first attempt may have been written although its client was told that nobody knows.
#[tokio::test]
async fn attempts_under_one_idempotency_key_have_the_same_ids() {
    let door = Door::open(settings()).await;
    let mut ids = Vec::new();
    for mode in [Mode::Hold, Mode::Pass] {
        door.gate.set(mode);
        let attempt = door.post("/api/v1/ingest", UNTIMED).header("idempotency-key", "k-1");
        if mode == Mode::Pass {
            // A second process, as far as receipts go: the first attempt is still held.
            let other = Door::open(settings()).await;
            let attempt = other.post("/api/v1/ingest", UNTIMED).header("idempotency-key", "k-1");
            assert_eq!(answer(attempt).await.0, StatusCode::OK);
            ids.push(other.events()[0].event_id.clone());
        } else {
            drop(tokio::spawn(attempt.send()));
            eventually("the first is at the log", || door.gate.held() == 1).await;
            door.gate.release();
            ids.push(door.events()[0].event_id.clone());
        }
    }
    assert_eq!(ids[0], ids[1]);
}

/// A batch with a bad entry comes again as well.
#[tokio::test]
async fn a_bad_entry_does_not_hinder_the_recognition_of_a_retry() {
    let door = Door::open(settings()).await;
    let body = TIMED.replace("]}", ",{\"a\":1,\"a\":2}]}");
    let first = door.ingest(body.clone()).await;
    assert_eq!(first.1["received"], 1);
    assert_eq!(door.ingest(body).await, first);
    assert_eq!((door.events().len(), door.dead_letters().len()), (1, 1));
}
