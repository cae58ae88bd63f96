//! Rules that read the alerts of other rules.
//!
//! Where an alert opens, in correlate or, of a stateless rule, in match, the rules that read it are asked at once: a
//! stateful one gets a fact under its own key, which is of a higher level and may belong to any partition; a stateless
//! one alerts there and then. How far such facts are complete is announced level by level: correlate of one partition
//! is done with level `n + 1` up to where its rules of level `n` are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use event::{Alert, AlertId, Evidence, FactEntry, FieldValue, Key, SemanticHash, Source, Timestamp};
use jiff::tz::TimeZone;
use ruleset::{Mode, Order, Pattern, Rule, RuleSet, Window};

use crate::SourceSet;
use crate::alert;
use crate::matching::{RuleTally, key_of};
use crate::opening::{Of, Opening};
use crate::packed::{Addressed, Facts};
use crate::predicate::{Condition, Truth};
use crate::subject::Slots;
use crate::watermark::Watermarks;

/// Which rules read whose alerts.
pub(crate) struct Chains {
    slots: Slots,
    /// By the id of the rule that is read.
    read: BTreeMap<String, Read>,
    timing: BTreeMap<SemanticHash, Reading>,
    /// By the level of the facts that are derived in correlate: the rules whose alerts they are.
    feeding: BTreeMap<u8, Vec<Reading>>,
}

/// A rule that is read.
#[derive(Default)]
struct Read {
    /// The level of the facts that are made of its alerts.
    level: u8,
    readers: Vec<Reader>,
}

/// A rule that reads.
struct Reader {
    rule: Arc<Rule>,
    sides: Vec<ReadingSide>,
    /// The fields that later stages and the message read.
    names: Vec<String>,
}

struct ReadingSide {
    number: u8,
    condition: Condition,
    key: Vec<String>,
}

/// What a rule's watermark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// It is the least over these,
    pub(crate) sources: SourceSet,
    /// less this: how much older than what has come in an alert may be that opens in time.
    pub(crate) lag: Duration,
}

/// Where to put what follows from an alert.
pub(crate) struct Derived<'a> {
    pub(crate) facts: &'a mut Facts,
    pub(crate) alerts: &'a mut Vec<Alert>,
    pub(crate) tally: &'a mut BTreeMap<String, RuleTally>,
    /// The record at which the alert opens, and how many opened there before.
    pub(crate) at: Source,
    pub(crate) number: &'a mut u32,
}

impl Reading {
    pub(crate) fn watermark(&self, watermarks: &Watermarks) -> Timestamp {
        watermarks.of(self.sources).minus(self.lag)
    }
}

impl Chains {
    pub(crate) fn new(rules: &RuleSet) -> Self {
        let mut chains = Self {
            slots: Slots::default(),
            read: BTreeMap::new(),
            timing: BTreeMap::new(),
            feeding: BTreeMap::new(),
        };
        let on = rules.rules().iter().filter(|rule| rule.mode != Mode::Off);
        let mut by_level: BTreeMap<u8, Vec<&Arc<Rule>>> = BTreeMap::new();
        for rule in on {
            if let Some(level) = rules.level(&rule.id) {
                by_level.entry(level).or_default().push(rule);
            }
        }
        // What the alerts of a rule wait for, and how old they may be. From the lowest level on, so that what a rule
        // reads is always known.
        let mut alerts: BTreeMap<&str, (u8, Reading)> = BTreeMap::new();
        let mut readings: BTreeMap<&str, Reading> = BTreeMap::new();
        for (level, rules) in &by_level {
            for rule in rules {
                let reading = reading(rule, &alerts);
                alerts.insert(&rule.id, (level + 1, alerts_of(rule, level + 1, reading)));
                readings.insert(&rule.id, reading);
                chains.timing.insert(rule.hash, reading);
                for id in rule.alerts_read() {
                    if let Some((level, _)) = alerts.get(id) {
                        chains.add_reader(id, *level, rule);
                    }
                }
            }
        }
        for (id, read) in &chains.read {
            let (level, of_alerts) = alerts[id.as_str()];
            if of_alerts.sources.has_levels() {
                chains.feeding.entry(level).or_default().push(readings[id.as_str()]);
            }
            debug_assert_eq!(read.level, level, "the level of a rule's alerts is one");
        }
        chains
    }

    fn add_reader(&mut self, id: &str, level: u8, rule: &Arc<Rule>) {
        let zone = TimeZone::get(&rule.timing.timezone).unwrap_or(TimeZone::UTC);
        let read = rule.message.fields().chain(rule.pattern.value_fields());
        let names: BTreeSet<&str> = read.collect();
        let sides = rule.pattern.sides().into_iter();
        // A side that names no alert takes events of the log.
        let sides = sides.filter(|side| side.filter.alerts().contains(id));
        let sides = sides.map(|side| ReadingSide {
            number: side.number,
            condition: Condition::new(side.filter, &zone, &mut self.slots),
            key: side.key.iter().map(|name| (*name).to_owned()).collect(),
        });
        let reader = Reader {
            rule: rule.clone(),
            sides: sides.collect(),
            names: names.into_iter().map(str::to_owned).collect(),
        };
        let read = self.read.entry(id.to_owned()).or_default();
        read.level = level;
        read.readers.push(reader);
    }

    /// Gives a slot to whatever a rule may read of an alert that is an event's: of a stateless rule, which has all that
    /// the event has.
    pub(crate) fn read_of_events(&self, slots: &mut Slots) {
        for reader in self.read.values().flat_map(|read| &read.readers) {
            let keys = reader.sides.iter().flat_map(|side| &side.key);
            keys.chain(&reader.names).for_each(|name| {
                slots.slot(name);
            });
        }
        self.slots.names().for_each(|(_, name)| {
            slots.slot(name);
        });
        slots.reads_tags |= self.slots.reads_tags;
        slots.reads_texts |= self.slots.reads_texts;
    }

    /// What the watermark of a rule is.
    pub(crate) fn reading(&self, rule: &Rule) -> Reading {
        self.timing.get(&rule.hash).copied().unwrap_or(Reading {
            sources: SourceSet::EVENTS,
            lag: Duration::ZERO,
        })
    }

    /// The levels of the facts that correlate derives.
    pub(crate) fn levels(&self) -> BTreeSet<u8> {
        self.feeding.keys().copied().collect()
    }

    /// For each of these levels, how far a partition with these watermarks is done with it.
    pub(crate) fn done(&self, watermarks: &Watermarks) -> Vec<(u8, Timestamp)> {
        let slowest = |rules: &[Reading]| rules.iter().map(|reading| reading.watermark(watermarks)).min();
        let levels = self.feeding.iter();
        levels
            .filter_map(|(level, rules)| Some((*level, slowest(rules)?)))
            .collect()
    }

    /// Whether some rule reads the alerts of this one.
    pub(crate) fn is_read(&self, rule: &Rule) -> bool {
        self.read.contains_key(&rule.id)
    }

    /// An alert opens: asks the rules that read it.
    pub(crate) fn feed(&self, opening: &Opening<'_>, into: &mut Derived<'_>) {
        let Some(read) = self.read.get(&opening.rule.id) else {
            return;
        };
        let source = into.at.of_alert(*into.number);
        *into.number += 1;
        let subject = opening.subject(&self.slots);
        for reader in &read.readers {
            for side in &reader.sides {
                if side.condition.ask(&subject) != Truth::Yes {
                    continue;
                }
                if reader.rule.is_stateful() {
                    reader.forward(side, read.level, opening, source, into);
                } else {
                    self.fire(&reader.rule, opening, source, into);
                }
            }
        }
    }

    /// A stateless rule alerts where the alert that it reads opens; and may be read itself.
    fn fire(&self, rule: &Rule, opening: &Opening<'_>, source: Source, into: &mut Derived<'_>) {
        tally(rule, into).matched += 1;
        let message = rule
            .message
            .render(|name| opening.field(name).map(|value| value.as_text().into_owned()));
        let key = Key::new(opening.tenant, []);
        let alert_id = AlertId::new(opening.tenant, &rule.id, rule.hash, &key, &opening.id, opening.time);
        if rule.mode == Mode::Live && rule.generates {
            let evidence = Evidence {
                topic: source.partition.topic.name().to_owned(),
                partition: source.partition.partition,
                offset: source.record_offset(),
                event_id: opening.id.clone(),
                time: opening.time,
                weight: 1,
            };
            let alert = alert::of_event(rule, opening.tenant, alert_id, message.clone(), evidence);
            into.alerts.push(alert);
        }
        let next = Opening {
            rule,
            tenant: opening.tenant,
            id: alert_id.to_string(),
            message: &message,
            time: opening.time,
            of: Of::Alert(opening),
        };
        self.feed(&next, into);
    }
}

impl Reader {
    fn forward(&self, side: &ReadingSide, level: u8, opening: &Opening<'_>, source: Source, into: &mut Derived<'_>) {
        let tally = tally(&self.rule, into);
        tally.matched += 1;
        let values = side.key.iter().map(|name| opening.field(name));
        let Some(key) = key_of(opening.tenant, values) else {
            tally.missing_key += 1;
            return;
        };
        let value = |name: &String| opening.field(name).map(FieldValue::into_owned);
        let entry = FactEntry {
            time: opening.time,
            source,
            event_id: opening.id.clone(),
            weight: 1,
            values: self.names.iter().map(value).collect(),
        };
        let to = Addressed {
            rule: self.rule.hash,
            level,
            side: side.number,
            key,
            names: &self.names,
        };
        into.facts.add(to, entry);
    }
}

fn tally<'a>(rule: &Rule, into: &'a mut Derived<'_>) -> &'a mut RuleTally {
    into.tally.entry(rule.id.clone()).or_default()
}

/// What the watermark of `rule` is, given that of the alerts of every rule below it.
fn reading(rule: &Rule, alerts: &BTreeMap<&str, (u8, Reading)>) -> Reading {
    let mut reading = Reading {
        sources: SourceSet::of(rule),
        lag: Duration::ZERO,
    };
    for (_, read) in rule.alerts_read().into_iter().filter_map(|id| alerts.get(id)) {
        reading.sources = reading.sources.with(read.sources);
        reading.lag = reading.lag.max(read.lag);
    }
    if reading.sources == SourceSet::NONE {
        // It reads alerts of rules alone that are off or not there: nothing comes, and time goes on.
        reading.sources = SourceSet::EVENTS;
    }
    reading
}

/// What has to be waited for until the alerts of `rule` are complete that are facts of `level`.
fn alerts_of(rule: &Rule, level: u8, reading: Reading) -> Reading {
    let sources = if rule.is_stateful() {
        SourceSet::level(level)
    } else if reading.sources.has_levels() {
        // It alerts in match on events, and in correlate on alerts.
        reading.sources.events().with(SourceSet::level(level))
    } else {
        reading.sources
    };
    Reading {
        sources,
        lag: opens_after(rule),
    }
}

/// How far the watermark of a rule may have passed the opening time of an alert when it opens, though no event was late.
fn opens_after(rule: &Rule) -> Duration {
    let grace = rule.timing.grace;
    match &rule.pattern {
        Pattern::Each(_) | Pattern::Count(_) | Pattern::Sequence(_) => Duration::ZERO,
        // The right event may come after the left, at which the rule then holds.
        Pattern::Join(join) if join.order == Order::RightFirst => Duration::ZERO,
        Pattern::Join(join) => join.within,
        Pattern::Aggregate(aggregate) if aggregate.is_monotone() => Duration::ZERO,
        Pattern::Aggregate(aggregate) => match aggregate.window {
            Window::Sliding(span) | Window::Hopping { span, .. } => span + grace,
            Window::Session { gap, .. } => gap + grace,
        },
        Pattern::Absence(absence) if absence.order == Order::RightFirst => grace,
        Pattern::Absence(absence) => absence.within + grace,
        Pattern::NewValue(_) => grace,
    }
}
