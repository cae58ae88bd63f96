//! `count > N in W`, exact and order-free: true at an event if the closed window `[t - W, t]` that ends there holds
//! more than N. What a window needs is kept: while nothing fires at most N events lie in any W; while an episode goes
//! on its inside is settled, because more events can only confirm it, and only its ends are needed.

use std::ops::Range;
use std::time::Duration;

use event::{Fact, FactEntry, Timestamp};
use ruleset::{CountPattern, Pattern, Rule};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Extent, Truth};
use crate::held::{self, Held};
use crate::kept::{Added, EVIDENCE_MAX, Kind};

/// What a counting rule keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// In the order of time.
    held: Vec<Held>,
}

impl Kind for Window {
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added {
        let Pattern::Count(pattern) = &rule.pattern else {
            return Added::Known;
        };
        let new = Held::new(fact, entry);
        if held::knows(&self.held, new.identity) {
            return Added::Known;
        }
        let reach = new.time.plus(pattern.window);
        let at = held::insert(&mut self.held, new);
        let upto = self.held.partition_point(|held| held.time <= reach);
        Added::Taken(self.truths(pattern, at..upto))
    }

    fn at(&self, truth: Truth) -> Option<&Held> {
        held::find(&self.held, truth)
    }

    fn inside<'a>(&'a self, _: &Rule, episode: &Episode) -> Vec<&'a Held> {
        self.held[self.range(episode)].iter().collect()
    }

    fn extent(&self, _: &Rule, episode: &Episode) -> Extent {
        Extent {
            first: episode.first,
            last: episode.last,
            count: held::weight(&self.held[self.range(episode)]) + episode.omitted_weight,
            // Events are only added, and each of them counts.
            digest: 0,
        }
    }

    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        let Pattern::Count(pattern) = &rule.pattern else {
            return 0;
        };
        let horizon = horizon.minus(pattern.window);
        self.forget(pattern, rule.timing.keep_alive, episodes, horizon);
        0
    }

    fn newest(&self) -> Option<Timestamp> {
        held::newest(&self.held)
    }
}

impl Window {
    /// At which of these events the rule holds. The window slides over them, so that a late event costs as much as the
    /// events it touches, however high the threshold is.
    fn truths(&self, pattern: &CountPattern, moments: Range<usize>) -> Vec<Truth> {
        let mut truths = Vec::new();
        let start = self.held[moments.start].time.minus(pattern.window);
        let mut from = self.held[..moments.start].partition_point(|held| held.time < start);
        let mut weight = held::weight(&self.held[from..moments.start]);
        for moment in &self.held[moments] {
            weight += u64::from(moment.weight);
            let start = moment.time.minus(pattern.window);
            while self.held[from].time < start {
                weight -= u64::from(self.held[from].weight);
                from += 1;
            }
            if weight >= pattern.threshold.at_least {
                truths.push(Truth {
                    at: moment.time,
                    source: moment.source,
                    first: self.held[from].time,
                    last: moment.time,
                });
            }
        }
        truths
    }

    fn range(&self, episode: &Episode) -> Range<usize> {
        let from = self.held.partition_point(|held| held.time < episode.first);
        let upto = self.held.partition_point(|held| held.time <= episode.last);
        from..upto.max(from)
    }

    /// Forgets what no window and no remembered episode needs: events before `horizon` outside of episodes and of what
    /// they may still grow over, and the inside of an episode beyond the evidence limit, which is counted in the episode.
    fn forget(&mut self, pattern: &CountPattern, keep_alive: Duration, episodes: &mut [Episode], horizon: Timestamp) {
        let remembered = |time: Timestamp| {
            let nearest = episodes.partition_point(|episode| episode.ends_after(keep_alive) < time);
            episodes.get(nearest).is_some_and(|episode| episode.first <= time)
        };
        if self.held.first().is_some_and(|oldest| oldest.time < horizon) {
            self.held.retain(|held| held.time >= horizon || remembered(held.time));
        }
        for episode in episodes {
            self.omit_inside(pattern, episode);
        }
    }

    fn omit_inside(&mut self, pattern: &CountPattern, episode: &mut Episode) {
        let inside = self.range(episode);
        if inside.len() <= EVIDENCE_MAX {
            return;
        }
        let events = &self.held[inside.clone()];
        // The oldest events that fill a window decide whether the episode began earlier, the newest that do decide
        // everything after it.
        let head = filling(events.iter(), pattern).max(EVIDENCE_MAX);
        let tail = filling(events.iter().rev(), pattern);
        if head + tail < inside.len() {
            for omitted in self.held.drain(inside.start + head..inside.end - tail) {
                episode.omitted_events += 1;
                episode.omitted_weight += u64::from(omitted.weight);
            }
        }
    }
}

/// How many of the first of these events are enough for the rule.
fn filling<'a>(events: impl Iterator<Item = &'a Held>, pattern: &CountPattern) -> usize {
    let mut weight = 0;
    let missing = |held: &&Held| {
        let is_missing = weight < pattern.threshold.at_least;
        weight += u64::from(held.weight);
        is_missing
    };
    events.take_while(missing).count()
}
