//! `A | without (B) on k within W`: true at an A for which there is no B near, on the side that the order asks for.
//! A B that has come never goes away, so an A beside one is out at once; what is still in when the watermark has passed
//! all that could come near it is decided.

use std::time::Duration;

use event::{Fact, FactEntry, Timestamp};
use ruleset::{AbsencePattern, Order, Pattern, Rule};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Truth};
use crate::held::{self, Held};
use crate::join::LEFT;
use crate::kept::{Added, Kind, SIDE_MAX};
use crate::proven::Proven;
use crate::sightings::Sightings;

/// What a rule that misses something keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Absences {
    /// Left events that no right event is known to be near, in order.
    waiting: Vec<Held>,
    right: Sightings,
    proven: Proven,
}

impl Kind for Absences {
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added {
        let Pattern::Absence(pattern) = &rule.pattern else {
            return Added::Known;
        };
        let new = Held::speaking(rule, fact, entry);
        let known = self.waiting.iter().find(|held| held.identity == new.identity);
        if fact.side != LEFT {
            // An event is not near itself, whichever of its records came first.
            self.right.add(known.map_or(new.order(), Held::order), pattern.within);
        } else if known.is_some() {
            return Added::Known;
        } else if !self.is_near(pattern, &new) {
            held::insert(&mut self.waiting, new);
        }
        Added::Taken(Vec::new())
    }

    fn decide(&mut self, rule: &Rule, before: Timestamp) -> Vec<Truth> {
        let Pattern::Absence(pattern) = &rule.pattern else {
            return Vec::new();
        };
        let mut truths = Vec::new();
        for left in std::mem::take(&mut self.waiting) {
            if self.is_near(pattern, &left) {
                continue;
            }
            if left.time.plus(looks_ahead(pattern)) < before {
                truths.push(self.proven.add(left));
            } else {
                self.waiting.push(left);
            }
        }
        truths
    }

    fn undecided(&self, rule: &Rule) -> Option<Timestamp> {
        let Pattern::Absence(pattern) = &rule.pattern else {
            return None;
        };
        Some(self.waiting.first()?.time.plus(looks_ahead(pattern)))
    }

    fn at(&self, truth: Truth) -> Option<&Held> {
        self.proven.at(truth)
    }

    fn inside<'a>(&'a self, _: &Rule, episode: &Episode) -> Vec<&'a Held> {
        self.proven.inside(episode).iter().collect()
    }

    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        self.proven.prune(episodes);
        let forgotten = held::keep_newest(&mut self.waiting, SIDE_MAX);
        let asks_from = self.waiting.first().map_or(horizon, |oldest| oldest.time.min(horizon));
        self.right.forget(asks_from, rule.pattern.reach());
        forgotten
    }

    fn newest(&self) -> Option<Timestamp> {
        let left = held::newest(&self.waiting).max(self.proven.newest());
        left.max(self.right.newest())
    }

    fn roles(&self) -> Vec<(String, &Held)> {
        let waiting = held::as_role("waiting", &self.waiting);
        waiting.chain(self.proven.roles()).collect()
    }
}

impl Absences {
    fn is_near(&self, pattern: &AbsencePattern, left: &Held) -> bool {
        let before = || self.right.before(left.order(), pattern.within);
        let after = || self.right.after(left.order(), pattern.within);
        match pattern.order {
            Order::Any => before() || after(),
            Order::RightFirst => before(),
            Order::LeftFirst => after(),
        }
    }
}

/// How long after a left event a right one may come that is near.
pub(crate) fn looks_ahead(pattern: &AbsencePattern) -> Duration {
    match pattern.order {
        Order::Any | Order::LeftFirst => pattern.within,
        Order::RightFirst => Duration::ZERO,
    }
}
