use event::{Fact, FactEntry, Timestamp};
use ruleset::{Pattern, Rule};
use serde::{Deserialize, Serialize};

use crate::absence::Absences;
use crate::aggregate::Windows;
use crate::count::Window;
use crate::episode::{Episode, Extent, Truth};
use crate::held::{self, Held};
use crate::join::Sides;
use crate::new_value::News;
use crate::sequence::Steps;

/// How many events of one side are kept for a key. Beyond it the oldest are forgotten, and that is counted.
pub(crate) const SIDE_MAX: usize = 1000;

/// How many events of one episode are listed as evidence. Beyond it they are only counted.
pub(crate) const EVIDENCE_MAX: usize = 1000;

/// How many different values are kept for a key. Beyond it the oldest are forgotten, and that is counted.
pub(crate) const VALUES_MAX: usize = 10_000;

/// How many events are kept for a key where only what is computed from all of them tells whether the rule holds. Beyond
/// it the oldest are forgotten, and that is counted.
pub(crate) const EVENTS_MAX: usize = 10_000;

/// What a rule keeps for a key, by its pattern. The place of a kind in this list is stored: new ones are added at the end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Kept {
    Count(Window),
    Join(Sides),
    Sequence(Steps),
    Absence(Absences),
    NewValue(News),
    Aggregate(Windows),
}

/// A kind of pattern: what it keeps of the events of a key, and when it holds. A rule of another pattern finds nothing.
pub(crate) trait Kind {
    /// Adds an event, and says at which moments the rule holds that it may have made true.
    fn add(&mut self, rule: &Rule, fact: &Fact, entry: &FactEntry) -> Added;

    /// Decides what depends on nothing from `before` on, and says at which moments the rule holds. For kinds that more
    /// events can make untrue; they never hold at once.
    fn decide(&mut self, _rule: &Rule, _before: Timestamp) -> Vec<Truth> {
        Vec::new()
    }

    /// The earliest moment up to which events decide something that is not decided yet.
    fn undecided(&self, _rule: &Rule) -> Option<Timestamp> {
        None
    }

    /// The event at which the rule holds.
    fn at(&self, truth: Truth) -> Option<&Held>;

    /// The events of an episode that are held, in order.
    fn inside<'a>(&'a self, rule: &Rule, episode: &Episode) -> Vec<&'a Held>;

    /// What an episode spans and stands for. As it is here, events are only added to an episode.
    fn extent(&self, rule: &Rule, episode: &Episode) -> Extent {
        Extent {
            digest: 0,
            ..held::extent(&self.inside(rule, episode), episode)
        }
    }

    /// Forgets what nothing needs when no event before `horizon` is still to come, and says how many events a limit
    /// made it forget too early. What such events stood for in an episode is counted there.
    fn prune(&mut self, rule: &Rule, episodes: &mut [Episode], horizon: Timestamp) -> u64;

    /// The time of the newest event.
    fn newest(&self) -> Option<Timestamp>;

    /// Every event that is held, and as what: for people who ask.
    fn roles(&self) -> Vec<(String, &Held)>;
}

/// What became of an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Added {
    /// It was known.
    Known,
    /// It has no value where the rule needs one.
    NoValue,
    /// It is taken, and the rule holds at these moments, some of which may be known.
    Taken(Vec<Truth>),
}

impl Kept {
    /// Nothing yet.
    pub(crate) fn new(rule: &Rule) -> Self {
        let link = rule.timing.link();
        match &rule.pattern {
            // Windows of one episode are never apart then: all between its first and its last event contributes.
            Pattern::Count(pattern) if !link.is_zero() && link <= pattern.window => Self::Count(Window::default()),
            Pattern::Join(_) => Self::Join(Sides::default()),
            Pattern::Sequence(pattern) if pattern.is_ordered => Self::Sequence(Steps::default()),
            Pattern::Absence(_) => Self::Absence(Absences::default()),
            Pattern::NewValue(_) => Self::NewValue(News::default()),
            Pattern::Each(_) | Pattern::Count(_) | Pattern::Aggregate(_) | Pattern::Sequence(_) => {
                Self::Aggregate(Windows::default())
            }
        }
    }

    pub(crate) fn kind(&self) -> &dyn Kind {
        match self {
            Self::Count(kind) => kind,
            Self::Join(kind) => kind,
            Self::Sequence(kind) => kind,
            Self::Absence(kind) => kind,
            Self::NewValue(kind) => kind,
            Self::Aggregate(kind) => kind,
        }
    }

    pub(crate) fn kind_mut(&mut self) -> &mut dyn Kind {
        match self {
            Self::Count(kind) => kind,
            Self::Join(kind) => kind,
            Self::Sequence(kind) => kind,
            Self::Absence(kind) => kind,
            Self::NewValue(kind) => kind,
            Self::Aggregate(kind) => kind,
        }
    }
}

/// Lets `forget` forget events that episodes may need, and counts there what they lose by it.
pub(crate) fn forget_too_early<K: Kind>(
    kind: &mut K,
    rule: &Rule,
    episodes: &mut [Episode],
    forget: impl FnOnce(&mut K) -> u64,
) -> u64 {
    let whole = |episode: &Episode| (kind.inside(rule, episode).len(), kind.extent(rule, episode));
    let before: Vec<(usize, Extent)> = episodes.iter().map(whole).collect();
    let forgotten = forget(kind);
    for (episode, (events, extent)) in episodes.iter_mut().zip(before) {
        let inside = kind.inside(rule, episode);
        episode.omitted_events += events.saturating_sub(inside.len()) as u64;
        episode.omitted_weight = extent.count.saturating_sub(held::weight(inside));
        (episode.first, episode.last) = (extent.first, extent.last);
        if episode.told == extent {
            // Nobody is told again of the same events because fewer of them are held.
            episode.told.digest = kind.extent(rule, episode).digest;
        }
    }
    forgotten
}
