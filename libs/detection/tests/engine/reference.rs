//! What `docs/semantics.md` says of a set of events, computed in the plainest way: for each key all its events side by
//! side, nothing forgotten, no order of arrival, no state. It shares no code with the engine.

mod aggregates;
mod by_hand;
mod near;
pub(crate) mod predicates;
mod sequences;

use std::collections::{BTreeMap, BTreeSet};

use event::{Event, Source};
use ruleset::{Comparison, Pattern, Rule, Side};

use self::predicates::passes;
use crate::driver::{MINUTE, Sent};

/// An event at its effective time and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) event: &'a Event,
    pub(crate) time: i64,
    pub(crate) source: Source,
}

/// An event at which a rule holds.
#[derive(Clone, Debug)]
pub(crate) struct Moment<'a> {
    at: i64,
    because: Vec<Seen<'a>>,
    /// The time that has to be over before it can be known. `None`: it is known at once.
    after: Option<i64>,
}

/// An episode that is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Over {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u64,
    pub(crate) events: BTreeSet<String>,
}

/// What a rule makes of the events of a tenant and a key.
pub(crate) type Episodes = BTreeMap<Vec<String>, Vec<Over>>;

/// The episodes of a rule by tenant and key, over what the watermark, less the grace, says is past: `i64::MAX` for all.
pub(crate) fn episodes(rule: &Rule, events: &[Seen], past: i64) -> Episodes {
    let sides = rule.pattern.sides();
    let keys: BTreeSet<Vec<String>> = sides
        .iter()
        .flat_map(|side| events.iter().filter_map(|seen| key(rule, side, seen)))
        .collect();
    let of_key = |wanted: &Vec<String>| {
        let of_side = |side: &Side| {
            let here = |seen: &&Seen| key(rule, side, seen).as_ref() == Some(wanted);
            each_once(events.iter().filter(here))
        };
        let sides: Vec<Vec<Seen>> = sides.iter().map(of_side).collect();
        let mut moments = moments(&rule.pattern, &sides);
        moments.retain(|moment| moment.after.is_none_or(|after| after < past));
        overs(rule, moments)
    };
    let found = keys.into_iter().map(|key| (key.clone(), of_key(&key)));
    found.filter(|(_, overs)| !overs.is_empty()).collect()
}

/// How old, against the watermark, an event may be that counts.
pub(crate) fn allowance(rule: &Rule) -> i64 {
    millis(if is_monotone(&rule.pattern) {
        rule.timing.lateness
    } else {
        rule.timing.grace
    })
}

/// Whether more events can only confirm it.
pub(crate) fn is_monotone(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Each(_) | Pattern::Count(_) | Pattern::Join(_) | Pattern::Sequence(_) => true,
        Pattern::Absence(_) | Pattern::NewValue(_) => false,
        Pattern::Aggregate(aggregate) => aggregates::is_monotone(aggregate),
    }
}

/// The tenant and key of an event on a side whose filter it passes. `None`: it does not, or has no such key.
pub(crate) fn key(rule: &Rule, side: &Side, seen: &Seen) -> Option<Vec<String>> {
    if !passes(side.filter, seen, &rule.timing.timezone) {
        return None;
    }
    let value = |field: &&str| {
        let value = seen.event.field(field)?;
        let is_list = matches!(value, event::FieldValue::List(_));
        let text = value.as_text().into_owned();
        (!is_list && !text.is_empty()).then_some(text)
    };
    let values = side.key.iter().map(value).collect::<Option<Vec<_>>>()?;
    Some([vec![seen.event.tenant.clone()], values].concat())
}

/// In order, the first of each id.
fn each_once<'a>(events: impl Iterator<Item = &'a Seen<'a>>) -> Vec<Seen<'a>> {
    let mut known = BTreeSet::new();
    let mut once: Vec<Seen> = events.copied().filter(|seen| known.insert(seen.id())).collect();
    once.sort_by_key(Seen::order);
    once
}

fn moments<'a>(pattern: &Pattern, sides: &[Vec<Seen<'a>>]) -> Vec<Moment<'a>> {
    match pattern {
        Pattern::Each(_) => sides[0].iter().map(|seen| at_once(seen, vec![*seen])).collect(),
        Pattern::Count(count) => {
            let enough = |seen: &Seen<'a>| {
                let window = within(&sides[0], seen.time - millis(count.window), seen.time);
                (weight(&window) >= count.threshold.at_least).then(|| at_once(seen, window))
            };
            sides[0].iter().filter_map(enough).collect()
        }
        Pattern::Aggregate(aggregate) => aggregates::moments(aggregate, &sides[0]),
        Pattern::Sequence(sequence) => sequences::moments(sequence, sides),
        Pattern::Join(join) => near::joins(join, &sides[0], &sides[1]),
        Pattern::Absence(absence) => near::absences(absence, &sides[0], &sides[1]),
        Pattern::NewValue(news) => near::new_values(news, &sides[0]),
    }
}

/// Moments in runs without a gap that is too long, and what contributed to each run.
fn overs(rule: &Rule, mut moments: Vec<Moment>) -> Vec<Over> {
    let gap = millis(rule.timing.keep_alive.max(rule.timing.suppress));
    moments.sort_by_key(|moment| moment.at);
    let mut runs: Vec<Vec<Moment>> = Vec::new();
    for moment in moments {
        match runs.last_mut() {
            Some(run) if moment.at - run[run.len() - 1].at <= gap => run.push(moment),
            _ => runs.push(vec![moment]),
        }
    }
    let mut overs: Vec<Over> = runs.iter().map(|run| over(run)).collect();
    overs.sort();
    overs
}

fn over(run: &[Moment]) -> Over {
    let mut events: BTreeMap<&str, &Seen> = BTreeMap::new();
    let because = run.iter().flat_map(|moment| &moment.because);
    events.extend(because.map(|seen| (seen.id(), seen)));
    let times: BTreeSet<i64> = events.values().map(|seen| seen.time).collect();
    let (first, last) = (*times.first().unwrap(), *times.last().unwrap());
    Over {
        first,
        last,
        count: events.values().map(|seen| u64::from(seen.event.repeat)).sum(),
        events: events.keys().map(|id| (*id).to_owned()).collect(),
    }
}

impl<'a> Seen<'a> {
    /// At its own time, but at most five minutes after its arrival.
    pub(crate) fn of(sent: &'a Sent) -> Self {
        Self {
            event: &sent.event,
            time: sent.event.time.as_millis().min(sent.arrival.as_millis() + 5 * MINUTE),
            source: sent.source,
        }
    }

    fn id(&self) -> &'a str {
        &self.event.event_id
    }

    /// Effective time, and place at equal times.
    fn order(&self) -> (i64, Source) {
        (self.time, self.source)
    }
}

fn at_once<'a>(seen: &Seen<'a>, because: Vec<Seen<'a>>) -> Moment<'a> {
    Moment {
        at: seen.time,
        because,
        after: None,
    }
}

/// The events of these times, both included.
fn within<'a>(events: &[Seen<'a>], from: i64, to: i64) -> Vec<Seen<'a>> {
    let inside = events.iter().filter(|seen| from <= seen.time && seen.time <= to);
    inside.copied().collect()
}

fn weight(events: &[Seen]) -> u64 {
    events.iter().map(|seen| u64::from(seen.event.repeat)).sum()
}

fn compares(comparison: Comparison, left: f64, right: f64) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    }
}

fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}
