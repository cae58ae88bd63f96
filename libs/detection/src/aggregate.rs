//! What is computed over the events of one key within one window, exact and order-free: counts, different values, sums,
//! means, extremes, percentiles, and the steps of a sequence in any order.
//!
//! What more events can only confirm holds at once. While such an episode goes on its inside is settled, and only its
//! ends are needed, as with a count: see [`Windows::omit_settled`]. Everything else is decided once for each window,
//! when the watermark has passed it, and is final.

mod decide;
mod exact;
mod running;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use event::{Fact, FactEntry, Timestamp};
use ruleset::{Pattern, Rule, Window};
use serde::{Deserialize, Serialize};

use self::running::{Goal, Measure, Running};
use crate::episode::{Episode, Truth};
use crate::held::{self, Held};
use crate::kept::{Added, EVENTS_MAX, EVIDENCE_MAX, Kind};
use crate::window;

/// What a rule that computes keeps for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Windows {
    /// In order.
    events: Vec<Taken>,
    /// The stretches of time in which every event contributes, both ends included: in order and apart.
    covered: Vec<(Timestamp, Timestamp)>,
    /// Up to where windows are decided; of a rule that is not monotone.
    decided: Option<Timestamp>,
}

/// An event, and what it brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Taken {
    held: Held,
    measure: Measure,
}

/// A pattern, as it is seen from here.
#[derive(Clone, Copy, Debug)]
struct Shape<'a> {
    window: Window,
    goal: Goal<'a>,
    is_monotone: bool,
}

impl AsRef<Held> for Taken {
    fn as_ref(&self) -> &Held {
        &self.held
    }
}

impl<'a> Shape<'a> {
    fn of(rule: &'a Rule) -> Option<Self> {
        let (window, goal) = match &rule.pattern {
            Pattern::Count(pattern) => (Window::Sliding(pattern.window), Goal::Count(pattern)),
            Pattern::Aggregate(pattern) => (pattern.window, Goal::Aggregate(pattern)),
            Pattern::Sequence(pattern) => (Window::Sliding(pattern.within), Goal::AnyOrder(pattern)),
            Pattern::Each(_) | Pattern::Join(_) | Pattern::Absence(_) | Pattern::NewValue(_) => return None,
        };
        Some(Self {
            window,
            goal,
            is_monotone: rule.pattern.is_monotone(),
        })
    }

    fn running(self) -> Running<'a> {
        Running::new(self.goal)
    }
}

impl Kind for Windows {
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added {
        let Some(shape) = Shape::of(rule) else {
            return Added::Known;
        };
        let Some(measure) = shape.goal.measure(fact, entry) else {
            return Added::NoValue;
        };
        let held = Held::speaking(rule, fact, entry);
        let known = self
            .events
            .iter()
            .position(|known| known.held.identity == held.identity);
        let at = match known {
            Some(at) if self.events[at].fills(measure) => at,
            Some(_) => return Added::Known,
            None => held::insert(&mut self.events, Taken { held, measure }),
        };
        if !shape.is_monotone {
            return Added::Taken(Vec::new());
        }
        let touched = window::touched(shape.window, &self.events, at);
        let found = window::truths(shape.window, &self.events, touched, shape.running());
        let cover = |found: window::Found| {
            self.cover(found.since, found.truth.at);
            found.truth
        };
        Added::Taken(found.into_iter().map(cover).collect())
    }

    fn decide(&mut self, rule: &Rule, before: Timestamp) -> Vec<Truth> {
        match Shape::of(rule) {
            Some(shape) if !shape.is_monotone => self.decide_windows(shape, before),
            _ => Vec::new(),
        }
    }

    fn undecided(&self, rule: &Rule) -> Option<Timestamp> {
        let shape = Shape::of(rule).filter(|shape| !shape.is_monotone)?;
        self.next_decision(shape.window)
    }

    fn at(&self, truth: Truth) -> Option<&Held> {
        held::find(&self.events, truth)
    }

    fn inside<'a>(&'a self, _: &Rule, episode: &Episode) -> Vec<&'a Held> {
        let inside = self.range(episode.first, episode.last).map(|at| &self.events[at].held);
        inside.filter(|held| self.is_covered(held.time)).collect()
    }

    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64 {
        let Some(shape) = Shape::of(rule) else {
            return 0;
        };
        let link = rule.timing.link();
        let needed = self.needed(shape, horizon);
        self.forget_old(episodes, needed);
        if shape.is_monotone && link >= shape.window.reach() {
            self.omit_settled(shape, episodes);
        }
        self.omit_old(episodes, needed);
        self.forget_excess(episodes)
    }

    fn newest(&self) -> Option<Timestamp> {
        held::newest(&self.events)
    }

    fn roles(&self) -> Vec<(String, &Held)> {
        held::as_role("taken", self.events.iter().map(|taken| &taken.held)).collect()
    }
}

impl Taken {
    /// Whether a known event fills a step that it did not fill before. Takes note of that.
    fn fills(&mut self, new: Measure) -> bool {
        let (Measure::Steps(known), Measure::Steps(new)) = (&mut self.measure, new) else {
            return false;
        };
        let is_new = *known & new != new;
        *known |= new;
        is_new
    }
}

impl Windows {
    /// Everything from `since` to `until` contributes.
    fn cover(&mut self, since: Timestamp, until: Timestamp) {
        let from = self.covered.partition_point(|(_, end)| *end < since);
        let upto = self.covered.partition_point(|(start, _)| *start <= until);
        let mut whole = (since, until);
        for (start, end) in self.covered.drain(from..upto.max(from)) {
            whole = (whole.0.min(start), whole.1.max(end));
        }
        self.covered.insert(from, whole);
    }

    fn is_covered(&self, time: Timestamp) -> bool {
        let at = self.covered.partition_point(|(_, end)| *end < time);
        self.covered.get(at).is_some_and(|(start, _)| *start <= time)
    }

    /// The places of the events from `first` to `last`.
    fn range(&self, first: Timestamp, last: Timestamp) -> Range<usize> {
        let from = self.events.partition_point(|event| event.held.time < first);
        let upto = self.events.partition_point(|event| event.held.time <= last);
        from..upto.max(from)
    }

    /// From when on events may be in a window that is not decided, or in that of an event which is still to come.
    fn needed(&self, shape: Shape<'_>, horizon: Timestamp) -> Timestamp {
        if shape.is_monotone {
            return horizon.minus(shape.window.reach());
        }
        match (self.decided, shape.window) {
            (None, _) => Timestamp::MIN,
            // The next window is compared with the one before it, as long as there is a next one.
            (Some(decided), Window::Hopping { span, every }) => match self.newest() {
                Some(newest) if newest >= decided.minus(span) => decided.minus(span).minus(every),
                Some(_) | None => decided,
            },
            (Some(decided), Window::Sliding(_) | Window::Session { .. }) => decided.plus(Duration::from_millis(1)),
        }
    }

    /// Forgets what is not needed and in no episode.
    fn forget_old(&mut self, episodes: &[Episode], needed: Timestamp) {
        self.covered.retain(|(start, end)| {
            let at = episodes.partition_point(|episode| episode.last < *start);
            *end >= needed || episodes.get(at).is_some_and(|episode| episode.first <= *end)
        });
        if self.events.first().is_some_and(|event| event.held.time < needed) {
            let events = std::mem::take(&mut self.events);
            let is_kept = |event: &Taken| event.held.time >= needed || self.is_covered(event.held.time);
            self.events = events.into_iter().filter(is_kept).collect();
        }
    }

    /// Leaves out the inside of what goes on. The oldest events that are enough decide whether it began earlier, the
    /// newest that are decide everything after it; between them every event contributes anyway, and no moment of truth
    /// there could join or part episodes, because they go on for longer than a window reaches.
    fn omit_settled(&mut self, shape: Shape<'_>, episodes: &mut [Episode]) {
        for (start, end) in self.covered.clone() {
            let inside = self.range(start, end);
            if inside.len() <= EVIDENCE_MAX {
                continue;
            }
            let events = &self.events[inside.clone()];
            let head = window::filling(events.iter(), shape.running()).max(EVIDENCE_MAX);
            let tail = window::filling(events.iter().rev(), shape.running());
            if head + tail < inside.len() {
                let omitted = self.events.drain(inside.start + head..inside.end - tail);
                omitted.for_each(|event| omit(episodes, &event.held));
            }
        }
    }

    /// Leaves out what an episode has beyond the evidence, if nothing else needs it.
    fn omit_old(&mut self, episodes: &mut [Episode], needed: Timestamp) {
        if self.events.first().is_none_or(|event| event.held.time >= needed) {
            return;
        }
        let mut kept = vec![false; self.events.len()];
        for episode in &*episodes {
            let inside = self.range(episode.first, episode.last);
            let contributing = inside.filter(|at| self.is_covered(self.events[*at].held.time));
            contributing.take(EVIDENCE_MAX).for_each(|at| kept[at] = true);
        }
        let mut at = 0;
        self.events.retain(|event| {
            let is_kept = kept[at] || event.held.time >= needed;
            at += 1;
            if !is_kept {
                omit(episodes, &event.held);
            }
            is_kept
        });
    }

    /// Forgets events beyond the limit: the oldest, and where only different ones matter, of those of which there are
    /// most. Says how many.
    fn forget_excess(&mut self, episodes: &mut [Episode]) -> u64 {
        let excess = self.events.len().saturating_sub(EVENTS_MAX);
        if excess == 0 {
            return 0;
        }
        let mut alike: BTreeMap<_, usize> = BTreeMap::new();
        for event in &self.events {
            *alike.entry(event.measure.alike()).or_default() += 1;
        }
        let share = fair_share(alike.values().copied().collect(), EVENTS_MAX);
        let mut rest = excess;
        let events = std::mem::take(&mut self.events);
        for event in events {
            let count = alike.get_mut(&event.measure.alike()).expect("all were counted");
            if rest > 0 && *count > share {
                (rest, *count) = (rest - 1, *count - 1);
                if self.is_covered(event.held.time) {
                    omit(episodes, &event.held);
                }
            } else {
                self.events.push(event);
            }
        }
        excess as u64
    }
}

/// Counts an event in the episodes that it contributes to and that hold it no longer.
fn omit(episodes: &mut [Episode], held: &Held) {
    let of = |episode: &&mut Episode| episode.first <= held.time && held.time <= episode.last;
    for episode in episodes.iter_mut().filter(of) {
        episode.omitted_events += 1;
        episode.omitted_weight += u64::from(held.weight);
    }
}

/// How many of each may be kept so that, with so many there are of each, at most `most` are kept. None, if there are
/// more kinds than that.
fn fair_share(mut counts: Vec<usize>, most: usize) -> usize {
    counts.sort_unstable();
    let mut rest = most;
    for (at, count) in counts.iter().enumerate() {
        let share = rest / (counts.len() - at);
        if *count > share {
            return share;
        }
        rest -= count;
    }
    usize::MAX
}
