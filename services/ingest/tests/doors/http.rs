//! What the HTTP door takes, and what it answers.

use event::{Reason, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Door, KEY, answer, settings};

#[tokio::test]
async fn logtide_requests_of_every_form_are_taken() {
    let entry = r#"{"service":"api","level":"warn","message":"m","metadata":{"user_id":"u-1"}}"#;
    let bodies = [
        (format!(r#"{{"logs":[{entry},{entry}]}}"#), "application/json", 2),
        (format!("[{entry},{entry},{entry}]"), "application/json", 3),
        (
            format!(r#"[{{"logs":[{entry}]}},{{"logs":[{entry}]}}]"#),
            "application/json",
            2,
        ),
        (entry.to_owned(), "application/json", 1),
        (format!("{entry}\n{entry}\n"), "application/x-ndjson", 2),
        (format!("{entry}\n{entry}\n{entry}"), "text/plain", 3),
        (r#"{"logs":[]}"#.to_owned(), "application/json", 0),
    ];
    let door = Door::open(settings()).await;
    let mut sum = 0;
    for (path, (body, content_type, count)) in ["/api/v1/ingest", "/api/v1/ingest/single"]
        .iter()
        .flat_map(|path| bodies.iter().map(move |body| (path, body)))
    {
        let request = door.post(path, body.clone()).header("content-type", *content_type);
        let (status, answer) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(answer["received"], *count, "{body}");
        assert_eq!(answer.get("rejected"), None, "{body}");
        assert!(Timestamp::parse(answer["timestamp"].as_str().unwrap()).is_some());
        sum += count;
    }
    let events = door.events();
    assert_eq!(events.len(), sum);
    assert!(
        events
            .iter()
            .all(|event| event.tenant == "acme" && event.user_id.as_deref() == Some("u-1"))
    );
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!(ids.len(), sum, "entries without time are each their own");
    let counted = door.metric(r#"events_total{format="logtide",outcome="accepted"}"#);
    assert_eq!(counted, sum as f64);
    assert_eq!(door.metric(r#"requests_total{code="200"}"#), 14.0);
    assert_eq!(door.metric("request_seconds_count"), 14.0);
}

#[tokio::test]
async fn raw_lines_of_a_named_format() {
    let door = Door::open(settings()).await;
    let lines = "Mar 27 13:06:56 host sshd[1]: Failed password for root from 203.0.113.7 port 22 ssh2\n\
                 no such line\n\
                 Mar 27 13:06:57 host sshd[1]: Accepted password for root from 203.0.113.8 port 22 ssh2\n";
    let (status, said) = answer(door.post("/api/v1/ingest/sshd", lines)).await;
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(2)));
    assert_eq!(said["rejected"][0]["index"], 1);
    let mut found: Vec<_> = door
        .events()
        .into_iter()
        .filter_map(|event| event.security_event)
        .collect();
    found.sort();
    assert_eq!(found, ["login_failed", "login_success"]);
    assert_eq!(door.dead_letters()[0].format.as_deref(), Some("sshd"));

    let line = r#"203.0.113.9 - - [22/Nov/2026:06:10:18 +0000] "GET / HTTP/1.1" 200 12 "-" "curl""#;
    let (_, said) = answer(door.post("/api/v1/ingest/combined", line)).await;
    assert_eq!(said["received"], 1);
    let (status, said) = answer(door.post("/api/v1/ingest/nonsense", line)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let message = said["message"].as_str().unwrap();
    assert!(
        message.contains("`nonsense`") && message.contains("combined"),
        "{message}"
    );
}

/// H16: one bad entry costs nobody anything but itself.
#[tokio::test]
async fn a_bad_entry_in_the_middle() {
    let door = Door::open(settings()).await;
    let body = r#"{"logs":[{"message":"one"},{"message":"two","message":"2"},{"message":"three"},7]}"#;
    let (status, said) = door.ingest(body).await;
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(2)));
    let rejected: Vec<(u64, &str)> = said["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["index"].as_u64().unwrap(), entry["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(rejected, [(1, "invalid"), (3, "unknown_format")]);
    assert!(!said["rejected"][0]["detail"].as_str().unwrap().is_empty());

    let letters = door.dead_letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        letters[0].raw.bytes().unwrap().as_ref(),
        br#"{"message":"two","message":"2"}"#
    );
    assert_eq!(
        (letters[0].tenant.as_str(), letters[0].origin.as_str()),
        ("acme", "http 127.0.0.1 entry 1")
    );
    assert_eq!(door.metric(r#"dead_letters_total{reason="invalid"}"#), 1.0);
    let written = r#"entries_written_total{door="http",tenant="acme",topic="dead-letters"}"#;
    assert_eq!(door.metric(written), 2.0);
    assert_eq!(door.metric(r#"events_total{format="unknown",outcome="rejected"}"#), 1.0);
}

/// Garbage is a dead letter with its very bytes, text or not.
#[tokio::test]
async fn garbage() {
    let door = Door::open(settings()).await;
    for garbage in [
        &b"what is this"[..],
        b"\xff\xfe\x00\x01",
        b"{\"a\":1} and more",
        b"[1] 2",
    ] {
        let (status, said) = door.ingest(garbage).await;
        assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(0)), "{said}");
        assert_eq!(said["rejected"].as_array().unwrap().len(), 1);
        let letter = door.dead_letters().pop().unwrap();
        assert_eq!(letter.raw.bytes().unwrap().as_ref(), garbage);
    }
    assert_eq!(door.events(), []);
}

/// H01, and bodies that are no list of entries.
#[tokio::test]
async fn a_body_that_is_nothing() {
    let door = Door::open(settings()).await;
    for (body, message) in [
        ("", "the body is empty"),
        (" \r\n", "the body is empty"),
        (r#"{"logs":[{"a":1},"#, "the JSON that begins at byte 0 is cut off"),
    ] {
        let (status, said) = door.ingest(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(said, json!({"error": "Bad Request", "message": message}));
    }
    assert_eq!(door.metric(r#"requests_total{code="400"}"#), 3.0);
    assert_eq!(door.dead_letters(), []);
}

/// H20: the answers are LogTide's, word for word.
#[tokio::test]
async fn who_has_no_key_is_told_so_and_nothing_is_read() {
    let door = Door::open(settings()).await;
    let missing = json!({"error": "Unauthorized", "message": "Missing X-API-Key header or Authorization token"});
    let invalid = json!({"error": "Unauthorized", "message": "Invalid API key"});
    let bare = |path: &str| door.request(Method::POST, path).body(r#"{"message":"m"}"#);
    let refused = [
        (bare("/api/v1/ingest"), &missing),
        (bare(&format!("/api/v1/ingest?api_key={KEY}")), &missing),
        (bare("/api/v1/ingest").header("authorization", "Basic eDp5"), &missing),
        (bare("/api/v1/ingest").header("x-api-key", "wrong"), &invalid),
        (bare("/api/v1/ingest").header("x-api-key", &KEY[1..]), &invalid),
        (bare("/api/v1/ingest").header("authorization", "Bearer wrong"), &invalid),
        (
            bare("/api/v1/ingest").header("x-api-key", KEY).header("x-api-key", KEY),
            &invalid,
        ),
        (bare("/api/v1/ingest/sshd"), &missing),
    ];
    for (request, expected) in refused {
        let (status, said) = answer(request).await;
        assert_eq!((status, &said), (StatusCode::UNAUTHORIZED, expected));
    }
    assert_eq!(door.metric(r#"auth_failures_total{reason="missing"}"#), 4.0);
    assert_eq!(door.metric(r#"auth_failures_total{reason="invalid"}"#), 4.0);
    assert_eq!((door.events().len(), door.dead_letters().len()), (0, 0));
    let bearer = bare("/api/v1/ingest").header("authorization", format!("Bearer {KEY}"));
    assert_eq!(answer(bearer).await.0, StatusCode::OK);
}

/// H19: whose an event is says the key, whatever the body says.
#[tokio::test]
async fn the_tenant_is_that_of_the_key() {
    let door = Door::open(settings()).await;
    let body = r#"{"message":"m","tenant":"globex","metadata":{"tenant":"globex"}}"#;
    let (status, _) = door.ingest(body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(door.events()[0].tenant, "acme");
    assert_eq!(door.metric(r#"notes_total{note="tenant_ignored"}"#), 1.0);
    let request = door.request(Method::POST, "/api/v1/ingest").body(body);
    let (status, _) = answer(request.header("x-api-key", "the-key-of-globex-for-tests")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(door.events().iter().filter(|event| event.tenant == "globex").count(), 1);
    for (tenant, count) in [("acme", 1.0), ("globex", 1.0)] {
        let written = |topic| format!(r#"entries_written_total{{door="http",tenant="{tenant}",topic="{topic}"}}"#);
        assert_eq!(door.metric(&written("events.access")), count, "{tenant}");
        assert_eq!(door.metric(&written("dead-letters")), 0.0, "{tenant}");
    }
}

/// H22: a forged address is not in any record.
#[tokio::test]
async fn a_forwarded_address_is_not_believed() {
    let door = Door::open(settings()).await;
    let request = door
        .post("/api/v1/ingest", "garbage")
        .header("x-forwarded-for", "198.51.100.1");
    assert_eq!(answer(request).await.0, StatusCode::OK);
    assert_eq!(door.dead_letters()[0].origin, "http 127.0.0.1 entry 0");
}

/// H23, H24.
#[tokio::test]
async fn other_paths_and_methods() {
    let door = Door::open(settings()).await;
    let not_found = [
        "/",
        "//api/v1/ingest",
        "/api/v1/ingest/",
        "/api/v1/ingest/../ingest/x/y",
        "/api/v1/%69ngest",
        "/api/v1/ingest;x",
    ];
    for path in not_found {
        let (status, said) = answer(door.post(path, "x")).await;
        assert_eq!(
            (status, &said["error"]),
            (StatusCode::NOT_FOUND, &json!("Not Found")),
            "{path}"
        );
    }
    for method in [
        Method::GET,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ] {
        let (status, said) = answer(door.request(method.clone(), "/api/v1/ingest")).await;
        assert_eq!(
            (status, &said["error"]),
            (StatusCode::METHOD_NOT_ALLOWED, &json!("Method Not Allowed")),
            "{method}"
        );
    }
    let refused = door.request(Method::GET, "/api/v1/ingest").send().await.unwrap();
    assert_eq!(refused.headers()["allow"], "POST");
    assert_eq!(door.metric(r#"requests_total{code="405"}"#), 7.0);
    assert_eq!(door.events(), []);
}

#[tokio::test]
async fn health_needs_no_key() {
    let door = Door::open(settings()).await;
    let (status, said) = answer(door.request(Method::GET, "/health")).await;
    assert_eq!((status, &said["status"]), (StatusCode::OK, &json!("ok")));
}

/// What a producer's own id says holds; the time of an entry makes the id of one that brings none.
#[tokio::test]
async fn ids() {
    let door = Door::open(settings()).await;
    let body = r#"{"logs":[{"message":"a","event_id":"mine"},{"message":"b","time":"2026-11-22T06:10:18.478Z"},{"message":"c"}]}"#;
    door.ingest(body).await;
    let first = ids_by_message(&door);
    door.ingest(body).await;
    let ids = ids_by_message(&door);
    assert_eq!(
        ids.len(),
        6,
        "with an entry that cannot be told from another, a body is never a repetition"
    );
    assert_eq!(first[0].1, "mine");
    let of = |message: &str| {
        ids.iter()
            .filter(|(of, _)| of == message)
            .map(|(_, id)| id)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("a"), ["mine", "mine"]);
    assert_eq!(of("b")[0], of("b")[1], "a retry has the same id");
    assert_ne!(
        of("c")[0],
        of("c")[1],
        "without a time nobody knows whether it is a retry"
    );
}

fn ids_by_message(door: &Door) -> Vec<(String, String)> {
    let mut ids: Vec<_> = door
        .events()
        .into_iter()
        .map(|event| (event.message, event.event_id))
        .collect();
    ids.sort();
    ids
}

/// H10 to H14: each is an entry of its own, read or set aside, and the process is as before.
#[tokio::test]
async fn hostile_entries() {
    let door = Door::open(settings()).await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let wide: String = (0..1000).map(|at| format!(r#""f{at}":1,"#)).collect();
    let entries = [
        (format!(r#"{{"message":"m","a":{deep}}}"#), Some(Reason::TooComplex)),
        (format!(r#"{{{wide}"message":"m"}}"#), Some(Reason::TooComplex)),
        (
            r#"{"message":"m","user_id":"a","user_id":"b"}"#.to_owned(),
            Some(Reason::Invalid),
        ),
        (r#"{"message":"\ud800"}"#.to_owned(), Some(Reason::NotText)),
        (
            r#"{"message":"m","a":12345678901234567890123456789012345678901234567890}"#.to_owned(),
            None,
        ),
        (
            r#"{"message":"m","__proto__":{"x":1},"$ref":"../../x"}"#.to_owned(),
            None,
        ),
        (r#"{"message":"a\u0000b\u202e"}"#.to_owned(), None),
    ];
    for (entry, expected) in entries {
        let (status, said) = door.ingest(entry.clone()).await;
        assert_eq!(status, StatusCode::OK, "{entry}");
        let reason = said["rejected"][0]["reason"].as_str();
        assert_eq!(reason, expected.map(Reason::as_str), "{entry}: {said}");
    }
}

/// T12 for HTTP: an event that says it is a heartbeat or derived is an event.
#[tokio::test]
async fn records_have_no_header_of_a_producer() {
    let door = Door::open(settings()).await;
    let request = door
        .post("/api/v1/ingest", r#"{"message":"m"}"#)
        .header("heartbeat", "1")
        .header("derived", "1");
    let (_, said) = answer(request).await;
    assert_eq!(said["received"], 1);
    let records = crate::support::records(&door.log, "events.access");
    assert_eq!(records[0].1.headers, []);
    let _: Value = serde_json::from_slice(records[0].1.value.as_ref().unwrap()).unwrap();
}
