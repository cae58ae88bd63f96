use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Alert, AlertId, DecodeError, Evidence, Fact, FactEntry, FieldValue, Key, SemanticHash, Source, Timestamp};
use jiff::tz::TimeZone;
use ruleset::{Mode, Rule, RuleSet};

use crate::alert;
use crate::chain::{Chains, Derived};
use crate::dispatch::{Candidates, Dispatch};
use crate::extract::{Extractor, Reading};
use crate::metadata::{Values, emptied};
use crate::opening::{Of, Opening};
use crate::packed::{Addressed, Facts};
use crate::predicate::{Condition, Truth};
use crate::subject::{Slot, Slots, Subject};

/// The first stage: which rules concern an event.
pub struct Matcher {
    rules: Vec<Prepared>,
    /// Of all rules, in their order.
    sides: Vec<PreparedSide>,
    extractor: Extractor,
    dispatch: Dispatch,
    candidates: Candidates,
    room: Values<'static>,
    slots: Slots,
    chains: Chains,
    hash: SemanticHash,
}

/// A rule with what is looked up once.
struct Prepared {
    rule: Arc<Rule>,
    /// The fields that the message and the evaluation read, for facts to carry; sorted.
    names: Vec<String>,
    /// Their slots.
    values: Vec<Slot>,
}

/// One kind of event that a rule takes.
struct PreparedSide {
    /// The place of its rule among the rules.
    rule: usize,
    number: u8,
    condition: Condition,
    key: Vec<Slot>,
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
        let on = || rules.rules().iter().filter(|rule| rule.mode != Mode::Off);
        let mut slots = Slots::default();
        let mut sides = Vec::new();
        for (at, rule) in on().enumerate() {
            let zone = TimeZone::get(&rule.timing.timezone).unwrap_or(TimeZone::UTC);
            sides.extend(rule.pattern.sides().into_iter().map(|side| PreparedSide {
                rule: at,
                number: side.number,
                condition: Condition::new(side.filter, &zone, &mut slots),
                key: side.key.into_iter().map(|name| slots.slot(name)).collect(),
            }));
        }
        let prepared = on().map(|rule| Prepared::new(Arc::clone(rule), &mut slots)).collect();
        let filters = on().flat_map(|rule| rule.pattern.sides()).map(|side| side.filter);
        let dispatch = Dispatch::new(filters, &mut slots);
        let chains = Chains::new(rules);
        chains.read_of_events(&mut slots);
        Self {
            rules: prepared,
            sides,
            extractor: Extractor::new(&mut slots),
            dispatch,
            candidates: Candidates::default(),
            room: Vec::new(),
            slots,
            chains,
            hash: rules.hash(),
        }
    }

    /// The hash that ticks announce.
    pub fn rule_set(&self) -> SemanticHash {
        self.hash
    }

    /// Evaluates the rules on the value of a record of `events.*`, which lies at `source` and arrived at `arrival`.
    ///
    /// # Errors
    /// If it is not a canonical event; what no rule reads need only be JSON.
    pub fn evaluate(
        &mut self,
        record: &[u8],
        source: Source,
        arrival: Timestamp,
        into: &mut Matched,
    ) -> Result<(), DecodeError> {
        let reading = self.extractor.read(record, arrival, std::mem::take(&mut self.room))?;
        self.dispatch.candidates(&reading.subject, &mut self.candidates);
        let mut alerts = 0;
        for side in self.candidates.iter().map(|number| &self.sides[number]) {
            if side.condition.ask(&reading.subject) != Truth::Yes {
                continue;
            }
            let prepared = &self.rules[side.rule];
            if prepared.rule.is_stateful() {
                prepared.forward(&reading, side, source, into);
            } else {
                let event = Of::Event(&reading.subject, &self.slots);
                prepared.fire(&reading, event, source, &self.chains, &mut alerts, into);
            }
        }
        self.room = emptied(reading.subject.values);
        Ok(())
    }
}

impl Prepared {
    fn new(rule: Arc<Rule>, slots: &mut Slots) -> Self {
        let read = rule.message.fields().chain(rule.pattern.value_fields());
        let mut names: Vec<String> = read.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let values = names.iter().map(|name| slots.slot(name)).collect();
        Self { rule, names, values }
    }

    /// The text of a field that the message names.
    fn text(&self, subject: &Subject<'_>, name: &str) -> Option<String> {
        let at = self.names.binary_search_by(|known| known.as_str().cmp(name)).ok()?;
        let value = subject.value(self.values[at])?;
        Some(value.as_text().into_owned())
    }

    fn tally<'a>(&self, into: &'a mut Matched) -> &'a mut RuleTally {
        if !into.tally.contains_key(&self.rule.id) {
            into.tally.insert(self.rule.id.clone(), RuleTally::default());
        }
        into.tally.get_mut(&self.rule.id).expect("it was just inserted")
    }

    /// A stateless rule: one alert per event, which never closes; the rules that read it are asked at once. `number`
    /// counts the alerts that the event opens.
    fn fire(
        &self,
        reading: &Reading<'_>,
        event: Of<'_>,
        source: Source,
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
        let Reading { event_id, tenant, .. } = reading;
        let time = reading.subject.time;
        let key = Key::new(tenant, []);
        let message = rule.message.render(|name| self.text(&reading.subject, name));
        let alert_id = AlertId::new(tenant, &rule.id, rule.hash, &key, event_id, time);
        if is_told {
            let evidence = Evidence {
                topic: source.partition.topic.name().to_owned(),
                partition: source.partition.partition,
                offset: source.offset,
                event_id: event_id.clone().into_owned(),
                time,
                weight: reading.repeat,
            };
            into.alerts
                .push(alert::of_event(rule, tenant, alert_id, message.clone(), evidence));
        }
        let opening = Opening {
            rule,
            tenant,
            id: alert_id.to_string(),
            message: &message,
            time,
            of: event,
        };
        let mut derived = Derived {
            facts: &mut into.facts,
            alerts: &mut into.alerts,
            tally: &mut into.tally,
            at: source,
            number,
        };
        chains.feed(&opening, &mut derived);
    }

    /// A stateful rule: what it needs of the event, under the key it groups by.
    fn forward(&self, reading: &Reading<'_>, side: &PreparedSide, source: Source, into: &mut Matched) {
        let subject = &reading.subject;
        let tally = self.tally(into);
        tally.matched += 1;
        let values = side.key.iter().map(|slot| subject.value(*slot).cloned());
        let Some(key) = key_of(&reading.tenant, values) else {
            tally.missing_key += 1;
            return;
        };
        let value = |slot: &Slot| subject.value(*slot).cloned().map(FieldValue::into_owned);
        let entry = FactEntry {
            time: subject.time,
            source,
            event_id: reading.event_id.clone().into_owned(),
            weight: reading.repeat,
            values: self.values.iter().map(value).collect(),
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

/// The key of these values of the group fields; `None` if one of them is not there. An empty value is none, and so is a
/// list.
pub(crate) fn key_of<'a>(tenant: &str, values: impl Iterator<Item = Option<FieldValue<'a>>>) -> Option<Key> {
    let text = |value: Option<FieldValue<'a>>| match value? {
        FieldValue::List(_) => None,
        FieldValue::Text(text) => Some(text).filter(|text| !text.is_empty()),
        value @ (FieldValue::Bool(_) | FieldValue::Integer(_) | FieldValue::Float(_)) => Some(value.to_string().into()),
    };
    let texts: Option<Vec<Cow<'a, str>>> = values.map(text).collect();
    Some(Key::new(tenant, texts?.iter().map(|text| &**text)))
}
