//! Rules that read the alerts of others: what is wrong with how they hang together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::error::{nearest, quoted};
use crate::lints::{ALERT_FIELD, SILENT_ALERTS};
use crate::rule_file::Located;
use crate::{Mode, Pattern, Place, Predicate, Rule, RuleError, RuleSet, RuleWarning, Side};

/// What every alert has, as an event for rules to read, beside the key of its rule.
const ALERT_FIELDS: [&str; 6] = ["rule_id", "severity", "message", "event_id", "time", "tenant"];

/// What is wrong with the rules that read alerts, and what is likely a mistake.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<RuleError>,
    pub(crate) warnings: Vec<RuleWarning>,
}

/// Looks at all rules together. `is_whole`: every rule could be read, so that one that is not there is nowhere.
pub(crate) fn check(rules: &[Located], is_whole: bool) -> Findings {
    let chains = Chains {
        by_id: rules
            .iter()
            .map(|located| (located.rule.id.as_str(), located))
            .collect(),
    };
    let mut findings = Findings::default();
    if is_whole {
        rules
            .iter()
            .for_each(|located| chains.refuse_unknown(located, &mut findings));
    }
    chains.refuse_circles_and_heights(&mut findings);
    for located in rules {
        chains.warn_of_silence(located, &mut findings);
        chains.warn_of_fields(located, &mut findings);
    }
    findings
}

struct Chains<'a> {
    by_id: BTreeMap<&'a str, &'a Located>,
}

impl<'a> Chains<'a> {
    /// The rules that are there and whose alerts this one reads.
    fn read_by(&self, rule: &'a Rule) -> impl Iterator<Item = &'a Located> {
        rule.alerts_read()
            .into_iter()
            .filter_map(|id| self.by_id.get(id).copied())
    }

    fn refuse_unknown(&self, located: &Located, findings: &mut Findings) {
        for id in located.rule.alerts_read() {
            if self.by_id.contains_key(id) {
                continue;
            }
            let meant = nearest(id, self.by_id.keys().copied());
            let meant = meant.map_or_else(String::new, |known| format!(": did you mean `{known}`?"));
            let message = format!("there is no rule {} whose alerts could be read{meant}", quoted(id));
            findings.errors.push(error(&located.query, message));
        }
    }

    /// Settles rules whose inputs are settled, lowest first. What is left over is in a circle or reads of one.
    fn refuse_circles_and_heights(&self, findings: &mut Findings) {
        let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
        let mut readers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for located in self.by_id.values() {
            let id = located.rule.id.as_str();
            waits.insert(id, self.read_by(&located.rule).count());
            for read in self.read_by(&located.rule) {
                readers.entry(&read.rule.id).or_default().push(id);
            }
        }
        let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
        let bottom = waits.iter().filter(|(_, count)| **count == 0);
        let mut settled: VecDeque<&str> = bottom.map(|(id, _)| *id).collect();
        while let Some(id) = settled.pop_front() {
            let located = self.by_id[id];
            let below = self.read_by(&located.rule).map(|read| levels[read.rule.id.as_str()]);
            let level = below.max().map_or(0, |highest| highest + 1);
            levels.insert(id, level);
            // One that is built on it is too high as well, and says nothing new.
            if level == usize::from(RuleSet::LEVEL_MAX) + 1 {
                let message = format!(
                    "this rule reads alerts of alerts {level} levels deep: at most {} are possible",
                    RuleSet::LEVEL_MAX
                );
                findings.errors.push(error(&located.query, message));
            }
            for reader in readers.get(id).into_iter().flatten() {
                let wait = waits.get_mut(reader).expect("every rule was entered above");
                *wait -= 1;
                if *wait == 0 {
                    settled.push_back(reader);
                }
            }
        }
        self.refuse_circles(&levels, findings);
    }

    /// From every rule that has no level there is a way into a circle; each circle is told once.
    fn refuse_circles(&self, levels: &BTreeMap<&str, usize>, findings: &mut Findings) {
        let mut walked: BTreeSet<&str> = BTreeSet::new();
        for start in self.by_id.keys().copied().filter(|id| !levels.contains_key(id)) {
            let mut way: Vec<&str> = Vec::new();
            let mut at = start;
            while walked.insert(at) {
                way.push(at);
                let mut unsettled = self.read_by(&self.by_id[at].rule).map(|read| read.rule.id.as_str());
                at = unsettled
                    .find(|id| !levels.contains_key(id))
                    .expect("a rule without a level reads one without");
            }
            let Some(from) = way.iter().position(|id| *id == at) else {
                continue;
            };
            let circle = &way[from..];
            let names: Vec<String> = circle.iter().chain(&circle[..1]).map(|id| quoted(id)).collect();
            let message = format!(
                "rules that read each other's alerts in a circle: {}",
                names.join(" reads ")
            );
            findings.errors.push(error(&self.by_id[circle[0]].query, message));
        }
    }

    fn warn_of_silence(&self, located: &Located, findings: &mut Findings) {
        if located.rule.mode == Mode::Off {
            return;
        }
        for read in self.read_by(&located.rule) {
            if read.rule.mode == Mode::Off {
                let message = format!("{} is off: it has no alerts to read", quoted(&read.rule.id));
                findings.warnings.extend(warning(located, SILENT_ALERTS, message));
            }
        }
    }

    /// A field that the alerts of a rule never have makes a condition that never holds, or a key that is always missing.
    fn warn_of_fields(&self, located: &Located, findings: &mut Findings) {
        let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
        for side in located.rule.pattern.sides() {
            // What takes events of the log as well may mean their fields.
            if !side.filter.demands_alert() {
                continue;
            }
            for read in side.filter.alerts().into_iter().filter_map(|id| self.by_id.get(id)) {
                let read = &read.rule;
                // An alert on a single event has that event's fields.
                if matches!(read.pattern, Pattern::Each(_)) {
                    continue;
                }
                let missing = fields(&located.rule, &side).into_iter();
                for field in missing.filter(|field| !has(read, field) && told.insert((&read.id, *field))) {
                    let key = read.key_fields();
                    let key = if key.is_empty() {
                        "no key".to_owned()
                    } else {
                        key.join(", ")
                    };
                    let message = format!(
                        "alerts of {} have no field {}: they have {key}; {}",
                        quoted(&read.id),
                        quoted(field),
                        ALERT_FIELDS.join(", ")
                    );
                    findings.warnings.extend(warning(located, ALERT_FIELD, message));
                }
            }
        }
    }
}

/// The fields that a side reads of what it takes.
fn fields<'a>(rule: &'a Rule, side: &Side<'a>) -> BTreeSet<&'a str> {
    let mut fields: BTreeSet<&str> = side.key.iter().copied().collect();
    fields.extend(rule.pattern.value_fields());
    side.filter.walk(&mut |condition| {
        if let Predicate::Field { name, .. } = condition {
            fields.insert(name);
        }
    });
    fields
}

fn has(rule: &Rule, field: &str) -> bool {
    let bare = |name: &str| name.strip_prefix("metadata.").unwrap_or(name).to_owned();
    ALERT_FIELDS.contains(&field) || rule.key_fields().iter().any(|known| bare(known) == bare(field))
}

fn error(place: &Place, message: String) -> RuleError {
    RuleError {
        place: place.clone(),
        message,
    }
}

/// A warning of a rule in which the lint is not off.
fn warning(located: &Located, (lint, _): (&'static str, &str), message: String) -> Option<RuleWarning> {
    (!located.off.contains(&lint)).then(|| RuleWarning {
        lint,
        place: located.query.clone(),
        message,
    })
}

#[cfg(test)]
mod tests;
