//! What a test expected and what it found, told as a diff.

use event::Alert;
use ruleset::Expectation;
use serde_json::Value;

/// One field of an alert, as it is expected or as it is.
type Said = (String, String);

/// What is expected and not there (`-`), or there and not expected (`+`); alerts are compared in the order of opening.
pub(super) fn difference(expected: &[Expectation], alerts: &[Alert]) -> Vec<String> {
    let mut lines = Vec::new();
    for index in 0..expected.len().max(alerts.len()) {
        let said = match (expected.get(index), alerts.get(index)) {
            (Some(expected), Some(alert)) => of_both(expected, alert),
            (Some(expected), None) => {
                let said = wanted(expected).map(|(field, value)| format!("- {field}: {value}"));
                with_head("- an alert, which was not raised", said)
            }
            (None, Some(alert)) => {
                let said = found(alert)
                    .into_iter()
                    .map(|(field, value)| format!("+ {field}: {value}"));
                with_head("+ an alert, which is not expected", said)
            }
            (None, None) => Vec::new(),
        };
        if !said.is_empty() {
            lines.push(format!("alert {}:", index + 1));
            lines.extend(said.into_iter().map(|line| format!("  {line}")));
        }
    }
    lines
}

fn with_head(head: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    [head.to_owned()].into_iter().chain(lines).collect()
}

fn of_both(expected: &Expectation, alert: &Alert) -> Vec<String> {
    let found = found(alert);
    let mut lines = Vec::new();
    for (field, wanted) in wanted(expected) {
        let value = found
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value.as_str());
        if value != Some(&wanted) {
            lines.push(format!("- {field}: {wanted}"));
            lines.push(format!("+ {field}: {}", value.unwrap_or("nothing")));
        }
    }
    lines
}

fn wanted(expected: &Expectation) -> impl Iterator<Item = Said> {
    let Expectation {
        key,
        count,
        message,
        first_event_at,
        last_event_at,
        events,
    } = expected;
    let mut said: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in key.iter().flatten() {
        said.push((format!("key.{name}"), Some(plain(value))));
    }
    said.push(("count".to_owned(), count.map(|count| count.to_string())));
    said.push(("message".to_owned(), message.clone()));
    said.push(("first_event_at".to_owned(), first_event_at.map(|time| time.to_string())));
    said.push(("last_event_at".to_owned(), last_event_at.map(|time| time.to_string())));
    said.push(("events".to_owned(), events.as_ref().map(|ids| ids.join(", "))));
    said.into_iter().filter_map(|(field, value)| Some((field, value?)))
}

fn found(alert: &Alert) -> Vec<Said> {
    let key = alert
        .key
        .iter()
        .map(|(name, value)| (format!("key.{name}"), plain(value)));
    let mut said: Vec<Said> = key.collect();
    let ids: Vec<&str> = alert.events.iter().map(|evidence| evidence.event_id.as_str()).collect();
    let rest = [
        ("count", alert.count.to_string()),
        ("message", alert.message.clone()),
        ("first_event_at", alert.first_event_at.to_string()),
        ("last_event_at", alert.last_event_at.to_string()),
        ("events", ids.join(", ")),
    ];
    said.extend(rest.map(|(field, value)| (field.to_owned(), value)));
    said
}

/// A group value as keys hold it: text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
