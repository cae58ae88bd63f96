//! Alerts as a person reads them, as they open.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use event::{Alert, AlertId, AlertStatus, DEFAULT_TENANT, EventHash, Severity};
use indicatif::ProgressBar;

use crate::output::{counted, printable, say};

/// Where alerts are told, and what is known of them.
pub(super) struct Console {
    /// Makes way for what is printed.
    bar: ProgressBar,
    coloured: bool,
    /// Where the lines are that were replayed, by event: some hundred bytes for each line.
    places: Mutex<BTreeMap<EventHash, String>>,
    /// The last word on every alert.
    alerts: Mutex<BTreeMap<AlertId, Told>>,
}

/// What the summary says of an alert.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) rule_id: String,
    pub(super) severity: Severity,
    /// It is an episode that may go on. What one event led to has no end.
    pub(super) is_open: bool,
}

impl Console {
    pub(super) fn new(bar: ProgressBar, coloured: bool) -> Self {
        Self {
            bar,
            coloured,
            places: Mutex::default(),
            alerts: Mutex::default(),
        }
    }

    /// The event of that id was read there.
    pub(super) fn locate(&self, event_id: &str, place: String) {
        lock(&self.places).insert(EventHash::new(DEFAULT_TENANT, event_id), place);
    }

    /// Takes note of an alert, and prints it if it is new.
    pub(super) fn tell(&self, alert: &Alert) {
        let told = Told {
            rule_id: alert.rule_id.clone(),
            severity: alert.severity,
            is_open: alert.status != AlertStatus::Closed && !alert.key.is_empty(),
        };
        if alert.merged_into.is_some() {
            lock(&self.alerts).remove(&alert.alert_id);
        } else {
            lock(&self.alerts).insert(alert.alert_id, told);
        }
        if alert.status == AlertStatus::Opened {
            self.bar.suspend(|| say(&self.describe(alert)));
        }
    }

    /// So many bytes more are replayed.
    pub(super) fn progressed(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Everything is replayed.
    pub(super) fn replayed(&self) {
        self.bar.finish_and_clear();
    }

    /// All alerts, in no order that matters.
    pub(super) fn alerts(&self) -> Vec<Told> {
        lock(&self.alerts).values().cloned().collect()
    }

    /// Text in the colour of a severity.
    pub(super) fn coloured(&self, severity: Severity, text: &str) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let colour = match severity {
            Severity::Critical => "1;97;41",
            Severity::High => "1;31",
            Severity::Medium => "1;33",
            Severity::Low => "1;36",
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }

    fn describe(&self, alert: &Alert) -> String {
        let severity = format!("{:<8}", alert.severity.as_str().to_uppercase());
        let severity = self.coloured(alert.severity, &severity);
        let mut facts = vec![printable(&alert.title), counted(alert.count, "event")];
        for (field, value) in &alert.key {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            facts.push(format!("{} {}", printable(field), printable(&value)));
        }
        let first = alert.events.first();
        let place = first.and_then(|first| {
            let places = lock(&self.places);
            places.get(&EventHash::new(&alert.tenant, &first.event_id)).cloned()
        });
        if let Some(place) = place {
            facts.push(format!("from {}", printable(&place)));
        }
        format!(
            "{severity} {} {}\n         {}",
            alert.opened_at,
            printable(&alert.message),
            facts.join(", ")
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
