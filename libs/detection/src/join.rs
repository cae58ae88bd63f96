//! `A | join (B) on k | within W`: a semi-join. It is true at an A for which there is a B at most W away, on the side
//! that the order asks for. One alert per stretch of such As, with each A's nearest B as evidence, not one per pair.

use std::collections::BTreeSet;
use std::time::Duration;

use event::{Evidence, Timestamp};
use ruleset::{JoinPattern, Order};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Extent, Truth};
use crate::held::{self, Held};

/// How many events of one side are kept for a key. Beyond it the oldest are forgotten, and that is counted.
pub(crate) const SIDE_MAX: usize = 1000;

/// The side of a join that is alerted on; the other is 1.
pub(crate) const LEFT: u8 = 0;

/// What a joining rule keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sides {
    left: Vec<Held>,
    right: Vec<Held>,
}

impl Sides {
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }

    /// Adds an event, and says at which moments the rule holds that it may have made true. `None`: it was known.
    pub(crate) fn add(&mut self, pattern: &JoinPattern, side: u8, new: Held) -> Option<Vec<Truth>> {
        let events = if side == LEFT { &mut self.left } else { &mut self.right };
        if held::knows(events, new.identity) {
            return None;
        }
        let (since, until) = (new.time.minus(pattern.within), new.time.plus(pattern.within));
        let at = held::insert(events, new);
        if side == LEFT {
            return Some(self.truth(pattern, &self.left[at]).into_iter().collect());
        }
        let from = self.left.partition_point(|left| left.time < since);
        let near = self.left[from..].iter().take_while(|left| left.time <= until);
        let new = near.filter(|left| !self.held_without(pattern, left, at));
        Some(new.filter_map(|left| self.truth(pattern, left)).collect())
    }

    /// Whether the rule surely holds at `left` without the right event at `at`, because of one next to that. On a hot key
    /// every right event has many left ones in reach, and hardly any that waited for it.
    fn held_without(&self, pattern: &JoinPattern, left: &Held, at: usize) -> bool {
        let neighbours = [at.checked_sub(1), Some(at + 1)];
        let mut others = neighbours.into_iter().flatten().filter_map(|at| self.right.get(at));
        others.any(|right| fits(pattern, left, right))
    }

    fn truth(&self, pattern: &JoinPattern, left: &Held) -> Option<Truth> {
        let right = self.nearest(pattern, left)?;
        Some(Truth {
            at: left.time,
            source: left.source,
            first: left.time.min(right.time),
            last: left.time.max(right.time),
        })
    }

    /// The right event that is nearest in time, the earlier of two equally near.
    fn nearest(&self, pattern: &JoinPattern, left: &Held) -> Option<&Held> {
        let at = self.right.partition_point(|right| right.order() < left.order());
        let (before, after) = self.right.split_at(at);
        let is_other = |right: &&Held| right.identity != left.identity;
        // Of several at one time the one that comes first in order is taken.
        let before = before.iter().rev().find(is_other).and_then(|last| {
            let at = before.partition_point(|right| right.time < last.time);
            before[at..].iter().find(is_other)
        });
        let after = after.iter().find(is_other);
        let both = before.into_iter().chain(after);
        both.filter(|right| fits(pattern, left, right))
            .min_by_key(|right| distance(left, right))
    }

    /// The left event at which the rule holds.
    pub(crate) fn at(&self, truth: Truth) -> Option<&Held> {
        held::find(&self.left, truth)
    }

    /// The events of an episode that are held: its left events, and the right event nearest to each. In order.
    fn inside(&self, pattern: &JoinPattern, episode: &Episode) -> Vec<&Held> {
        let from = self.left.partition_point(|left| left.time < episode.first_true);
        let left = self.left[from..].iter();
        let stretch = left.take_while(|left| left.time <= episode.last_true);
        let pairs = stretch.filter_map(|left| Some([left, self.nearest(pattern, left)?]));
        let mut events: Vec<&Held> = pairs.flatten().collect();
        events.sort_by_key(|held| held.order());
        // An event may be on both sides, and was then perhaps not read from the same record.
        let mut known = BTreeSet::new();
        events.retain(|held| known.insert(held.identity));
        events
    }

    /// The events of an episode that are held.
    pub(crate) fn evidence(&self, pattern: &JoinPattern, episode: &Episode) -> Vec<Evidence> {
        self.inside(pattern, episode).into_iter().map(Held::evidence).collect()
    }

    /// What an episode spans and stands for.
    pub(crate) fn extent(&self, pattern: &JoinPattern, episode: &Episode) -> Extent {
        extent(&self.inside(pattern, episode), episode)
    }

    /// Forgets what no join and no remembered episode needs, and says how many events a limit made it forget too early.
    /// What such events stood for in an episode is counted there.
    pub(crate) fn prune(&mut self, pattern: &JoinPattern, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        let needed = |time: Timestamp| {
            let nearest = episodes.partition_point(|episode| episode.last_true.plus(pattern.within) < time);
            let begins = |episode: &Episode| episode.first_true.minus(pattern.within);
            time >= horizon || episodes.get(nearest).is_some_and(|episode| begins(episode) <= time)
        };
        self.left.retain(|held| needed(held.time));
        self.right.retain(|held| needed(held.time));
        let excess = [&self.left, &self.right].map(|side| side.len().saturating_sub(SIDE_MAX));
        if excess == [0, 0] {
            return 0;
        }
        let whole = |episode: &Episode| {
            let inside = self.inside(pattern, episode);
            (inside.len() as u64, extent(&inside, episode))
        };
        let before: Vec<(u64, Extent)> = episodes.iter().map(whole).collect();
        self.left.drain(..excess[0]);
        self.right.drain(..excess[1]);
        for (episode, (events, extent)) in episodes.iter_mut().zip(before) {
            let inside = self.inside(pattern, episode);
            episode.omitted_events += events.saturating_sub(inside.len() as u64);
            episode.omitted_weight = extent.count.saturating_sub(held::weight(inside));
            (episode.first, episode.last) = (extent.first, extent.last);
        }
        (excess[0] + excess[1]) as u64
    }

    /// The time of the newest event.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let newest = |side: &[Held]| side.last().map(|held| held.time);
        newest(&self.left).max(newest(&self.right))
    }
}

/// Whether `right` makes the rule hold at `left`. An event does not join itself.
fn fits(pattern: &JoinPattern, left: &Held, right: &Held) -> bool {
    let in_order = match pattern.order {
        Order::Any => true,
        Order::RightFirst => right.order() < left.order(),
        Order::LeftFirst => left.order() < right.order(),
    };
    in_order && right.identity != left.identity && distance(left, right) <= pattern.within
}

fn distance(left: &Held, right: &Held) -> Duration {
    right.time.since(left.time).max(left.time.since(right.time))
}

/// What an episode spans and stands for that has these events and those that it omits.
fn extent(inside: &[&Held], episode: &Episode) -> Extent {
    let mut first = inside.first().map_or(episode.first, |held| held.time);
    let mut last = inside.last().map_or(episode.last, |held| held.time);
    if episode.omitted_events > 0 {
        (first, last) = (first.min(episode.first), last.max(episode.last));
    }
    Extent {
        first,
        last,
        count: held::weight(inside.iter().copied()) + episode.omitted_weight,
        digest: held::digest(inside.iter().copied()),
    }
}
