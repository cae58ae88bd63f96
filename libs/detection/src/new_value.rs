//! `new value of f by k within W`: true at an event whose value of f no event of its key within W before it has, if any
//! event is there. A value that was there stays there, so an event with one is out at once; what is still in when the
//! watermark has passed it is decided.

use std::collections::BTreeMap;

use event::{Fact, FactEntry, Timestamp, ValueHash};
use ruleset::{NewValuePattern, Pattern, Rule};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Truth};
use crate::held::{self, Held};
use crate::kept::{Added, Kind, VALUES_MAX};
use crate::proven::Proven;
use crate::sightings::Sightings;

/// What a rule that looks for new values keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct News {
    /// Events whose value is not known to have been there, in order.
    waiting: Vec<Candidate>,
    /// Where each value was.
    values: BTreeMap<ValueHash, Sightings>,
    /// Where any value was.
    any: Sightings,
    proven: Proven,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Candidate {
    held: Held,
    value: ValueHash,
}

impl Kind for News {
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added {
        let Pattern::NewValue(pattern) = &rule.pattern else {
            return Added::Known;
        };
        let Some(value) = fact.value(entry, &pattern.field) else {
            return Added::NoValue;
        };
        let value = ValueHash::new([&*value.as_text()]);
        let held = Held::speaking(rule, fact, entry);
        if self.waiting.iter().any(|known| known.held.identity == held.identity) {
            return Added::Known;
        }
        let place = held.order();
        self.any.add(place, pattern.within);
        self.values.entry(value).or_default().add(place, pattern.within);
        let new = Candidate { held, value };
        if !self.is_known(pattern, &new) {
            let at = self.waiting.partition_point(|known| known.held.order() < place);
            self.waiting.insert(at, new);
        }
        Added::Taken(Vec::new())
    }

    fn decide(&mut self, rule: &Rule, before: Timestamp) -> Vec<Truth> {
        let Pattern::NewValue(pattern) = &rule.pattern else {
            return Vec::new();
        };
        let mut truths = Vec::new();
        for candidate in std::mem::take(&mut self.waiting) {
            if self.is_known(pattern, &candidate) {
                continue;
            }
            if candidate.held.time >= before {
                self.waiting.push(candidate);
            } else if self.any.before(candidate.held.order(), pattern.within) {
                truths.push(self.proven.add(candidate.held));
            }
        }
        truths
    }

    fn undecided(&self, _: &Rule) -> Option<Timestamp> {
        Some(self.waiting.first()?.held.time)
    }

    fn at(&self, truth: Truth) -> Option<&Held> {
        self.proven.at(truth)
    }

    fn inside<'a>(&'a self, _: &Rule, episode: &Episode) -> Vec<&'a Held> {
        self.proven.inside(episode).iter().collect()
    }

    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        self.proven.prune(episodes);
        let within = rule.pattern.reach();
        let oldest = self.waiting.first().map_or(horizon, |oldest| oldest.held.time);
        let asks_from = oldest.min(horizon);
        self.any.forget(asks_from, within);
        self.values.retain(|_, sightings| {
            sightings.forget(asks_from, within);
            sightings
                .newest()
                .is_some_and(|newest| newest >= asks_from.minus(within))
        });
        self.forget_oldest()
    }

    fn newest(&self) -> Option<Timestamp> {
        self.any.newest().max(self.proven.newest())
    }

    fn roles(&self) -> Vec<(String, &Held)> {
        let waiting = self.waiting.iter().map(|candidate| &candidate.held);
        let waiting = held::as_role("waiting", waiting);
        waiting.chain(self.proven.roles()).collect()
    }
}

impl News {
    fn is_known(&self, pattern: &NewValuePattern, candidate: &Candidate) -> bool {
        let sightings = self.values.get(&candidate.value);
        sightings.is_some_and(|sightings| sightings.before(candidate.held.order(), pattern.within))
    }

    /// Forgets the values that were not there for longest, beyond the limit.
    fn forget_oldest(&mut self) -> u64 {
        let excess = self.values.len().saturating_sub(VALUES_MAX);
        if excess > 0 {
            let age = |(value, sightings): (&ValueHash, &Sightings)| (sightings.newest(), *value);
            let mut ages: Vec<_> = self.values.iter().map(age).collect();
            ages.sort_unstable();
            for (_, value) in &ages[..excess] {
                self.values.remove(value);
            }
        }
        let waiting = self.waiting.len().saturating_sub(VALUES_MAX);
        self.waiting.drain(..waiting);
        (excess + waiting) as u64
    }
}
