//! `A | join (B) on k | within W`: a semi-join. It is true at an A for which there is a B at most W away, on the side
//! that the order asks for. One alert per stretch of such As, with each A's nearest B as evidence, not one per pair.

use event::{Evidence, Timestamp};
use ruleset::{JoinPattern, Order};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Truth};
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

    pub(crate) fn knows(&self, side: u8, new: &Held) -> bool {
        held::knows(if side == LEFT { &self.left } else { &self.right }, new.identity)
    }

    /// Adds an event, and says at which moments the rule holds that it may have made true.
    pub(crate) fn add(&mut self, pattern: &JoinPattern, side: u8, new: Held) -> Vec<Truth> {
        let (since, until) = (new.time.minus(pattern.within), new.time.plus(pattern.within));
        if side == LEFT {
            let at = held::insert(&mut self.left, new);
            return self.truth(pattern, &self.left[at]).into_iter().collect();
        }
        held::insert(&mut self.right, new);
        let near = self.left.iter().filter(|left| since <= left.time && left.time <= until);
        near.filter_map(|left| self.truth(pattern, left)).collect()
    }

    fn truth(&self, pattern: &JoinPattern, left: &Held) -> Option<Truth> {
        let right = self.nearest(pattern, left)?;
        Some(Truth {
            at: left.time,
            first: left.time.min(right.time),
            last: left.time.max(right.time),
        })
    }

    /// The right event that is nearest in time, the earlier of two equally near.
    fn nearest(&self, pattern: &JoinPattern, left: &Held) -> Option<&Held> {
        let distance = |right: &Held| right.time.since(left.time).max(left.time.since(right.time));
        let fits = |right: &&Held| {
            let ordered = match pattern.order {
                Order::Any => true,
                Order::RightFirst => right.order() < left.order(),
                Order::LeftFirst => left.order() < right.order(),
            };
            ordered && right.identity != left.identity && distance(right) <= pattern.within
        };
        self.right
            .iter()
            .filter(fits)
            .min_by_key(|right| (distance(right), right.order()))
    }

    /// The values of the left event that an episode began with, for its message.
    pub(crate) fn values_at(&self, truth: Truth) -> &[(String, String)] {
        self.left
            .iter()
            .find(|left| left.time == truth.at)
            .map_or(&[], |left| &left.values)
    }

    /// The events that contribute to an episode, and how many they stand for. Settles the episode's first and last.
    pub(crate) fn contributing(&self, pattern: &JoinPattern, episode: &mut Episode) -> (Vec<Evidence>, u64) {
        let inside = |left: &&Held| episode.first_true <= left.time && left.time <= episode.last_true;
        let mut events: Vec<&Held> = Vec::new();
        for left in self.left.iter().filter(inside) {
            if let Some(right) = self.nearest(pattern, left) {
                events.extend([left, right]);
            }
        }
        events.sort_by_key(|held| held.order());
        events.dedup_by_key(|held| held.order());
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            (episode.first, episode.last) = (first.time, last.time);
        }
        let weight: u64 = events.iter().map(|held| u64::from(held.weight)).sum();
        (events.into_iter().map(Held::evidence).collect(), weight)
    }

    /// Forgets what no join and no remembered episode needs, and says how many events a limit made it forget too early.
    pub(crate) fn prune(&mut self, pattern: &JoinPattern, episodes: &[Episode], horizon: Timestamp) -> u64 {
        let needed = |time: Timestamp| {
            let near = |episode: &Episode| {
                episode.first_true.minus(pattern.within) <= time && time <= episode.last_true.plus(pattern.within)
            };
            time >= horizon || episodes.iter().any(near)
        };
        let mut forgotten = 0;
        for side in [&mut self.left, &mut self.right] {
            side.retain(|held| needed(held.time));
            let excess = side.len().saturating_sub(SIDE_MAX);
            side.drain(..excess);
            forgotten += excess as u64;
        }
        forgotten
    }

    /// The time of the newest event.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let newest = |side: &[Held]| side.last().map(|held| held.time);
        newest(&self.left).max(newest(&self.right))
    }
}
