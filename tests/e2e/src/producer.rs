//! What producers send.

use event::Timestamp;
use serde_json::{Value, json};

use crate::pipeline::{API_KEY, Installation, door};
use crate::process::Process;
use crate::s3::now;

/// A whole second, as sshd writes it, so long before now.
pub fn recently(seconds: i64) -> Timestamp {
    Timestamp::from_millis((now().as_millis() / 1000 - seconds) * 1000)
}

/// A line of sshd's, with a time that names no year.
///
/// # Panics
/// If the time is not in a year of four digits.
pub fn sshd(time: Timestamp, what: &str) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = time.to_string();
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<usize>().ok());
    let (month, day) = number(5..7).zip(number(8..10)).expect("RFC 3339");
    format!(
        "{} {day:>2} {} gate sshd[4711]: {what}",
        MONTHS[month - 1],
        &text[11..19]
    )
}

/// An entry as the guide's security logger sends it.
pub fn logged(id: &str, time: Timestamp, event: &str, metadata: Value) -> Value {
    let mut entry = json!({
        "time": time,
        "event_id": id,
        "service": "api",
        "level": "warn",
        "message": format!("SECURITY: {event}"),
        "metadata": metadata,
    });
    entry["metadata"]["service"] = "security".into();
    entry["metadata"]["security_event"] = event.into();
    entry
}

/// Posts entries to the HTTP door, which must take all of them.
///
/// # Panics
/// If it does not.
pub fn post(installation: &Installation, ingest: &mut Process, entries: &[Value]) {
    let body = json!({"logs": entries}).to_string();
    let headers = [("x-api-key", API_KEY), ("content-type", "application/json")];
    let answer = installation.web.post(&door(ingest, "/api/v1/ingest"), &headers, body);
    let (status, answer) = answer.expect("the door answers");
    let receipt: Value = serde_json::from_str(&answer).expect("a receipt");
    assert_eq!((status, &receipt["received"]), (200, &json!(entries.len())), "{answer}");
    assert_eq!(receipt.get("rejected"), None, "{answer}");
}
