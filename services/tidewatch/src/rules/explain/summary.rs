use std::collections::BTreeMap;

use detection::{Answer, Explained, Truth};
use event::{Alert, AlertStatus};

use super::stages::{Became, Fate};
use crate::output::counted;

/// What was counted over all events, shown or not.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) events: u64,
    /// Lines that are no events.
    pub(super) unread: u64,
    /// Events that passed a filter of the rule.
    pub(super) passed: u64,
    /// Of those, events that lack a field of the key.
    pub(super) without_key: u64,
    pub(super) taken: u64,
    pub(super) suppressed: u64,
    pub(super) duplicate: u64,
    pub(super) late: u64,
    pub(super) no_value: u64,
    pub(super) opened: u64,
    /// The first condition that kept an event out, whether it said no or did not know, and how often.
    kept_out: BTreeMap<(String, &'static str), u64>,
}

/// How many of the conditions that keep events out are named.
const KEPT_OUT_NAMED: usize = 5;

impl Summary {
    pub(super) fn add(&mut self, sides: &[Explained], became: &[Became], alerts: &[Alert]) {
        self.events += 1;
        let passed: Vec<&Explained> = sides.iter().filter(|side| side.answer.truth == Truth::Yes).collect();
        if passed.is_empty() {
            for side in sides {
                let cause = first_cause(&side.answer);
                *self
                    .kept_out
                    .entry((cause.condition.clone(), word(cause.truth)))
                    .or_default() += 1;
            }
        } else {
            self.passed += 1;
            self.without_key += u64::from(passed.iter().any(|side| side.found.is_none()));
        }
        for became in became {
            let count = match became.fate {
                Fate::Taken => &mut self.taken,
                Fate::Suppressed => &mut self.suppressed,
                Fate::Duplicate => &mut self.duplicate,
                Fate::Late => &mut self.late,
                Fate::NoValue => &mut self.no_value,
            };
            *count += 1;
        }
        self.alerts(alerts);
    }

    pub(super) fn alerts(&mut self, alerts: &[Alert]) {
        let opened = alerts.iter().filter(|alert| alert.status == AlertStatus::Opened);
        self.opened += opened.count() as u64;
    }

    /// The conditions that kept most events out: the condition, what it said, and how often.
    pub(super) fn kept_out(&self) -> Vec<(&str, &'static str, u64)> {
        let mut causes: Vec<_> = self
            .kept_out
            .iter()
            .map(|((condition, said), count)| (condition.as_str(), *said, *count))
            .collect();
        causes.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        causes.truncate(KEPT_OUT_NAMED);
        causes
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}: {} passed, {} of them without a key; {}",
                counted(self.events, "event"),
                self.passed,
                self.without_key,
                counted(self.opened, "alert"),
            ),
            format!(
                "under keys: {} taken, {} suppressed, {} folded, {} late, {} without a value",
                self.taken, self.suppressed, self.duplicate, self.late, self.no_value
            ),
        ];
        if self.unread > 0 {
            lines.push(format!("{} not readable", counted(self.unread, "line")));
        }
        for (condition, said, count) in self.kept_out() {
            lines.push(format!(
                "kept out by: {condition}: {said} for {}",
                counted(count, "event")
            ));
        }
        lines
    }
}

pub(super) fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::No => "no",
        Truth::Unknown => "unknown",
        Truth::Yes => "yes",
    }
}

/// The first condition that has none inside it and is why this one is not yes.
fn first_cause(answer: &Answer) -> &Answer {
    let denies = matches!(answer.condition.as_str(), "not" | "unless");
    let cause = answer.parts.iter().find(|part| part.truth != Truth::Yes);
    match cause {
        Some(cause) if !denies => first_cause(cause),
        Some(_) | None => answer,
    }
}
