use std::time::Duration;

use crate::{Comparison, Predicate};

/// When a rule fires.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// On every event that passes: stateless.
    Each(Predicate),
    /// When the events of one group within one sliding window are so many: the monotone count, which fires at once.
    Count(CountPattern),
    /// When events of two kinds, equal in some fields, lie within a span.
    Join(JoinPattern),
    /// When what is computed over the events of one group within one window is within limits. Everything that counts
    /// or computes and is not a [`CountPattern`].
    Aggregate(AggregatePattern),
    /// When events of several kinds lie within a span, in their order or in any.
    Sequence(SequencePattern),
    /// When no event of another kind lies within a span of an event.
    Absence(AbsencePattern),
    /// When a field has a value that its group did not have within a span before.
    NewValue(NewValuePattern),
}

/// The events of one group within a sliding, closed window `[t - window, t]`, counted.
#[derive(Clone, Debug, PartialEq)]
pub struct CountPattern {
    /// Which events count.
    pub filter: Predicate,
    /// How long the window is. Positive.
    pub window: Duration,
    /// What makes a group: field names. Empty: all events of a tenant are one group.
    pub group_by: Vec<String>,
    /// How many are enough.
    pub threshold: Threshold,
}

/// A monotone threshold: more events can only confirm it, so it may fire as soon as it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// It is true from this count on: 11 for `count > 10`. At least 1.
    pub at_least: u64,
}

/// Events of a left and a right kind whose `on` fields have equal values and whose times are at most `within` apart.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinPattern {
    /// The kind that is alerted on.
    pub left: Predicate,
    /// The kind that must be near.
    pub right: Predicate,
    /// Pairs of field names: left, right. Never empty.
    pub on: Vec<(String, String)>,
    /// The greatest distance in time. Positive.
    pub within: Duration,
    /// Which must come first.
    pub order: Order,
}

/// Which side of a join must come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Either.
    Any,
    /// The right side (`join (…) before`).
    RightFirst,
    /// The left side (`join (…) after`, `join (…) then`).
    LeftFirst,
}

/// A value computed over the events of one group within one window, and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregatePattern {
    /// Which events are taken.
    pub filter: Predicate,
    /// Which of them are seen together.
    pub window: Window,
    /// What makes a group: field names. Empty: all events of a tenant are one group.
    pub group_by: Vec<String>,
    /// What is computed.
    pub aggregate: Aggregate,
    /// All of them must hold. Never empty.
    pub limits: Vec<Limit>,
}

/// Which events of a group are seen together. Spans are positive, whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// `[t - span, t]`, both ends included.
    Sliding(Duration),
    /// `[k * every, k * every + span)` for every whole k, from the Unix epoch on. Tumbling if `every` is `span`.
    Hopping {
        /// How long each window is.
        span: Duration,
        /// How far apart the windows begin. At most `span`.
        every: Duration,
    },
    /// Events with gaps of at most `gap`, over at most `max`.
    Session {
        /// The longest gap, included.
        gap: Duration,
        /// The longest distance of the first and the last event, included. At least `gap`.
        max: Duration,
    },
}

/// What is computed over the events of a window. An event that lacks the field, or has something else than a number
/// where one is needed, is not in the window.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    /// How many events, repeats counted.
    Count,
    /// How many different values of these fields together, as text.
    Distinct(Vec<String>),
    /// The sum of a field's values, each taken `repeat` times; a negative value is no number here.
    Sum(String),
    /// The mean of a field's values, weighed by `repeat`.
    Average(String),
    /// The least value of a field.
    Minimum(String),
    /// The greatest value of a field.
    Maximum(String),
    /// The percentile of a field's values by nearest rank: the value at place `ceil(percent / 100 * n)` of n, at least
    /// the first; `repeat` values each.
    Percentile {
        /// The field.
        field: String,
        /// 0 to 100.
        percent: f64,
    },
    /// The share, in percent of all events, of the rarest value of a field, as text.
    RarestShare(String),
}

/// A comparison of a computed value with a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// How it has to compare.
    pub comparison: Comparison,
    /// With what.
    pub value: f64,
}

/// Events of several kinds, equal in some fields, within a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SequencePattern {
    /// The kinds: 2 to [`SequencePattern::STEPS_MAX`].
    pub steps: Vec<Step>,
    /// The greatest distance of the first and the last event. Positive.
    pub within: Duration,
    /// Whether every event of a step comes after every event of the step before.
    pub is_ordered: bool,
}

/// One kind of event of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which events it takes.
    pub filter: Predicate,
    /// What has to be equal to the fields at the same place in the other steps. Empty: the tenant alone.
    pub key: Vec<String>,
    /// How many of them it needs, repeats counted. At least 1.
    pub at_least: u64,
}

/// An event, and no event of another kind that is equal in some fields and near.
#[derive(Clone, Debug, PartialEq)]
pub struct AbsencePattern {
    /// The kind that is alerted on.
    pub left: Predicate,
    /// The kind that must not be near.
    pub right: Predicate,
    /// Pairs of field names: left, right. Empty: any of the tenant.
    pub on: Vec<(String, String)>,
    /// How near is near, the bound included. Positive.
    pub within: Duration,
    /// Where the right kind must be absent: `LeftFirst` after the left event, `RightFirst` before it, `Any` on both sides.
    pub order: Order,
}

/// An event whose value of a field its group had in no event within a span before, but had others.
#[derive(Clone, Debug, PartialEq)]
pub struct NewValuePattern {
    /// Which events are looked at.
    pub filter: Predicate,
    /// The field.
    pub field: String,
    /// What makes a group. Empty: all events of a tenant are one group.
    pub group_by: Vec<String>,
    /// How far back a value is known. Positive.
    pub within: Duration,
}

/// One kind of event that a rule takes: fact by fact, a side.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// Its number in facts: 0 for the left, 1 for the right, else the step.
    pub number: u8,
    /// Which events it takes.
    pub filter: &'a Predicate,
    /// The fields whose values are the key, in order.
    pub key: Vec<&'a str>,
}

impl Window {
    /// The greatest distance in time of two events that are seen together.
    pub fn reach(self) -> Duration {
        match self {
            Self::Sliding(span) | Self::Hopping { span, .. } => span,
            Self::Session { max, .. } => max,
        }
    }
}

impl Aggregate {
    /// The fields it reads.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Count => Vec::new(),
            Self::Distinct(fields) => fields.iter().map(String::as_str).collect(),
            Self::Sum(field)
            | Self::Average(field)
            | Self::Minimum(field)
            | Self::Maximum(field)
            | Self::Percentile { field, .. }
            | Self::RarestShare(field) => vec![field],
        }
    }
}

impl AggregatePattern {
    /// Whether more events can only confirm it, so that it may fire as soon as it is true. What more events can make
    /// untrue is decided when its window is over.
    pub fn is_monotone(&self) -> bool {
        self.limits.iter().all(|limit| {
            let rising = matches!(limit.comparison, Comparison::Greater | Comparison::GreaterOrEqual);
            let falling = matches!(limit.comparison, Comparison::Less | Comparison::LessOrEqual);
            match self.aggregate {
                Aggregate::Count | Aggregate::Distinct(_) | Aggregate::Sum(_) | Aggregate::Maximum(_) => rising,
                Aggregate::Minimum(_) => falling,
                Aggregate::Average(_) | Aggregate::Percentile { .. } | Aggregate::RarestShare(_) => false,
            }
        })
    }
}

impl SequencePattern {
    /// The most steps.
    pub const STEPS_MAX: usize = 8;
}

impl Pattern {
    /// The kinds of events it takes.
    pub fn sides(&self) -> Vec<Side<'_>> {
        match self {
            Self::Each(filter) => grouped_by(filter, &[]),
            Self::Count(count) => grouped_by(&count.filter, &count.group_by),
            Self::Aggregate(aggregate) => grouped_by(&aggregate.filter, &aggregate.group_by),
            Self::NewValue(news) => grouped_by(&news.filter, &news.group_by),
            Self::Join(join) => joined(&join.left, &join.right, &join.on),
            Self::Absence(absence) => joined(&absence.left, &absence.right, &absence.on),
            Self::Sequence(sequence) => (0..)
                .zip(&sequence.steps)
                .map(|(number, step)| side(number, &step.filter, step.key.iter()))
                .collect(),
        }
    }

    /// The greatest distance in time over which it sees two events together.
    pub fn reach(&self) -> Duration {
        match self {
            Self::Each(_) => Duration::ZERO,
            Self::Count(count) => count.window,
            Self::Aggregate(aggregate) => aggregate.window.reach(),
            Self::Join(join) => join.within,
            Self::Sequence(sequence) => sequence.within,
            Self::Absence(absence) => absence.within,
            Self::NewValue(news) => news.within,
        }
    }

    /// How long after its last true moment an episode still goes on, if the rule does not say.
    pub fn default_keep_alive(&self) -> Duration {
        match self {
            Self::Aggregate(AggregatePattern {
                window: Window::Session { gap, .. },
                ..
            }) => *gap,
            Self::Each(_)
            | Self::Count(_)
            | Self::Aggregate(_)
            | Self::Join(_)
            | Self::Sequence(_)
            | Self::Absence(_) => self.reach(),
            // What is new a day later is another thing that is new.
            Self::NewValue(_) => Duration::ZERO,
        }
    }

    /// Whether more events can only confirm it, so that it fires as soon as it is true. Everything else fires when the
    /// watermark, less the rule's grace, has passed what it depends on.
    pub fn is_monotone(&self) -> bool {
        match self {
            Self::Each(_) | Self::Count(_) | Self::Join(_) | Self::Sequence(_) => true,
            Self::Aggregate(aggregate) => aggregate.is_monotone(),
            Self::Absence(_) | Self::NewValue(_) => false,
        }
    }

    /// The fields that its evaluation reads beyond filters and keys.
    pub fn value_fields(&self) -> Vec<&str> {
        match self {
            Self::Aggregate(aggregate) => aggregate.aggregate.fields(),
            Self::NewValue(news) => vec![&news.field],
            Self::Each(_) | Self::Count(_) | Self::Join(_) | Self::Sequence(_) | Self::Absence(_) => Vec::new(),
        }
    }
}

fn side<'a>(number: u8, filter: &'a Predicate, key: impl Iterator<Item = &'a String>) -> Side<'a> {
    Side {
        number,
        filter,
        key: key.map(String::as_str).collect(),
    }
}

fn grouped_by<'a>(filter: &'a Predicate, group_by: &'a [String]) -> Vec<Side<'a>> {
    vec![side(0, filter, group_by.iter())]
}

fn joined<'a>(left: &'a Predicate, right: &'a Predicate, on: &'a [(String, String)]) -> Vec<Side<'a>> {
    vec![
        side(0, left, on.iter().map(|(left, _)| left)),
        side(1, right, on.iter().map(|(_, right)| right)),
    ]
}
