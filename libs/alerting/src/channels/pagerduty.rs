//! PagerDuty, over the Events API v2.
//!
//! The `dedup_key` is the alert id, so a repeated attempt folds into the incident it opened: delivery is effectively
//! once while that incident is open. An alert that closes resolves its incident.

use event::{Alert, AlertStatus, Severity};
use serde_json::{Map, Value, json};

use crate::{Answer, Channel, Message, Outcome, Sending, text};

/// The most characters of a summary that PagerDuty takes.
const SUMMARY_CHARACTERS_MAX: usize = 1024;
/// The most characters of any other text.
const CHARACTERS_MAX: usize = 1000;
/// The most entries of a list: a body over 512 KB is refused.
const ENTRIES_MAX: usize = 20;

/// Opens and resolves incidents. The secret is the routing key of the service.
pub struct PagerDuty;

impl Channel for PagerDuty {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn severities(&self) -> &'static [Severity] {
        &[Severity::Critical]
    }

    fn statuses(&self) -> &'static [AlertStatus] {
        &[AlertStatus::Opened, AlertStatus::Closed]
    }

    fn default_url(&self) -> Option<&'static str> {
        Some("https://events.pagerduty.com/v2/enqueue")
    }

    fn check_secret(&self, secret: &str) -> Result<(), &'static str> {
        if secret.is_empty() {
            Err("the routing key of the PagerDuty service is needed")
        } else {
            Ok(())
        }
    }

    fn message(&self, alert: &Alert, sending: &Sending<'_>) -> Message {
        let mut body = json!({
            "routing_key": sending.secret,
            "event_action": "trigger",
            "dedup_key": alert.alert_id,
        });
        if alert.status == AlertStatus::Closed {
            body["event_action"] = "resolve".into();
        } else {
            body["payload"] = payload(alert);
            body["client"] = "Tidewatch".into();
        }
        let mut message = Message::json(&body);
        message.headers.push(("content-type", "application/json".into()));
        message
    }

    /// PagerDuty says `success` and under which key. A page of a proxy does not, and an incident under another key
    /// would never be resolved.
    fn outcome(&self, alert: &Alert, answer: &Answer<'_>) -> Outcome {
        let outcome = answer.outcome();
        if outcome == Outcome::Delivered && !is_success(alert, answer.body) {
            answer.refusal()
        } else {
            outcome
        }
    }
}

fn is_success(alert: &Alert, body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let key = body.get("dedup_key").and_then(Value::as_str);
    body["status"] == "success" && key.is_none_or(|key| key == alert.alert_id.to_string())
}

fn payload(alert: &Alert) -> Value {
    let first_value = alert
        .key
        .values()
        .next()
        .map(|value| text::value(value, CHARACTERS_MAX));
    json!({
        "summary": text::plain(&format!("{}: {}", alert.title, alert.message), SUMMARY_CHARACTERS_MAX),
        "severity": severity(alert.severity),
        "source": first_value.filter(|value| !value.is_empty()).unwrap_or_else(|| "tidewatch".into()),
        "timestamp": alert.opened_at,
        "component": text::plain(&alert.rule_id, CHARACTERS_MAX),
        "group": text::plain(&alert.tenant, CHARACTERS_MAX),
        "custom_details": details(alert),
    })
}

fn details(alert: &Alert) -> Value {
    let key = alert.key.iter().take(ENTRIES_MAX);
    let key: Map<String, Value> = key
        .map(|(name, value)| {
            (
                text::plain(name, CHARACTERS_MAX),
                text::value(value, CHARACTERS_MAX).into(),
            )
        })
        .collect();
    let tags = alert
        .tags
        .iter()
        .take(ENTRIES_MAX)
        .map(|tag| text::plain(tag, CHARACTERS_MAX));
    let events = alert.events.iter().take(ENTRIES_MAX);
    let events = events.map(|event| format!("{}/{}@{}", event.topic, event.partition, event.offset));
    json!({
        "alert_id": alert.alert_id,
        "severity": alert.severity,
        "message": text::plain(&alert.message, CHARACTERS_MAX),
        "key": key,
        "tags": tags.collect::<Vec<_>>(),
        "count": alert.count,
        "first_event_at": alert.first_event_at,
        "last_event_at": alert.last_event_at,
        "events": events.collect::<Vec<_>>(),
    })
}

/// PagerDuty's word for a severity.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "info",
    }
}
