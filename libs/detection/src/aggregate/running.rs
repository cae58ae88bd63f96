use std::cmp::Ordering;
use std::collections::BTreeMap;

use event::{Fact, FactEntry, ValueHash};
use ruleset::{Aggregate, AggregatePattern, CountPattern, Limit, SequencePattern};
use serde::{Deserialize, Serialize};

use super::Taken;
use super::exact::ExactSum;
use crate::window::Tally;

/// What an event brings to what is computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Measure {
    /// That it is there.
    Presence,
    /// A finite number.
    Number(f64),
    /// A value that is only told from others.
    Value(ValueHash),
    /// The steps it fills, each a bit.
    Steps(u8),
}

impl Measure {
    /// Equal for events of which any may stand for the others, where one of each is enough.
    pub(super) fn alike(self) -> (Option<ValueHash>, u8) {
        match self {
            Self::Value(value) => (Some(value), 0),
            Self::Steps(steps) => (None, steps),
            Self::Presence | Self::Number(_) => (None, 0),
        }
    }
}

/// What a pattern computes over a window, and when that is enough.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal<'a> {
    Count(&'a CountPattern),
    Aggregate(&'a AggregatePattern),
    AnyOrder(&'a SequencePattern),
}

impl Goal<'_> {
    /// What the event brings. `None`: it lacks what is needed, and is not taken.
    pub(super) fn measure(self, fact: &Fact, entry: &FactEntry) -> Option<Measure> {
        let aggregate = match self {
            Self::Count(_) => return Some(Measure::Presence),
            Self::AnyOrder(_) => return 1_u8.checked_shl(fact.side.into()).map(Measure::Steps),
            Self::Aggregate(pattern) => &pattern.aggregate,
        };
        let number = |field: &str| {
            let number = fact.value(entry, field)?.as_number()?;
            number.is_finite().then_some(number)
        };
        let value = |fields: &[String]| {
            let values: Option<Vec<_>> = fields
                .iter()
                .map(|field| Some(fact.value(entry, field)?.as_text()))
                .collect();
            Some(Measure::Value(ValueHash::new(values?.iter().map(|text| &**text))))
        };
        match aggregate {
            Aggregate::Count => Some(Measure::Presence),
            Aggregate::Distinct(fields) => value(fields),
            Aggregate::RarestShare(field) => value(std::slice::from_ref(field)),
            Aggregate::Sum(field) => number(field).filter(|number| *number >= 0.0).map(Measure::Number),
            Aggregate::Average(field)
            | Aggregate::Minimum(field)
            | Aggregate::Maximum(field)
            | Aggregate::Percentile { field, .. } => number(field).map(Measure::Number),
        }
    }
}

/// What is computed over the events that are in.
pub(super) struct Running<'a> {
    goal: Goal<'a>,
    weight: u64,
    sum: Option<ExactSum>,
    /// By number, where an order of them is asked for.
    numbers: BTreeMap<Ordered, Share>,
    values: BTreeMap<ValueHash, Share>,
    steps: Vec<u64>,
}

/// How much of the events has one value.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    events: u64,
    weight: u64,
}

/// A finite number, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Running<'a> {
    pub(super) fn new(goal: Goal<'a>) -> Self {
        let sums = |pattern: &AggregatePattern| matches!(pattern.aggregate, Aggregate::Sum(_) | Aggregate::Average(_));
        let (sum, steps) = match goal {
            Goal::Count(_) => (None, 0),
            Goal::Aggregate(pattern) => (sums(pattern).then(ExactSum::new), 0),
            Goal::AnyOrder(pattern) => (None, pattern.steps.len()),
        };
        Self {
            goal,
            weight: 0,
            sum,
            numbers: BTreeMap::new(),
            values: BTreeMap::new(),
            steps: vec![0; steps],
        }
    }

    fn step_weights(&mut self, steps: u8) -> impl Iterator<Item = &mut u64> {
        let weights = self.steps.iter_mut().enumerate();
        weights.filter_map(move |(step, weight)| (steps >> step & 1 == 1).then_some(weight))
    }

    /// How what is computed compares with a limit. `None`: there is nothing to compare.
    fn compared(&self, aggregate: &Aggregate, limit: f64) -> Option<Ordering> {
        if !limit.is_finite() {
            return 0.0_f64.partial_cmp(&limit);
        }
        let whole = |count: u64| {
            let mut sum = ExactSum::new();
            sum.add(1.0, count);
            sum
        };
        let beside = |mut sum: ExactSum, times: u64| {
            sum.subtract(limit, times);
            Some(sum.sign())
        };
        let number = |number: Option<&Ordered>| number?.0.partial_cmp(&limit);
        match aggregate {
            Aggregate::Count => beside(whole(self.weight), 1),
            Aggregate::Distinct(_) => beside(whole(self.values.len() as u64), 1),
            Aggregate::Sum(_) => beside(self.sum.clone()?, 1),
            Aggregate::Average(_) => beside(self.sum.clone()?, self.weight),
            Aggregate::Minimum(_) => number(self.numbers.keys().next()),
            Aggregate::Maximum(_) => number(self.numbers.keys().next_back()),
            Aggregate::Percentile { percent, .. } => number(self.percentile(*percent)),
            Aggregate::RarestShare(_) => {
                let rarest = self.values.values().map(|share| share.weight).min()?;
                let mut hundredfold = ExactSum::new();
                hundredfold.add(100.0, rarest);
                beside(hundredfold, self.weight)
            }
        }
    }

    /// The least number that at least `percent` of all do not exceed.
    fn percentile(&self, percent: f64) -> Option<&Ordered> {
        // In billionths, as it is written in decimals: 99.9 percent of 1,000 are 999, though the nearest binary number
        // to 99.9 is a little more.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a percentage is 0 to 100"
        )]
        let needed = (percent * 1e9).round() as u128 * u128::from(self.weight);
        let mut place = 0;
        let is_there = |(_, share): &(&Ordered, &Share)| {
            place += u128::from(share.weight);
            place * 100 * 1_000_000_000 >= needed
        };
        self.numbers.iter().find(is_there).map(|(number, _)| number)
    }
}

impl Tally<Taken> for Running<'_> {
    fn enter(&mut self, event: &Taken) {
        let weight = u64::from(event.held.weight);
        self.weight += weight;
        let share = match event.measure {
            Measure::Presence => return,
            Measure::Steps(steps) => return self.step_weights(steps).for_each(|step| *step += weight),
            Measure::Number(number) => match &mut self.sum {
                Some(sum) => return sum.add(number, weight),
                // Zero has two signs and is one number.
                None => self.numbers.entry(Ordered(number + 0.0)).or_default(),
            },
            Measure::Value(value) => self.values.entry(value).or_default(),
        };
        share.events += 1;
        share.weight += weight;
    }

    fn leave(&mut self, event: &Taken) {
        let weight = u64::from(event.held.weight);
        self.weight -= weight;
        match event.measure {
            Measure::Presence => {}
            Measure::Steps(steps) => self.step_weights(steps).for_each(|step| *step -= weight),
            Measure::Number(number) => match &mut self.sum {
                Some(sum) => sum.subtract(number, weight),
                None => take(&mut self.numbers, Ordered(number + 0.0), weight),
            },
            Measure::Value(value) => take(&mut self.values, value, weight),
        }
    }

    fn holds(&self) -> bool {
        match self.goal {
            Goal::Count(pattern) => self.weight >= pattern.threshold.at_least,
            Goal::AnyOrder(pattern) => {
                let mut steps = pattern.steps.iter().zip(&self.steps);
                steps.all(|(step, weight)| *weight >= step.at_least)
            }
            Goal::Aggregate(pattern) => {
                let is_within = |limit: &Limit| {
                    let compared = self.compared(&pattern.aggregate, limit.value);
                    compared.is_some_and(|ordering| limit.comparison.accepts(ordering))
                };
                pattern.limits.iter().all(is_within)
            }
        }
    }
}

/// Takes an event away from the share of its value, and the value with its last event.
fn take<K: Ord + Copy>(shares: &mut BTreeMap<K, Share>, key: K, weight: u64) {
    if let Some(share) = shares.get_mut(&key) {
        share.events -= 1;
        share.weight -= weight;
        if share.events == 0 {
            shares.remove(&key);
        }
    }
}
