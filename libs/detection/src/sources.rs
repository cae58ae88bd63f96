use event::SourceTopic;
use ruleset::{Predicate, Rule, RuleSet, Test};
use state::Clock;

/// A set of source topics, and of levels of the topic `facts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceSet(u8);

impl SourceSet {
    /// Every topic that holds events.
    pub const EVENTS: Self = Self(0b0111);
    /// The topics whose events carry a `security_event`: an audit event may carry one too.
    const SECURITY: Self = Self(0b0011);

    /// Nothing.
    pub(crate) const NONE: Self = Self(0);

    /// The topics from which events of `rule` can come. A flood of access logs cannot stall a rule that reads none.
    pub fn of(rule: &Rule) -> Self {
        let sides = rule.pattern.sides();
        sides
            .iter()
            .fold(Self::NONE, |set, side| set.with(Self::of_filter(side.filter)))
    }

    fn of_filter(filter: &Predicate) -> Self {
        if filter.demands_alert() {
            Self::NONE
        } else if demands_security_event(filter) {
            Self::SECURITY
        } else {
            Self::EVENTS
        }
    }

    /// One topic of events.
    pub(crate) fn topic(topic: SourceTopic) -> Self {
        Self(bit(topic))
    }

    /// The facts of a level, from 1 on, which correlate derives.
    pub(crate) fn level(level: u8) -> Self {
        Self(bit(SourceTopic::Facts) << level.saturating_sub(1))
    }

    /// Every set that a rule may read.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let levels = 0..1 << RuleSet::LEVEL_MAX;
        let with_levels = move |events: Self| {
            levels
                .clone()
                .map(move |levels: u8| Self(events.0 | (levels * bit(SourceTopic::Facts))))
        };
        let events = [Self::SECURITY, Self::EVENTS, Self::NONE].into_iter();
        events.flat_map(with_levels).filter(|set| *set != Self::NONE)
    }

    /// What is in either.
    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The topics of events in it.
    pub(crate) fn events(self) -> Self {
        Self(self.0 & Self::EVENTS.0)
    }

    /// Whether it has a level of the topic `facts`.
    pub(crate) fn has_levels(self) -> bool {
        self.events() != self
    }

    /// Whether it has all that is in `other`.
    pub(crate) fn includes(self, other: Self) -> bool {
        self.with(other) == self
    }

    /// Whether `topic` is in the set.
    pub fn contains(self, topic: SourceTopic) -> bool {
        self.0 & bit(topic) != 0
    }

    /// The clock that waits for the slowest partition of these topics.
    pub fn clock(self) -> Clock {
        Clock(self.0)
    }
}

fn bit(topic: SourceTopic) -> u8 {
    match topic {
        SourceTopic::Security => 0b0001,
        SourceTopic::Audit => 0b0010,
        SourceTopic::Access => 0b0100,
        // The first level; the others lie above it.
        SourceTopic::Facts => 0b1000,
    }
}

/// Whether no event without a `security_event` can pass.
fn demands_security_event(filter: &Predicate) -> bool {
    match filter {
        Predicate::All(parts) => parts.iter().any(demands_security_event),
        Predicate::Any(parts) => !parts.is_empty() && parts.iter().all(demands_security_event),
        // Every test but `Exists` is unknown, so not passed, where the field is absent.
        Predicate::Field { name, test } => {
            name == "security_event"
                && match test {
                    Test::Exists
                    | Test::Matches(_)
                    | Test::Compare(..)
                    | Test::In(_)
                    | Test::Every(_)
                    | Test::Regex(_)
                    | Test::Network(_)
                    | Test::Relates(..)
                    | Test::Calendar(..) => true,
                }
        }
        // No event passes at all.
        Predicate::Alert(_) => true,
        Predicate::Not(_)
        | Predicate::Unless(_)
        | Predicate::Anywhere(_)
        | Predicate::Service(_)
        | Predicate::Word(_)
        | Predicate::Hour(..)
        | Predicate::Weekday(..) => false,
    }
}
