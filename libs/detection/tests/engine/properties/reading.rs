//! The engine and the reference, side by side over one reading of the same events.

use std::collections::BTreeSet;

use detection::{Progress, SourceCounts};
use event::{Alert, AlertStatus, FieldValue, SemanticHash};
use proptest::test_runner::TestCaseError;
use ruleset::{Rule, RuleSet};

use super::random_events::{PARTITIONS, Read};
use crate::driver::{Engine, SECOND, Sent, time};
use crate::reference::{Episodes, Over, Seen, allowance, episodes, key};

pub(crate) const SOURCES: SourceCounts = SourceCounts {
    security: 2,
    audit: 1,
    access: 0,
    facts: 1,
};

/// What was read so far.
pub(crate) struct Reading<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) engine: Engine,
    progress: Progress,
    /// Each record in the order of reading, and the watermark of that moment.
    read: Vec<(&'a Sent, i64)>,
    watermark: i64,
}

/// Entries by rule, side and id of the event.
type Entries<'a> = BTreeSet<(SemanticHash, u8, Vec<String>, &'a str)>;

impl<'a> Reading<'a> {
    pub(crate) fn new(rules: &'a RuleSet) -> Self {
        Self {
            rules,
            engine: Engine::declared(rules, SOURCES),
            progress: Progress::default(),
            read: Vec::new(),
            watermark: i64::MIN,
        }
    }

    /// Reads on as the schedule says; after each step, `check`.
    pub(crate) fn read(
        &mut self,
        partitions: &'a [Vec<Sent>; 3],
        schedule: &[Read],
        check: impl Fn(&Self) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let mut at = [0_usize; 3];
        for step in schedule {
            let records = &partitions[step.partition][at[step.partition]..];
            let batch = &records[..step.records.min(records.len())];
            at[step.partition] += batch.len();
            self.engine.batch(batch);
            self.read.extend(batch.iter().map(|sent| (sent, self.watermark)));
            for sent in batch {
                self.progress.arrived(sent.source.partition, sent.arrival);
            }
            if step.is_ticked {
                self.tick();
            }
            if step.is_lost {
                self.engine.lose(self.rules, SOURCES);
            }
            check(self)?;
        }
        Ok(())
    }

    fn tick(&mut self) {
        let watermarks = self.progress.watermarks();
        if watermarks.len() == PARTITIONS.len() {
            let least = watermarks.iter().map(|(_, watermark)| watermark.as_millis()).min();
            self.watermark = self.watermark.max(least.unwrap());
        }
        self.engine.tick_of(watermarks);
    }

    /// Lets so much time pass that everything is over.
    pub(crate) fn finish(&mut self) {
        for partition in PARTITIONS {
            self.progress.arrived(partition, time(1_000_000 * SECOND));
        }
        self.tick();
    }

    /// What must be found of a rule, as far as the watermark has come.
    pub(crate) fn expected(&self, rule: &Rule) -> Episodes {
        let seen: Vec<Seen> = self.in_time(rule).collect();
        let grace = i64::try_from(rule.timing.grace.as_millis()).unwrap();
        episodes(rule, &seen, self.watermark.saturating_sub(grace))
    }

    fn in_time(&self, rule: &Rule) -> impl Iterator<Item = Seen<'a>> {
        let allowance = allowance(rule);
        let in_time =
            move |(sent, watermark): &&(&'a Sent, i64)| Seen::of(sent).time >= watermark.saturating_sub(allowance);
        self.read.iter().filter(in_time).map(|(sent, _)| Seen::of(sent))
    }

    /// What was found of a rule: the last words.
    pub(crate) fn found(&self, rule: &Rule) -> Vec<(Vec<String>, Alert)> {
        let words = self.engine.last_words().into_iter();
        let of_rule = words.filter(|alert| alert.rule_id == rule.id);
        of_rule.map(|alert| (key_of(rule, &alert), alert)).collect()
    }

    /// What was found of a rule, when everything is over.
    pub(crate) fn closed(&self, rule: &Rule) -> Episodes {
        let mut closed = Episodes::new();
        for (key, alert) in self.found(rule) {
            assert_eq!((alert.status, alert.events_omitted), (AlertStatus::Closed, 0));
            closed.entry(key).or_default().push(Over {
                first: alert.first_event_at.as_millis(),
                last: alert.last_event_at.as_millis(),
                count: alert.count,
                events: alert.events.into_iter().map(|evidence| evidence.event_id).collect(),
            });
        }
        closed.values_mut().for_each(|overs| overs.sort());
        closed
    }

    /// The entries of events that came in time, and of those that only came too late.
    pub(crate) fn entries(&self) -> (Entries<'a>, Entries<'a>) {
        let mut in_time = Entries::new();
        let mut all = Entries::new();
        for rule in self.rules.rules() {
            for side in rule.pattern.sides() {
                let entry = |seen: Seen<'a>| {
                    let id = seen.event.event_id.as_str();
                    Some((rule.hash, side.number, key(rule, &side, &seen)?, id))
                };
                in_time.extend(self.in_time(rule).filter_map(entry));
                all.extend(self.read.iter().filter_map(|(sent, _)| entry(Seen::of(sent))));
            }
        }
        let late = all.difference(&in_time).cloned().collect();
        (in_time, late)
    }
}

fn key_of(rule: &Rule, alert: &Alert) -> Vec<String> {
    let value = |name: &str| FieldValue::from_json(&alert.key[name]).unwrap().as_text().into_owned();
    let values = rule.key_fields().into_iter().map(value).collect();
    [vec![alert.tenant.clone()], values].concat()
}
