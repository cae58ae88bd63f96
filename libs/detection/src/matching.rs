use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Alert, AlertId, Event, Evidence, Fact, FactEntry, FieldValue, Key, SemanticHash, Source, Timestamp};
use jiff::tz::TimeZone;
use ruleset::{Mode, Rule, RuleSet};

use crate::alert;
use crate::chain::{Chains, Derived};
use crate::opening::{Of, Opening};
use crate::packed::{Addressed, Facts};
use crate::predicate::{Condition, Truth};
use crate::subject::{Slots, Subject};
use crate::watermark::effective_time;

/// The first stage: which rules concern an event.
pub struct Matcher {
    rules: Vec<Prepared>,
    slots: Slots,
    chains: Chains,
    hash: SemanticHash,
}

/// A rule with what is looked up once.
struct Prepared {
    rule: Arc<Rule>,
    sides: Vec<PreparedSide>,
    /// The fields that the message reads, for facts to carry.
    names: Vec<String>,
}

/// One kind of event that a rule takes.
struct PreparedSide {
    number: u8,
    condition: Condition,
    key: Vec<String>,
}

/// What a batch of events led to. Facts of one rule and key are packed into one.
#[derive(Debug, Default)]
pub struct Matched {
    facts: Facts,
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
        self.facts.iter()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.alerts.is_empty()
    }
}

impl Matcher {
    /// Evaluates the rules of `rules` that are not off.
    pub fn new(rules: &RuleSet) -> Self {
        let mut slots = Slots::default();
        let on = rules.rules().iter().filter(|rule| rule.mode != Mode::Off);
        Self {
            rules: on.cloned().map(|rule| Prepared::new(rule, &mut slots)).collect(),
            slots,
            chains: Chains::new(rules),
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
        let subject = Subject::of_event(event, time, &self.slots);
        let mut number = 0;
        for prepared in &self.rules {
            for side in &prepared.sides {
                if side.condition.ask(&subject) != Truth::Yes {
                    continue;
                }
                if prepared.rule.is_stateful() {
                    prepared.forward(event, side, source, time, into);
                } else {
                    prepared.fire(event, source, time, &self.chains, &mut number, into);
                }
            }
        }
    }
}

impl Prepared {
    fn new(rule: Arc<Rule>, slots: &mut Slots) -> Self {
        let zone = TimeZone::get(&rule.timing.timezone).unwrap_or(TimeZone::UTC);
        let read = rule.message.fields().chain(rule.pattern.value_fields());
        let mut names: Vec<String> = read.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let sides = rule.pattern.sides().into_iter().map(|side| PreparedSide {
            number: side.number,
            condition: Condition::new(side.filter, &zone, slots),
            key: side.key.into_iter().map(str::to_owned).collect(),
        });
        let sides = sides.collect();
        Self { rule, sides, names }
    }

    fn tally<'a>(&self, into: &'a mut Matched) -> &'a mut RuleTally {
        if !into.tally.contains_key(&self.rule.id) {
            into.tally.insert(self.rule.id.clone(), RuleTally::default());
        }
        into.tally.get_mut(&self.rule.id).expect("it was just inserted")
    }

    /// A stateless rule: one alert per event, which never closes.
    fn fire(
        &self,
        event: &Event,
        source: Source,
        time: Timestamp,
        chains: &Chains,
        number: &mut u32,
        into: &mut Matched,
    ) {
        self.tally(into).matched += 1;
        let rule = &self.rule;
        let is_told = rule.mode == Mode::Live && rule.generates;
        if !is_told && !chains.is_read(rule) {
            return;
        }
        let key = Key::new(&event.tenant, []);
        let message = rule
            .message
            .render(|name| event.field(name).map(|value| value.as_text().into_owned()));
        let alert_id = AlertId::new(&event.tenant, &rule.id, rule.hash, &key, &event.event_id, time);
        if is_told {
            let evidence = Evidence {
                topic: source.partition.topic.name().to_owned(),
                partition: source.partition.partition,
                offset: source.offset,
                event_id: event.event_id.clone(),
                time,
                weight: event.repeat,
            };
            let alert = alert::of_event(rule, &event.tenant, alert_id, message.clone(), evidence);
            into.alerts.push(alert);
        }
        let opening = Opening {
            rule,
            tenant: &event.tenant,
            id: alert_id.to_string(),
            message: &message,
            time,
            of: Of::Event(event),
        };
        chains.feed(
            &opening,
            &mut Derived {
                facts: &mut into.facts,
                alerts: &mut into.alerts,
                tally: &mut into.tally,
                at: source,
                number,
            },
        );
    }

    /// A stateful rule: what it needs of the event, under the key it groups by.
    fn forward(&self, event: &Event, side: &PreparedSide, source: Source, time: Timestamp, into: &mut Matched) {
        let tally = self.tally(into);
        tally.matched += 1;
        let Some(key) = key_of(&event.tenant, &side.key, |name| event.field(name)) else {
            tally.missing_key += 1;
            return;
        };
        let value = |name: &String| event.field(name).map(event::FieldValue::into_owned);
        let entry = FactEntry {
            time,
            source,
            event_id: event.event_id.clone(),
            weight: event.repeat,
            values: self.names.iter().map(value).collect(),
        };
        let to = Addressed {
            rule: self.rule.hash,
            level: 0,
            side: side.number,
            key,
            names: &self.names,
        };
        into.facts.add(to, entry);
    }
}

/// The key of the group fields; `None` if one of them has no value. An empty value is none, and so is a list.
pub(crate) fn key_of<'a>(
    tenant: &str,
    names: &[String],
    field: impl Fn(&str) -> Option<FieldValue<'a>>,
) -> Option<Key> {
    let value = |name: &String| {
        let value = field(name)?;
        let is_one = !matches!(value, FieldValue::List(_));
        let text = is_one.then(|| value.as_text().into_owned());
        text.filter(|text| !text.is_empty())
    };
    let values: Option<Vec<String>> = names.iter().map(value).collect();
    Some(Key::new(tenant, values?.iter().map(String::as_str)))
}
