//! Slack, over an incoming webhook.
//!
//! Values come from attackers. `&`, `<` and `>` are escaped, so that none of them mentions a channel or hides a link
//! behind other words; markup is off in the whole message; links are not unfolded. A Slack webhook knows no
//! idempotency key, so an attempt whose answer was lost may be seen twice.

use std::time::Duration;

use event::{Alert, AlertStatus, Severity};
use serde_json::{Value, json};

use crate::outbox::Pace;
use crate::{Answer, Channel, Message, Outcome, Sending, text};

/// The most characters of a title, of the message and of a field, before escaping.
const TITLE_CHARACTERS_MAX: usize = 150;
const MESSAGE_CHARACTERS_MAX: usize = 2000;
const FIELD_CHARACTERS_MAX: usize = 300;
/// The most group fields that are shown.
const KEY_FIELDS_MAX: usize = 10;

/// Posts to a channel of Slack. The address of the webhook is the secret.
pub struct Slack;

impl Channel for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn severities(&self) -> &'static [Severity] {
        &[Severity::High, Severity::Critical]
    }

    fn statuses(&self) -> &'static [AlertStatus] {
        &[AlertStatus::Opened]
    }

    fn pace(&self) -> Option<Pace> {
        Some(Pace {
            interval: Duration::from_secs(1),
            burst: 3,
        })
    }

    fn check_secret(&self, secret: &str) -> Result<(), &'static str> {
        if secret.is_empty() {
            Ok(())
        } else {
            Err("a Slack webhook has no secret beside its address")
        }
    }

    fn message(&self, alert: &Alert, _sending: &Sending<'_>) -> Message {
        let title = safe(&alert.title, TITLE_CHARACTERS_MAX);
        let message = safe(&alert.message, MESSAGE_CHARACTERS_MAX);
        let body = json!({
            "text": format!("Tidewatch: {} {}: {title}", alert.severity, word(alert.status)),
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "attachments": [{
                "fallback": format!("{title}: {message}"),
                "color": color(alert),
                "title": format!("Tidewatch: {title}"),
                "text": message,
                "fields": fields(alert),
                "mrkdwn_in": [],
                "footer": "Tidewatch",
                "ts": moment(alert).as_millis().div_euclid(1000),
            }],
        });
        let mut message = Message::json(&body);
        message
            .headers
            .push(("content-type", "application/json; charset=utf-8".into()));
        message
    }

    /// Slack says `ok`. A page of a proxy and an error with status 200 do not.
    fn outcome(&self, _alert: &Alert, answer: &Answer<'_>) -> Outcome {
        let outcome = answer.outcome();
        if outcome == Outcome::Delivered && answer.body.trim_ascii() != b"ok" {
            answer.refusal()
        } else {
            outcome
        }
    }
}

fn fields(alert: &Alert) -> Vec<Value> {
    let field = |title: &str, value: String| json!({"title": title, "value": value, "short": true});
    let mut fields = vec![
        field("Severity", alert.severity.to_string()),
        field("Event", safe(&alert.rule_id, FIELD_CHARACTERS_MAX)),
    ];
    let key = alert.key.iter().take(KEY_FIELDS_MAX);
    fields.extend(key.map(|(name, value)| {
        let title = match name.as_str() {
            "source_ip" => "IP".to_owned(),
            "user_id" => "User".to_owned(),
            other => safe(other, FIELD_CHARACTERS_MAX),
        };
        field(&title, escape(&text::value(value, FIELD_CHARACTERS_MAX)))
    }));
    fields.push(field("Events", alert.count.to_string()));
    fields.push(field("First", alert.first_event_at.to_string()));
    fields.push(field("Last", alert.last_event_at.to_string()));
    fields.push(field("Alert", alert.alert_id.to_string()));
    fields
}

/// The time that the message is about.
fn moment(alert: &Alert) -> event::Timestamp {
    match alert.status {
        AlertStatus::Opened => alert.opened_at,
        AlertStatus::Updated | AlertStatus::Closed => alert.last_event_at,
    }
}

fn word(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Opened => "alert",
        AlertStatus::Updated => "alert goes on",
        AlertStatus::Closed => "alert is over",
    }
}

fn color(alert: &Alert) -> &'static str {
    match (alert.status, alert.severity) {
        (AlertStatus::Closed, _) => "good",
        (_, Severity::Critical) => "danger",
        (_, Severity::High) => "warning",
        (_, Severity::Medium) => "#f2c744",
        (_, Severity::Low) => "#439fe0",
    }
}

fn safe(text: &str, characters_max: usize) -> String {
    escape(&text::plain(text, characters_max))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
