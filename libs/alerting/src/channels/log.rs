//! One line where the service runs: for demos, for a terminal, for a log collector.

use event::{Alert, AlertStatus};
use serde_json::{Map, Value, json};

use crate::text::plain;
use crate::{Channel, Message, Sending};

/// The most of a text in the line.
const CHARACTERS_MAX: usize = 1000;

/// Writes where the service runs.
pub struct Log;

impl Channel for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn statuses(&self) -> &'static [AlertStatus] {
        &[AlertStatus::Opened, AlertStatus::Updated, AlertStatus::Closed]
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn check_secret(&self, secret: &str) -> Result<(), &'static str> {
        if secret.is_empty() {
            Ok(())
        } else {
            Err("a log has no secret")
        }
    }

    fn message(&self, alert: &Alert, _sending: &Sending<'_>) -> Message {
        Message::json(&line(alert))
    }
}

/// The alert without its evidence, which may be long.
fn line(alert: &Alert) -> Value {
    let key: Map<String, Value> = alert
        .key
        .iter()
        .map(|(name, value)| (plain(name, 100), quoted(value)))
        .collect();
    json!({
        "alert_id": alert.alert_id,
        "status": alert.status,
        "revision": alert.revision,
        "severity": alert.severity,
        "rule_id": alert.rule_id,
        "title": plain(&alert.title, CHARACTERS_MAX),
        "message": plain(&alert.message, CHARACTERS_MAX),
        "tenant": alert.tenant,
        "key": key,
        "opened_at": alert.opened_at,
        "last_event_at": alert.last_event_at,
        "count": alert.count,
    })
}

/// JSON escapes some control characters only, and a terminal obeys the rest.
fn quoted(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(_) | Value::Array(_) | Value::Object(_) => crate::text::value(value, CHARACTERS_MAX).into(),
    }
}
