//! `count > N in W`, exact and order-free: true at an event if the closed window `[t - W, t]` that ends there holds
//! more than N. What a window needs is kept: while nothing fires at most N events lie in any W; while an episode goes
//! on its inside is settled, because more events can only confirm it, and only its ends are needed.

use event::{Evidence, Timestamp};
use ruleset::CountPattern;
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Truth};
use crate::held::{self, Held};

/// How many events of one episode are listed as evidence before the inside of it is only counted.
pub(crate) const EVIDENCE_MAX: usize = 1000;

/// What a counting rule keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// In the order of time.
    held: Vec<Held>,
}

impl Window {
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn knows(&self, new: &Held) -> bool {
        held::knows(&self.held, new.identity)
    }

    /// Adds an event, and says at which moments the rule holds that it may have made true.
    pub(crate) fn add(&mut self, pattern: &CountPattern, new: Held) -> Vec<Truth> {
        let reach = new.time.plus(pattern.window);
        let at = held::insert(&mut self.held, new);
        let touched = (at..self.held.len()).take_while(|at| self.held[*at].time <= reach);
        touched.filter_map(|at| self.truth(pattern, at)).collect()
    }

    /// Whether the rule holds at the event at `at`. Looks back only until it knows, but to the window's first event if so.
    fn truth(&self, pattern: &CountPattern, at: usize) -> Option<Truth> {
        let end = self.held[at].time;
        let start = end.minus(pattern.window);
        // Events of the same time that are ordered behind count too.
        let upto = at + self.held[at..].iter().take_while(|held| held.time == end).count();
        let from = self.held[..upto].partition_point(|held| held.time < start);
        let mut weight = 0;
        let enough = self.held[from..upto].iter().rev().any(|held| {
            weight += u64::from(held.weight);
            weight >= pattern.threshold.at_least
        });
        enough.then(|| Truth {
            at: end,
            first: self.held[from].time,
            last: end,
        })
    }

    /// The events that contribute to an episode, as many as are held, and how many they stand for.
    pub(crate) fn contributing(&self, episode: &Episode) -> (Vec<Evidence>, u64) {
        let inside = self.inside(episode);
        let weight: u64 = inside.iter().map(|held| u64::from(held.weight)).sum();
        (
            inside.iter().map(Held::evidence).collect(),
            weight + episode.omitted_weight,
        )
    }

    /// How many events an episode stands for.
    pub(crate) fn count(&self, episode: &Episode) -> u64 {
        self.inside(episode)
            .iter()
            .map(|held| u64::from(held.weight))
            .sum::<u64>()
            + episode.omitted_weight
    }

    fn inside(&self, episode: &Episode) -> &[Held] {
        let from = self.held.partition_point(|held| held.time < episode.first);
        let upto = self.held.partition_point(|held| held.time <= episode.last);
        &self.held[from..upto.max(from)]
    }

    /// Forgets what no window and no remembered episode needs: events before `horizon` outside of episodes, and the
    /// inside of an episode beyond the evidence limit, which is counted in the episode.
    pub(crate) fn prune(&mut self, pattern: &CountPattern, episodes: &mut [Episode], horizon: Timestamp) {
        let remembered = |time: Timestamp| {
            episodes
                .iter()
                .any(|episode| episode.first <= time && time <= episode.last)
        };
        if self.held.first().is_some_and(|oldest| oldest.time < horizon) {
            self.held.retain(|held| held.time >= horizon || remembered(held.time));
        }
        for episode in episodes.iter_mut() {
            self.omit_inside(pattern, episode);
        }
    }

    fn omit_inside(&mut self, pattern: &CountPattern, episode: &mut Episode) {
        let from = self.held.partition_point(|held| held.time < episode.first);
        let inside = self.inside(episode).len();
        if inside <= EVIDENCE_MAX {
            return;
        }
        // The newest events that fill a window by themselves decide everything after the episode.
        let mut tail = 0;
        let mut weight = 0;
        for held in self.held[from..from + inside].iter().rev() {
            if weight >= pattern.threshold.at_least {
                break;
            }
            weight += u64::from(held.weight);
            tail += 1;
        }
        // What lies before the first true moment decides whether the episode began earlier.
        let head = self.held[from..]
            .partition_point(|held| held.time <= episode.first_true)
            .max(EVIDENCE_MAX);
        if head + tail < inside {
            for omitted in self.held.drain(from + head..from + inside - tail) {
                episode.omitted_events += 1;
                episode.omitted_weight += u64::from(omitted.weight);
            }
        }
    }

    /// The time of the newest event.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.held.last().map(|held| held.time)
    }
}
