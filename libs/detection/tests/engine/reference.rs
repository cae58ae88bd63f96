//! What the specification says of a set of events, computed in the plainest way: all pairs, nothing forgotten, no
//! order of arrival. It shares no code with the engine.

use std::collections::{BTreeMap, BTreeSet};

/// An event of one group, once.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) time: i64,
    /// Partition and offset.
    pub(crate) place: (u32, u64),
    pub(crate) weight: u64,
}

/// An episode that is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Over {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u64,
    pub(crate) events: BTreeSet<String>,
}

/// Which side of a pair comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum First {
    Either,
    Right,
    Left,
}

/// `count >= at_least` in `window`.
pub(crate) fn counted(events: &[Known], at_least: u64, window: i64, keep_alive: i64) -> Vec<Over> {
    let ending_at = |end: i64| {
        events
            .iter()
            .filter(move |event| end - window <= event.time && event.time <= end)
    };
    let holds = |end: &i64| ending_at(*end).map(|event| event.weight).sum::<u64>() >= at_least;
    let moments: BTreeSet<i64> = events.iter().map(|event| event.time).filter(holds).collect();
    let of_stretch = |stretch: Vec<i64>| {
        let last = stretch[stretch.len() - 1];
        let first = ending_at(stretch[0]).map(|event| event.time).min().unwrap();
        over(events.iter().filter(|event| first <= event.time && event.time <= last))
    };
    stretches(&moments, keep_alive).into_iter().map(of_stretch).collect()
}

/// `left | join (right) | within`.
pub(crate) fn joined(left: &[Known], right: &[Known], within: i64, first: First, keep_alive: i64) -> Vec<Over> {
    let mut nearest: BTreeMap<usize, &Known> = BTreeMap::new();
    for (at, one) in left.iter().enumerate() {
        let fits = |other: &&Known| {
            let in_order = match first {
                First::Either => true,
                First::Right => (other.time, other.place) < (one.time, one.place),
                First::Left => (one.time, one.place) < (other.time, other.place),
            };
            in_order && other.id != one.id && (other.time - one.time).abs() <= within
        };
        let distance = |other: &&Known| ((other.time - one.time).abs(), other.time, other.place);
        nearest.extend(right.iter().filter(fits).min_by_key(distance).map(|other| (at, other)));
    }
    let moments: BTreeSet<i64> = nearest.keys().map(|at| left[*at].time).collect();
    let of_stretch = |stretch: Vec<i64>| {
        let pairs = nearest.iter().filter(|(at, _)| stretch.contains(&left[**at].time));
        over(pairs.flat_map(|(at, other)| [&left[*at], *other]))
    };
    stretches(&moments, keep_alive).into_iter().map(of_stretch).collect()
}

/// Moments in runs without a gap that is longer than `keep_alive`.
fn stretches(moments: &BTreeSet<i64>, keep_alive: i64) -> Vec<Vec<i64>> {
    let mut stretches: Vec<Vec<i64>> = Vec::new();
    for moment in moments {
        match stretches.last_mut() {
            Some(stretch) if moment - stretch[stretch.len() - 1] <= keep_alive => stretch.push(*moment),
            _ => stretches.push(vec![*moment]),
        }
    }
    stretches
}

fn over<'a>(events: impl Iterator<Item = &'a Known>) -> Over {
    let events: BTreeMap<&str, &Known> = events.map(|event| (event.id.as_str(), event)).collect();
    let times: BTreeSet<i64> = events.values().map(|event| event.time).collect();
    Over {
        first: *times.first().unwrap(),
        last: *times.last().unwrap(),
        count: events.values().map(|event| event.weight).sum(),
        events: events.keys().map(|id| (*id).to_owned()).collect(),
    }
}
