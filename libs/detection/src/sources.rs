use event::SourceTopic;
use ruleset::{Predicate, Rule, Test};
use state::Clock;

/// A set of source topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceSet(u8);

impl SourceSet {
    /// Every topic that holds events.
    pub const EVENTS: Self = Self(0b0111);
    /// The topics whose events carry a `security_event`: an audit event may carry one too.
    const SECURITY: Self = Self(0b0011);

    /// Every set that a rule may read.
    pub(crate) const ALL: [Self; 2] = [Self::SECURITY, Self::EVENTS];

    /// The topics from which events of `rule` can come. A flood of access logs cannot stall a rule that reads none.
    pub fn of(rule: &Rule) -> Self {
        let sides = rule.pattern.sides();
        Self(sides.iter().fold(0, |set, side| set | Self::of_filter(side.filter).0))
    }

    fn of_filter(filter: &Predicate) -> Self {
        if demands_security_event(filter) {
            Self::SECURITY
        } else {
            Self::EVENTS
        }
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
        Predicate::Not(_)
        | Predicate::Unless(_)
        | Predicate::Anywhere(_)
        | Predicate::Alert(_)
        | Predicate::Service(_)
        | Predicate::Word(_)
        | Predicate::Hour(..)
        | Predicate::Weekday(..) => false,
    }
}
