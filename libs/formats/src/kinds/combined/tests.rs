#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Reason, Timestamp};
use serde_json::{Value, json};

use crate::{Choice, Context, Format, Rejection};

const STAMP: &str = "[17/May/2015:10:05:03 +0200]";

fn decode(line: &str) -> Result<Value, Rejection> {
    let context = Context::new("default", Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let choice: Choice = "combined".parse().unwrap();
    Ok(serde_json::to_value(choice.decode(line.as_bytes(), &context)?.event).unwrap())
}

fn read(line: &str) -> Value {
    assert!(super::Combined.recognises(line.as_bytes()), "{line}");
    decode(line).unwrap()
}

#[test]
fn a_whole_line() {
    let line = format!(
        r#"203.0.113.7 - alice {STAMP} "GET /a%20b?q=1&r=\x22 HTTP/1.1" 404 1234 "http://example.org/" "curl/8 \"x\"""#
    );
    let expected = json!({
        "schema_version": 1, "event_id": "", "time": "2015-05-17T08:05:03.000Z", "ingest_time": "2026-01-01T00:00:00.000Z",
        "tenant": "default", "service": "nginx", "level": "warn", "message": r"GET /a%20b?q=1&r=\x22 HTTP/1.1", "severity": "medium",
        "user_id": "alice", "source_ip": "203.0.113.7", "user_agent": "curl/8 \"x\"", "success": false,
        "metadata": {
            "status_code": 404, "method": "GET", "path": "/a%20b", "query": "q=1&r=\"", "protocol": "HTTP/1.1", "bytes": 1234,
            "referer": "http://example.org/",
        },
        "format": "combined", "raw": line,
    });
    assert_eq!(read(&line), expected);
}

#[test]
fn what_stands_before_the_time() {
    let cases = [
        ("203.0.113.7 - - ", Some("203.0.113.7"), None, json!({})),
        ("::1 - - ", Some("::1"), None, json!({})),
        (
            "www.example.org:443 203.0.113.7 - bob ",
            Some("203.0.113.7"),
            Some("bob"),
            json!({"vhost": "www.example.org:443"}),
        ),
        (
            "[::1]:80 203.0.113.7 - - ",
            Some("203.0.113.7"),
            None,
            json!({"vhost": "[::1]:80"}),
        ),
        (
            "client.example.org - - ",
            None,
            None,
            json!({"source_host": "client.example.org"}),
        ),
        (
            "203.0.113.7 - two words ",
            Some("203.0.113.7"),
            Some("two words"),
            json!({}),
        ),
        (
            "203.0.113.7 ident bob ",
            Some("203.0.113.7"),
            Some("bob"),
            json!({"ident": "ident"}),
        ),
        (
            r"203.0.113.7 - x [17/May/2015:10:05:03 +0000] \x22GET ",
            Some("203.0.113.7"),
            Some("x [17/May/2015:10:05:03 +0000] \"GET"),
            json!({}),
        ),
        (r#"203.0.113.7 - a\"b "#, Some("203.0.113.7"), Some("a\"b"), json!({})),
    ];
    for (who, source, user, metadata) in cases {
        let event = read(&format!(r#"{who}{STAMP} "GET / HTTP/1.1" 200 5 "-" "-""#));
        assert_eq!(
            (event["source_ip"].as_str(), event["user_id"].as_str()),
            (source, user),
            "{who}"
        );
        assert_eq!(event["time"], "2015-05-17T08:05:03.000Z", "{who}");
        for (name, value) in metadata.as_object().unwrap() {
            assert_eq!(&event["metadata"][name], value, "{name} of {who}");
        }
    }
}

#[test]
fn requests_of_every_kind() {
    let cases = [
        ("GET / HTTP/1.1", json!("GET"), json!("/"), json!("HTTP/1.1")),
        ("GET /", json!("GET"), json!("/"), json!(null)),
        (
            "GET /two words HTTP/1.0",
            json!("GET"),
            json!("/two words"),
            json!("HTTP/1.0"),
        ),
        ("M-SEARCH * HTTP/1.1", json!("M-SEARCH"), json!("*"), json!("HTTP/1.1")),
        (r"\x16\x03\x01\x00", json!(null), json!(null), json!(null)),
        (r"\x16\x03 \x01", json!(null), json!(null), json!(null)),
        ("-", json!(null), json!(null), json!(null)),
        ("", json!(null), json!(null), json!(null)),
        (r"GET /\xC3\xA9 HTTP/1.1", json!("GET"), json!("/é"), json!("HTTP/1.1")),
        (r"GET /\xFF HTTP/1.1", json!("GET"), json!(r"/\xFF"), json!("HTTP/1.1")),
    ];
    for (request, method, path, protocol) in cases {
        let event = read(&format!(r#"203.0.113.7 - - {STAMP} "{request}" 400 - "-" "-""#));
        let metadata = &event["metadata"];
        assert_eq!(
            (&metadata["method"], &metadata["path"], &metadata["protocol"]),
            (&method, &path, &protocol),
            "{request}"
        );
        assert_eq!((&event["message"], &metadata["bytes"]), (&json!(request), &Value::Null));
    }
}

#[test]
fn levels_and_the_one_security_event() {
    let cases = [
        (200, "info", "low", None),
        (304, "info", "low", None),
        (403, "warn", "medium", None),
        (429, "warn", "medium", Some("rate_limit_exceeded")),
        (500, "error", "high", None),
        (599, "error", "high", None),
    ];
    for (status, level, severity, what) in cases {
        let event = read(&format!(r#"203.0.113.7 - - {STAMP} "GET / HTTP/1.1" {status} 5"#));
        assert_eq!(
            (event["level"].as_str(), event["severity"].as_str()),
            (Some(level), Some(severity)),
            "{status}"
        );
        assert_eq!(
            (event["security_event"].as_str(), event["success"].as_bool()),
            (what, Some(status < 400)),
            "{status}"
        );
    }
}

#[test]
fn more_fields_than_combined_has_are_kept() {
    let event = read(&format!(
        r#"203.0.113.7 - - {STAMP} "GET / HTTP/1.1" 200 5 "-" "-" 0.012 "198.51.100.1""#
    ));
    assert_eq!(event["metadata"]["extra"], "0.012 \"198.51.100.1\"");
}

#[test]
fn the_operator_may_name_the_server() {
    let ingest_time = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let context = Context {
        service: Some("apache"),
        ..Context::new("default", ingest_time)
    };
    let line = format!(r#"203.0.113.7 - - {STAMP} "GET / HTTP/1.1" 200 5"#);
    assert_eq!(
        Choice::Auto.decode(line.as_bytes(), &context).unwrap().event.service,
        "apache"
    );
}

#[test]
fn lines_cut_off_name_their_column() {
    let line = format!(r#"203.0.113.7 - - {STAMP} "GET / HTTP/1.1" 200 1234 "http://example.org/" "curl/8""#);
    let at = |part: &str| line.find(part).unwrap();
    let cases = [
        (at("\"GET"), at("\"GET"), "a quoted request"),
        (at("/ HTTP"), at("\"GET"), "a request that ends with a quote"),
        (at(" 200"), at(" 200"), "a status of three digits"),
        (at("00 1234"), at(" 200"), "a status of three digits"),
        (at(" 1234"), at(" 1234"), "a number of bytes"),
        (at("1234"), at(" 1234"), "a number of bytes"),
        (at("example"), at(" \"http"), "a quoted referer"),
        (at(" \"curl"), at(" \"curl"), "a quoted user agent"),
        (line.len() - 1, at(" \"curl"), "a quoted user agent"),
    ];
    for (length, column, expected) in cases {
        let cut = line[..length].trim_end();
        let rejection = decode(cut).unwrap_err();
        assert_eq!(rejection.reason, Reason::Malformed);
        let column = column.min(cut.len()) + 1;
        assert_eq!(
            rejection.detail,
            format!("column {column}: expected {expected}"),
            "{cut}"
        );
    }
    for (line, detail) in [
        (
            r#"203.0.113.7 - - [31/Feb/2015:10:05:03 +0000] "GET" 200 5"#,
            "column 18: expected a time such as 17/May/2015:10:05:03 +0000",
        ),
        (
            r#"203.0.113.7 - - "GET" 200 5"#,
            "column 17: expected a time in brackets before the request",
        ),
        (
            r#"203.0.113.7 [17/May/2015:10:05:03 +0000] "GET" 200 5"#,
            "column 1: expected address, identity and user",
        ),
        (
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET" +20 5"#,
            "column 51: expected a status of three digits",
        ),
        (
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET" 200 5x"#,
            "column 55: expected a number of bytes",
        ),
    ] {
        assert_eq!(decode(line).unwrap_err().detail, detail, "{line}");
    }
}
