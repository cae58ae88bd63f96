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
use crate::window::{self, Tally};

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
        let at = held::insert(&mut self.held, new);
        let sliding = ruleset::Window::Sliding(pattern.window);
        let touched = window::touched(sliding, &self.held, at);
        let found = window::truths(sliding, &self.held, touched, Weight::new(pattern));
        Added::Taken(found.into_iter().map(|found| found.truth).collect())
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

    fn roles(&self) -> Vec<(String, &Held)> {
        held::as_role("counted", &self.held).collect()
    }
}

impl Window {
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
        let head = window::filling(events.iter(), Weight::new(pattern)).max(EVIDENCE_MAX);
        let tail = window::filling(events.iter().rev(), Weight::new(pattern));
        if head + tail < inside.len() {
            for omitted in self.held.drain(inside.start + head..inside.end - tail) {
                episode.omitted_events += 1;
                episode.omitted_weight += u64::from(omitted.weight);
            }
        }
    }
}

/// How much the events weigh that are in, and how much is enough.
struct Weight {
    weight: u64,
    at_least: u64,
}

impl Weight {
    fn new(pattern: &CountPattern) -> Self {
        Self {
            weight: 0,
            at_least: pattern.threshold.at_least,
        }
    }
}

impl Tally<Held> for Weight {
    fn enter(&mut self, event: &Held) {
        self.weight += u64::from(event.weight);
    }

    fn leave(&mut self, event: &Held) {
        self.weight -= u64::from(event.weight);
    }

    fn holds(&self) -> bool {
        self.weight >= self.at_least
    }
}
