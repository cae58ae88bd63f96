use anyhow::Result;
use event::{Alert, AlertStatus, Evidence, SourceTopic};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Counts, Place, Places};
use crate::output::{complain, printable, say};

/// What is needed to print alerts with the lines they rest on.
pub(super) struct Report {
    pub(super) files: Vec<String>,
    pub(super) places: Places,
    pub(super) counts: Counts,
}

/// An alert as a line of JSON.
#[derive(Serialize)]
struct AlertLine<'a> {
    alert_id: String,
    rule_id: &'a str,
    title: &'a str,
    message: &'a str,
    severity: &'a str,
    status: &'a str,
    key: &'a Map<String, Value>,
    opened_at: String,
    first_event_at: String,
    last_event_at: String,
    count: u64,
    events: Vec<EventLine<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    events_omitted: u64,
}

/// A line of a file that an alert rests on.
#[derive(Serialize)]
struct EventLine<'a> {
    file: &'a str,
    line: u64,
    time: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Report {
    /// One JSON object a line.
    pub(super) fn json_lines(&self, alerts: &[Alert]) -> Result<()> {
        for alert in alerts {
            let line = AlertLine {
                alert_id: alert.alert_id.to_string(),
                rule_id: &alert.rule_id,
                title: &alert.title,
                message: &alert.message,
                severity: alert.severity.as_str(),
                status: alert.status.as_str(),
                key: &alert.key,
                opened_at: alert.opened_at.to_string(),
                first_event_at: alert.first_event_at.to_string(),
                last_event_at: alert.last_event_at.to_string(),
                count: alert.count,
                events: alert
                    .events
                    .iter()
                    .filter_map(|evidence| self.event_line(evidence))
                    .collect(),
                events_omitted: alert.events_omitted,
            };
            say(&serde_json::to_string(&line)?);
        }
        Ok(())
    }

    /// For people: an alert a paragraph, then what was read.
    pub(super) fn table(&self, alerts: &[Alert]) {
        for alert in alerts {
            let ended = if alert.status == AlertStatus::Closed {
                ""
            } else {
                ", not over when the log ends"
            };
            say(&format!(
                "{:<8} {}",
                alert.severity.as_str().to_uppercase(),
                printable(&alert.message)
            ));
            say(&format!(
                "         {} ({}), {} events{ended}",
                alert.title, alert.rule_id, alert.count
            ));
            say(&format!("         {} to {}", alert.first_event_at, alert.last_event_at));
            if let (Some(first), Some(last)) = (alert.events.first(), alert.events.last()) {
                say(&format!(
                    "         {} to {}",
                    self.place_text(first),
                    self.place_text(last)
                ));
            }
            say("");
        }
        let Counts {
            lines,
            events,
            dead_letters,
        } = self.counts;
        complain(&format!(
            "{lines} lines: {events} events, {dead_letters} not readable; {} alerts",
            alerts.len()
        ));
    }

    fn place(&self, evidence: &Evidence) -> Option<Place> {
        let tier = match SourceTopic::from_name(&evidence.topic)? {
            SourceTopic::Security => 0,
            SourceTopic::Audit => 1,
            SourceTopic::Access => 2,
            SourceTopic::Facts => return None,
        };
        self.places.of_tier[tier]
            .get(usize::try_from(evidence.offset).ok()?)
            .copied()
    }

    fn event_line(&self, evidence: &Evidence) -> Option<EventLine<'_>> {
        let place = self.place(evidence)?;
        let file = self.files.get(place.file as usize)?;
        Some(EventLine {
            file,
            line: place.line,
            time: evidence.time.to_string(),
        })
    }

    fn place_text(&self, evidence: &Evidence) -> String {
        let line = self.event_line(evidence);
        line.map_or_else(|| "?".to_owned(), |line| format!("{}:{}", line.file, line.line))
    }
}
