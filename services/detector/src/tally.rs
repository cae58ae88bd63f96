use std::collections::BTreeMap;

use detection::{CorrelateTally, Matched, RuleTally, Step};
use event::Alert;

/// What became of the records of one partition since the last commit. It is shown when they are committed, so that an
/// aborted transaction counts nothing and its second evaluation counts once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) evaluated: u64,
    pub(crate) heartbeats: u64,
    pub(crate) derived: u64,
    pub(crate) dead_letters: u64,
    pub(crate) rules: BTreeMap<String, RuleTally>,
    pub(crate) facts: CorrelateTally,
    pub(crate) alerts: BTreeMap<AlertLabels, u64>,
}

/// What alerts are counted by. Of all these there are few: rules and tenants are named by operators, tenants in the
/// settings of the doors, never in the bytes of a producer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AlertLabels {
    pub(crate) rule: String,
    pub(crate) severity: &'static str,
    pub(crate) status: &'static str,
    pub(crate) tenant: String,
}

impl Tally {
    pub(crate) fn matched(&mut self, matched: &Matched) {
        self.rules(&matched.tally);
        self.alerts(&matched.alerts);
    }

    pub(crate) fn correlated(&mut self, step: &Step) {
        self.facts.add(step.tally);
        self.rules(&step.readers);
        self.alerts(&step.alerts);
    }

    fn rules(&mut self, tallies: &BTreeMap<String, RuleTally>) {
        for (rule, counted) in tallies {
            let known = self.rules.entry(rule.clone()).or_default();
            known.matched += counted.matched;
            known.missing_key += counted.missing_key;
        }
    }

    fn alerts(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            let labels = AlertLabels {
                rule: alert.rule_id.clone(),
                severity: alert.severity.as_str(),
                status: alert.status.as_str(),
                tenant: alert.tenant.clone(),
            };
            *self.alerts.entry(labels).or_default() += 1;
        }
    }
}
