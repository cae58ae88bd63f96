//! Bodies that are too large, too slow, packed, or cut off; connections that are too many.

use std::io::Write as _;
use std::time::{Duration, Instant};

use event::Reason;
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::{HttpSettings, IngestSettings};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Door, KEY, Mode, answer, eventually, settings};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn with_http(http: HttpSettings) -> IngestSettings {
    IngestSettings { http, ..settings() }
}

/// Sends bytes as they are and returns all that comes back until the door closes the connection.
async fn raw(door: &Door, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    let closed = tokio::time::timeout(Duration::from_secs(20), reading).await;
    // A reset is a way to close, too; what came before it counts.
    closed.expect("the door closes the connection").ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn head(length: &str) -> String {
    format!("POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n{length}\r\n\r\n")
}

/// A line of 20 MB costs itself; its neighbours are events.
#[tokio::test]
async fn a_line_of_20_megabytes() {
    let door = Door::open(settings()).await;
    let huge = "x".repeat(20 << 20);
    let body = format!("{{\"message\":\"one\"}}\n{huge}\n{{\"message\":\"two\"}}\n");
    let (status, said) = door.ingest(body).await;
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(2)));
    assert_eq!(
        (&said["rejected"][0]["index"], &said["rejected"][0]["reason"]),
        (&json!(1), &json!("too_large"))
    );
    let letter = door.dead_letters().pop().unwrap();
    assert_eq!(letter.reason, Reason::TooLarge);
    assert!(
        letter.detail.ends_with("(the first 131072 of 20971520 bytes are kept)"),
        "{}",
        letter.detail
    );
    assert_eq!(door.metric(r#"dead_letters_total{reason="too_large"}"#), 1.0);
    assert_eq!(door.metric("in_flight_bytes"), 0.0);
}

/// H02: what says that it is too large is refused before it is read.
#[tokio::test]
async fn an_honest_length_over_the_limit() {
    let door = Door::open(settings()).await;
    let begun = Instant::now();
    let said = raw(&door, head("Content-Length: 52428801").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    assert!(
        said.contains(r#"{"error":"Payload Too Large","message":"the body is larger than 52428800 bytes"}"#),
        "{said}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(door.metric(r#"requests_total{code="413"}"#), 1.0);
}

/// curl asks before it sends a large body: yes, or at once why not.
#[tokio::test]
async fn a_client_that_asks_before_it_sends() {
    let door = Door::open(settings()).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let ask = head("Content-Length: 15\r\nConnection: close\r\nExpect: 100-continue");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut yes = [0; 25];
    stream.read_exact(&mut yes).await.unwrap();
    assert_eq!(&yes, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(br#"{"message":"m"}"#).await.unwrap();
    assert!(read_to_end(&mut stream).await.contains(r#""received":1"#));
    let said = raw(
        &door,
        head("Content-Length: 99999999\r\nExpect: 100-continue").as_bytes(),
    )
    .await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
}

/// H03: a chunked body has no length to be honest about.
#[tokio::test]
async fn a_chunked_body_without_end() {
    let door = Door::open(with_http(HttpSettings {
        body_bytes: 1 << 20,
        ..HttpSettings::default()
    }))
    .await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(head("Transfer-Encoding: chunked").as_bytes())
        .await
        .unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let (mut reader, mut writer) = stream.into_split();
    let endless = tokio::spawn(async move { while writer.write_all(chunk.as_bytes()).await.is_ok() {} });
    let mut start = [0; 12];
    reader.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    endless.await.unwrap();
    eventually("the memory is given back", || door.metric("in_flight_bytes") == 0.0).await;
}

/// H04, H06: a body that does not come in its time.
#[tokio::test]
async fn a_body_that_does_not_come() {
    let door = Door::open(with_http(HttpSettings {
        body_timeout: Duration::from_millis(300),
        ..HttpSettings::default()
    }))
    .await;
    let said = raw(
        &door,
        format!("{}{{\"message\":", head("Content-Length: 100")).as_bytes(),
    )
    .await;
    assert!(
        said.starts_with("HTTP/1.1 408") && said.contains("did not arrive in time"),
        "{said}"
    );
    // One byte now and then buys no time.
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(head("Content-Length: 100").as_bytes()).await.unwrap();
    let begun = Instant::now();
    while stream.write_all(b"x").await.is_ok() && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "the door closes the connection"
    );
    assert_eq!(door.metric(r#"requests_total{code="408"}"#), 2.0);
    assert_eq!(door.events(), []);
}

/// H05, H07: a connection that sends no request is closed, also if it sends a byte now and then.
#[tokio::test]
async fn headers_that_do_not_come() {
    let door = Door::open(with_http(HttpSettings {
        header_timeout: Duration::from_millis(300),
        ..HttpSettings::default()
    }))
    .await;
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, "");
    let mut slow = TcpStream::connect(door.address).await.unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    for byte in head("Content-Length: 2").as_bytes() {
        if slow.write_all(&[*byte]).await.is_err() || begun.elapsed() > Duration::from_secs(10) {
            break;
        }
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        sent < 50 && begun.elapsed() < Duration::from_secs(5),
        "{sent} bytes in {:?}",
        begun.elapsed()
    );
    eventually("both are gone", || door.metric("connections") == 0.0).await;
}

/// H07: beyond the cap, connections wait and are served when there is a place.
#[tokio::test]
async fn connections_over_the_cap() {
    let http = HttpSettings {
        connections: 2,
        header_timeout: Duration::from_secs(1),
        ..HttpSettings::default()
    };
    let door = Door::open(with_http(http)).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(door.address).await.unwrap());
    }
    eventually("two are open", || door.metric("connections") == 2.0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(door.metric("connections"), 2.0);
    assert!(door.metric("connections_full_total") >= 1.0);
    drop(idle);
    let (status, _) = door.ingest(r#"{"message":"m"}"#).await;
    assert_eq!(status, StatusCode::OK);
}

/// H08, H20, H21: what is no request of HTTP/1.1 reaches no handler.
#[tokio::test]
async fn requests_that_are_none() {
    let door = Door::open(settings()).await;
    let smuggled = format!(
        "POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{{\"a\":1}}"
    );
    let long = format!(
        "GET /health HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n",
        "k".repeat(10 << 20)
    );
    for (bytes, expected) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ["", "HTTP/1.1 400"]),
        (&smuggled, ["HTTP/1.1 400", "HTTP/1.1 400"]),
        (
            "GET /health HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
            ["HTTP/1.1 400", "HTTP/1.1 400"],
        ),
    ] {
        let said = raw(&door, bytes.as_bytes()).await;
        assert!(
            said.is_empty() && expected[0].is_empty() || said.starts_with(expected[1]),
            "{bytes:?}: {said}"
        );
    }
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let written = stream.write_all(long.as_bytes()).await;
    let said = read_to_end(&mut stream).await;
    assert!(written.is_err() || said.starts_with("HTTP/1.1 431"), "{said}");
    assert_eq!(door.events(), []);
    assert_eq!(
        answer(door.request(reqwest::Method::GET, "/health")).await.0,
        StatusCode::OK
    );
}

/// H09: packed bodies, and the limit on what is in them.
#[tokio::test]
async fn packed_bodies() {
    let door = Door::open(settings()).await;
    let post = |bytes: Vec<u8>, encoding: &str| {
        answer(door.post("/api/v1/ingest", bytes).header("content-encoding", encoding))
    };
    let entries = br#"{"logs":[{"message":"a"},{"message":"b"}]}"#;
    let (status, said) = post(gzip(entries), "gzip").await;
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(2)));
    let two = [gzip(b"{\"message\":\"c\"}\n"), gzip(b"{\"message\":\"d\"}\n")].concat();
    assert_eq!(post(two, "GZIP").await.1["received"], 2, "two members are one body");
    assert_eq!(post(entries.to_vec(), "identity").await.1["received"], 2);

    let bomb = gzip(&vec![b'x'; (50 << 20) + 1]);
    assert!(bomb.len() < 100_000);
    assert_eq!(post(bomb, "gzip").await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        post([gzip(entries), b"and more".to_vec()].concat(), "gzip").await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        post(gzip(entries)[..30].to_vec(), "gzip").await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(post(entries.to_vec(), "gzip").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(Vec::new(), "gzip").await.0, StatusCode::BAD_REQUEST);
    for encoding in ["br", "zstd", "deflate", "gzip, gzip"] {
        let request = door
            .post("/api/v1/ingest", gzip(entries))
            .header("content-encoding", encoding);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
        assert_eq!(response.headers()["accept-encoding"], "gzip");
    }
    assert_eq!(door.events().len(), 6);
    assert_eq!(door.metric("in_flight_bytes"), 0.0);
}

/// H17
#[tokio::test]
async fn too_many_entries() {
    let door = Door::open(settings()).await;
    let body = |count: usize| format!("[{}]", vec![r#"{"message":"m"}"#; count].join(","));
    assert_eq!(door.ingest(body(10_001)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(door.events(), []);
    let (status, said) = door.ingest(body(10_000)).await;
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(10_000)));
    assert_eq!(door.events().len(), 10_000);
}

/// What is under way is bounded, whoever sends it; what is refused can be sent again.
#[tokio::test]
async fn more_bytes_than_may_be_under_way() {
    let door = Door::open(with_http(HttpSettings {
        in_flight_bytes: 1000,
        ..HttpSettings::default()
    }))
    .await;
    door.gate.set(Mode::Hold);
    let entry = format!(r#"{{"message":"{}"}}"#, "m".repeat(600));
    let first = tokio::spawn(answer(door.post("/api/v1/ingest", entry.clone())));
    eventually("the first is at the log", || door.gate.held() == 1).await;
    assert!(door.metric("in_flight_bytes") > 600.0);
    let response = door.post("/api/v1/ingest", entry.clone()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    door.gate.release();
    assert_eq!(first.await.unwrap().0, StatusCode::OK);
    assert_eq!(door.ingest(entry).await.0, StatusCode::OK);
    assert_eq!(door.events().len(), 2);
}

/// A stop answers what is under way, takes nothing new, and then ends.
#[tokio::test]
async fn a_stop_answers_what_is_under_way() {
    let mut door = Door::open(settings()).await;
    door.gate.set(Mode::Hold);
    let under_way = tokio::spawn(answer(door.post("/api/v1/ingest", r#"{"message":"m"}"#)));
    eventually("it is at the log", || door.gate.held() == 1).await;
    door.stop.request();
    eventually("nobody is accepted any more", || {
        std::net::TcpStream::connect(door.address).is_err()
    })
    .await;
    door.gate.release();
    let (status, said) = under_way.await.unwrap();
    assert_eq!((status, &said["received"]), (StatusCode::OK, &json!(1)));
    tokio::time::timeout(Duration::from_secs(5), &mut door.serving)
        .await
        .unwrap()
        .unwrap();
}
