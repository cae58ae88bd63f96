//! `sequence (A) then (B) … within W`: true at an event of the last step for which the steps before it can be filled.
//! Going back from there every step takes its latest events, so that the steps before it have the most room: if any
//! choice fits, this one does. What was chosen is worked out anew whenever it is asked for, because a late event may be
//! the later choice.

use event::{Fact, FactEntry, Timestamp};
use ruleset::{Pattern, Rule, SequencePattern};
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Extent, Truth};
use crate::held::{self, Held};
use crate::kept::{Added, Kind, SIDE_MAX, forget_too_early};

/// The events of each step, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steps {
    steps: Vec<Vec<Held>>,
}

impl Kind for Steps {
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added {
        let Pattern::Sequence(pattern) = &rule.pattern else {
            return Added::Known;
        };
        let (step, steps) = (usize::from(fact.side), pattern.steps.len());
        self.steps.resize(steps, Vec::new());
        let mut new = Held::speaking(rule, fact, entry);
        if step >= steps || held::knows(&self.steps[step], new.identity) {
            return Added::Known;
        }
        // An event that another step has too is at the same place there, whichever of its records came first.
        let mut others = self.steps.iter().flatten();
        if let Some(same) = others.find(|held| held.identity == new.identity) {
            (new.time, new.source) = same.order();
        }
        let (order, until) = (new.order(), new.time.plus(pattern.within));
        held::insert(&mut self.steps[step], new);
        let moments = &self.steps[steps - 1];
        let from = moments.partition_point(|moment| moment.order() < order);
        let upto = moments.partition_point(|moment| moment.time <= until);
        let truth = |at| {
            let chosen = self.chosen(pattern, at)?;
            let first = chosen.iter().map(|held| held.time).min()?;
            let moment = &moments[at];
            Some(Truth {
                at: moment.time,
                source: moment.source,
                first,
                last: moment.time,
            })
        };
        Added::Taken((from..upto).filter_map(truth).collect())
    }

    /// The event of the last step.
    fn at(&self, truth: Truth) -> Option<&Held> {
        held::find(self.steps.last()?, truth)
    }

    /// All that is chosen at one of its moments.
    fn inside<'a>(&'a self, rule: &Rule, episode: &Episode) -> Vec<&'a Held> {
        let (Pattern::Sequence(pattern), Some(moments)) = (&rule.pattern, self.steps.last()) else {
            return Vec::new();
        };
        let from = moments.partition_point(|moment| moment.time < episode.first_true);
        let upto = moments.partition_point(|moment| moment.time <= episode.last_true);
        let chosen = (from..upto).filter_map(|at| self.chosen(pattern, at));
        held::union(chosen.flatten().collect())
    }

    /// A later event may come to be chosen in place of another.
    fn extent(&self, rule: &Rule, episode: &Episode) -> Extent {
        held::extent(&self.inside(rule, episode), episode)
    }

    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        let Pattern::Sequence(pattern) = &rule.pattern else {
            return 0;
        };
        let horizon = horizon.minus(pattern.within);
        let needed = |time: Timestamp| {
            let nearest = episodes.partition_point(|episode| episode.last_true < time);
            let begins = |episode: &Episode| episode.first_true.minus(pattern.within);
            time >= horizon || episodes.get(nearest).is_some_and(|episode| begins(episode) <= time)
        };
        for events in &mut self.steps {
            events.retain(|held| needed(held.time));
        }
        // A step that needs more than a side may hold could never be filled.
        let most =
            |step: usize| usize::try_from(pattern.steps[step].at_least).map_or(usize::MAX, |least| least.max(SIDE_MAX));
        let is_over = |(step, events): (usize, &Vec<Held>)| events.len() > most(step);
        if !self.steps.iter().enumerate().any(is_over) {
            return 0;
        }
        forget_too_early(self, rule, episodes, |kept| {
            let steps = kept.steps.iter_mut().enumerate();
            steps.map(|(step, events)| held::keep_newest(events, most(step))).sum()
        })
    }

    fn newest(&self) -> Option<Timestamp> {
        self.steps.iter().filter_map(|events| held::newest(events)).max()
    }

    fn roles(&self) -> Vec<(String, &Held)> {
        let steps = (1..).zip(&self.steps);
        steps
            .flat_map(|(number, events)| held::as_role(&format!("step {number}"), events).collect::<Vec<_>>())
            .collect()
    }
}

impl Steps {
    /// The events because of which the sequence holds at that event of the last step.
    fn chosen(&self, pattern: &SequencePattern, moment: usize) -> Option<Vec<&Held>> {
        let mut upto = moment + 1;
        let since = self.steps.last()?[moment].time.minus(pattern.within);
        let mut chosen = Vec::new();
        for (at, step) in pattern.steps.iter().enumerate().rev() {
            let before = &self.steps[at][..upto];
            let mut weight = 0;
            let mut latest = before.iter().rev().take_while(|held| held.time >= since);
            while weight < step.at_least {
                let held = latest.next()?;
                weight += u64::from(held.weight);
                chosen.push(held);
            }
            let bound = chosen.last()?.order();
            upto = match at.checked_sub(1) {
                Some(earlier) => self.steps[earlier].partition_point(|held| held.order() < bound),
                None => 0,
            };
        }
        Some(chosen)
    }
}
