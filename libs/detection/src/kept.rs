use event::{Evidence, Timestamp};
use ruleset::{Pattern, Rule};
use serde::{Deserialize, Serialize};

use crate::count::Window;
use crate::episode::{Episode, Extent, Truth};
use crate::held::Held;
use crate::join::Sides;

/// What a rule keeps for a key, by its pattern. Another pattern's calls find nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Kept {
    Count(Window),
    Join(Sides),
}

impl Kept {
    /// Nothing yet.
    pub(crate) fn new(pattern: &Pattern) -> Self {
        match pattern {
            Pattern::Join(_) => Self::Join(Sides::default()),
            _ => Self::Count(Window::default()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Count(window) => window.is_empty(),
            Self::Join(sides) => sides.is_empty(),
        }
    }

    /// The time of the newest event.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        match self {
            Self::Count(window) => window.newest(),
            Self::Join(sides) => sides.newest(),
        }
    }

    /// Adds an event, and says at which moments the rule holds that it may have made true. `None`: it was known.
    pub(crate) fn add(&mut self, pattern: &Pattern, side: u8, new: Held) -> Option<Vec<Truth>> {
        match (self, pattern) {
            (Self::Count(window), Pattern::Count(pattern)) => window.add(pattern, new),
            (Self::Join(sides), Pattern::Join(pattern)) => sides.add(pattern, side, new),
            (Self::Count(_) | Self::Join(_), _) => None,
        }
    }

    /// The event at which the rule holds.
    pub(crate) fn at(&self, truth: Truth) -> Option<&Held> {
        match self {
            Self::Count(window) => window.at(truth),
            Self::Join(sides) => sides.at(truth),
        }
    }

    /// The events of an episode that are held.
    pub(crate) fn evidence(&self, pattern: &Pattern, episode: &Episode) -> Vec<Evidence> {
        match (self, pattern) {
            (Self::Count(window), Pattern::Count(_)) => window.evidence(episode),
            (Self::Join(sides), Pattern::Join(pattern)) => sides.evidence(pattern, episode),
            (Self::Count(_) | Self::Join(_), _) => Vec::new(),
        }
    }

    /// What an episode spans and stands for.
    pub(crate) fn extent(&self, pattern: &Pattern, episode: &Episode) -> Extent {
        match (self, pattern) {
            (Self::Count(window), Pattern::Count(_)) => window.extent(episode),
            (Self::Join(sides), Pattern::Join(pattern)) => sides.extent(pattern, episode),
            (Self::Count(_) | Self::Join(_), _) => episode.told,
        }
    }

    /// Forgets what nothing needs when no event before `horizon` is still to come, and says how many events a limit
    /// made it forget too early.
    pub(crate) fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        match (self, &rule.pattern) {
            (Self::Count(window), Pattern::Count(pattern)) => {
                let horizon = horizon.minus(pattern.window);
                window.prune(pattern, rule.timing.keep_alive, episodes, horizon);
                0
            }
            (Self::Join(sides), Pattern::Join(pattern)) => {
                sides.prune(pattern, episodes, horizon.minus(pattern.within))
            }
            (Self::Count(_) | Self::Join(_), _) => 0,
        }
    }
}
