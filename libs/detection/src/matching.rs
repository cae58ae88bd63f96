use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Alert, AlertId, Event, Evidence, Fact, FactEntry, Key, SemanticHash, Source, Timestamp};
use jiff::tz::TimeZone;
use ruleset::{Mode, Pattern, Predicate, Rule, RuleSet};

use crate::alert;
use crate::predicate::{Subject, Truth, evaluate};
use crate::watermark::effective_time;

/// The first stage: which rules concern an event.
pub struct Matcher {
    rules: Vec<Prepared>,
    hash: SemanticHash,
}

/// A rule with what is looked up once.
struct Prepared {
    rule: Arc<Rule>,
    zone: TimeZone,
    /// The fields that the message reads, for facts to carry.
    names: Vec<String>,
}

/// What a batch of events led to. Facts of one rule and key are packed into one.
#[derive(Debug, Default)]
pub struct Matched {
    facts: BTreeMap<(SemanticHash, u8, Key), Fact>,
    /// Alerts of stateless rules, in the order of their events.
    pub alerts: Vec<Alert>,
    /// What was counted, by rule id.
    pub tally: BTreeMap<String, RuleTally>,
}

/// What match counts of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// Events that passed the filter of one of its sides.
    pub matched: u64,
    /// Of those, events that lack a group field: they never aggregate and never join.
    pub missing_key: u64,
}

impl Matched {
    /// The facts, in the order of rule, side and key.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.alerts.is_empty()
    }
}

impl Matcher {
    /// Evaluates the rules of `rules` that are not off.
    pub fn new(rules: &RuleSet) -> Self {
        let on = rules.rules().iter().filter(|rule| rule.mode != Mode::Off);
        Self {
            rules: on.cloned().map(Prepared::new).collect(),
            hash: rules.hash(),
        }
    }

    /// The hash that ticks announce.
    pub fn rule_set(&self) -> SemanticHash {
        self.hash
    }

    /// Evaluates every rule on one event, which lies at `source` and arrived at `arrival`.
    pub fn evaluate(&self, event: &Event, source: Source, arrival: Timestamp, into: &mut Matched) {
        let time = effective_time(event.time, arrival);
        for prepared in &self.rules {
            let passes = |filter: &Predicate| {
                evaluate(
                    filter,
                    &Subject {
                        event,
                        time,
                        zone: &prepared.zone,
                    },
                ) == Truth::Yes
            };
            if let Pattern::Each(filter) = &prepared.rule.pattern {
                if passes(filter) {
                    prepared.fire(event, source, time, into);
                }
                continue;
            }
            for side in prepared.rule.pattern.sides() {
                if passes(side.filter) {
                    prepared.forward(event, side.number, side.key.into_iter(), source, time, into);
                }
            }
        }
    }
}

impl Prepared {
    fn new(rule: Arc<Rule>) -> Self {
        let zone = TimeZone::get(&rule.timing.timezone).unwrap_or(TimeZone::UTC);
        let read = rule.message.fields().chain(rule.pattern.value_fields());
        let mut names: Vec<String> = read.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Self { rule, zone, names }
    }

    fn tally<'a>(&self, into: &'a mut Matched) -> &'a mut RuleTally {
        if !into.tally.contains_key(&self.rule.id) {
            into.tally.insert(self.rule.id.clone(), RuleTally::default());
        }
        into.tally.get_mut(&self.rule.id).expect("it was just inserted")
    }

    /// A stateless rule: one alert per event, which never closes.
    fn fire(&self, event: &Event, source: Source, time: Timestamp, into: &mut Matched) {
        self.tally(into).matched += 1;
        if self.rule.mode != Mode::Live || !self.rule.generates {
            return;
        }
        let key = Key::new(&event.tenant, []);
        let evidence = Evidence {
            topic: source.partition.topic.name().to_owned(),
            partition: source.partition.partition,
            offset: source.offset,
            event_id: event.event_id.clone(),
            time,
            weight: event.repeat,
        };
        let rule = &self.rule;
        let message = rule
            .message
            .render(|name| event.field(name).map(|value| value.as_text().into_owned()));
        let alert_id = AlertId::new(&event.tenant, &rule.id, rule.hash, &key, &event.event_id, time);
        into.alerts
            .push(alert::of_event(rule, &event.tenant, alert_id, message, evidence));
    }

    /// A stateful rule: what it needs of the event, under the key it groups by.
    fn forward<'a>(
        &self,
        event: &Event,
        side: u8,
        fields: impl Iterator<Item = &'a str>,
        source: Source,
        time: Timestamp,
        into: &mut Matched,
    ) {
        let values: Option<Vec<String>> = fields.map(|name| key_value(event, name)).collect();
        let tally = self.tally(into);
        tally.matched += 1;
        let Some(values) = values else {
            tally.missing_key += 1;
            return;
        };
        let key = Key::new(&event.tenant, values.iter().map(String::as_str));
        let value = |name: &String| event.field(name).map(event::FieldValue::into_owned);
        let entry = FactEntry {
            time,
            source,
            event_id: event.event_id.clone(),
            weight: event.repeat,
            values: self.names.iter().map(value).collect(),
        };
        let rule = self.rule.hash;
        let fact = into.facts.entry((rule, side, key.clone()));
        let new = || Fact {
            rule,
            level: 0,
            side,
            key,
            names: self.names.clone(),
            entries: Vec::new(),
        };
        fact.or_insert_with(new).entries.push(entry);
    }
}

/// The value of a group field; an empty one is none.
fn key_value(event: &Event, name: &str) -> Option<String> {
    event
        .field(name)
        .map(|value| value.as_text().into_owned())
        .filter(|value| !value.is_empty())
}
