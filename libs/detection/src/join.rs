//! `A | join (B) on k | within W`: a semi-join. It is true at an A for which there is a B at most W away, on the side
//! that the order asks for. One alert per stretch of such As, with each A's nearest B as evidence, not one per pair.

use std::time::Duration;

use event::{Fact, FactEntry, Timestamp};
use ruleset::{JoinPattern, Order, Pattern, Rule};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Extent, Truth};
use crate::held::{self, Held};
use crate::kept::{Added, Kind, SIDE_MAX, forget_too_early};

/// The side of a join that is alerted on; the other is 1.
pub(crate) const LEFT: u8 = 0;

/// What a joining rule keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sides {
    left: Vec<Held>,
    right: Vec<Held>,
}

impl Kind for Sides {
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added {
        let Pattern::Join(pattern) = &rule.pattern else {
            return Added::Known;
        };
        let is_left = fact.side == LEFT;
        let events = if is_left { &mut self.left } else { &mut self.right };
        let mut new = Held::new(fact, entry);
        if held::knows(events, new.identity) {
            return Added::Known;
        }
        if is_left {
            new.values = values(fact, entry);
        }
        let (since, until) = (new.time.minus(pattern.within), new.time.plus(pattern.within));
        let at = held::insert(events, new);
        if is_left {
            return Added::Taken(self.truth(pattern, &self.left[at]).into_iter().collect());
        }
        let from = self.left.partition_point(|left| left.time < since);
        let near = self.left[from..].iter().take_while(|left| left.time <= until);
        let new = near.filter(|left| !self.held_without(pattern, left, at));
        Added::Taken(new.filter_map(|left| self.truth(pattern, left)).collect())
    }

    /// The left event.
    fn at(&self, truth: Truth) -> Option<&Held> {
        held::find(&self.left, truth)
    }

    /// Its left events, and the right event nearest to each.
    fn inside<'a>(&'a self, rule: &Rule, episode: &Episode) -> Vec<&'a Held> {
        let Pattern::Join(pattern) = &rule.pattern else {
            return Vec::new();
        };
        let from = self.left.partition_point(|left| left.time < episode.first_true);
        let left = self.left[from..].iter();
        let stretch = left.take_while(|left| left.time <= episode.last_true);
        let pairs = stretch.filter_map(|left| Some([left, self.nearest(pattern, left)?]));
        // An event may be on both sides, and was then perhaps not read from the same record.
        held::union(pairs.flatten().collect())
    }

    /// A nearer event may come to be the evidence in place of another.
    fn extent(&self, rule: &Rule, episode: &Episode) -> Extent {
        held::extent(&self.inside(rule, episode), episode)
    }

    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        let within = rule.pattern.reach();
        let horizon = horizon.minus(within);
        let needed = |time: Timestamp| {
            let nearest = episodes.partition_point(|episode| episode.last_true.plus(within) < time);
            let begins = |episode: &Episode| episode.first_true.minus(within);
            time >= horizon || episodes.get(nearest).is_some_and(|episode| begins(episode) <= time)
        };
        self.left.retain(|held| needed(held.time));
        self.right.retain(|held| needed(held.time));
        if self.left.len().max(self.right.len()) <= SIDE_MAX {
            return 0;
        }
        forget_too_early(self, rule, episodes, |sides| {
            held::keep_newest(&mut sides.left, SIDE_MAX) + held::keep_newest(&mut sides.right, SIDE_MAX)
        })
    }

    fn newest(&self) -> Option<Timestamp> {
        held::newest(&self.left).max(held::newest(&self.right))
    }

    fn roles(&self) -> Vec<(String, &Held)> {
        let left = held::as_role("left", &self.left);
        left.chain(held::as_role("right", &self.right)).collect()
    }
}

impl Sides {
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

fn values(fact: &Fact, entry: &FactEntry) -> Vec<(String, String)> {
    let pairs = fact.names.iter().zip(&entry.values);
    pairs
        .filter_map(|(name, value)| Some((name.clone(), value.as_ref()?.as_text().into_owned())))
        .collect()
}
