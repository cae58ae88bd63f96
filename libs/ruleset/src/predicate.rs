use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};

use crate::TextPattern;

/// A condition on one event. Three-valued: an event that does not have a field says nothing about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Every one holds. `All([])` always holds.
    All(Vec<Predicate>),
    /// At least one holds. `Any([])` never holds.
    Any(Vec<Predicate>),
    /// It is known not to hold: unknown stays unknown.
    Not(Box<Predicate>),
    /// It is not known to hold: unknown holds. Sigma's `not`.
    Unless(Box<Predicate>),
    /// A field has a value that fits. Of a list, one element has to fit.
    Field {
        /// The field, as [`event::Event::field`] resolves it.
        name: String,
        /// What fits.
        test: Test,
    },
    /// Some text of the event fits: its message, a canonical field, or any text within its metadata. Sigma's keywords.
    Anywhere(Test),
    /// `service:x`: the event's service or its `metadata.service` fits; and for `security` any event that carries a
    /// `security_event`.
    Service(TextPattern),
    /// A bare word or a quoted phrase: a tag of the event, or a term in its message; without regard to case. The words
    /// of a phrase stand in the message in that order, next to each other.
    Word(String),
    /// The hour of the effective time, 0 to 23; in this zone, else in the rule's.
    Hour(Comparison, i64, Option<TimeZone>),
    /// The ISO weekday of the effective time, Monday 1 to Sunday 7; in this zone, else in the rule's.
    Weekday(Comparison, i64, Option<TimeZone>),
    /// It is the opening of an alert of the rule with this id, not an event of the log. Such a rule is of a higher
    /// level than the one it names ([`crate::RuleSet::level`]).
    Alert(String),
}

/// What fits a field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is there.
    Exists,
    /// Its text fits (`field:value`).
    Matches(TextPattern),
    /// It compares so with a literal (`where field > 5`). Equality of texts regards case.
    Compare(Comparison, Literal),
    /// It equals one of these.
    In(Vec<Literal>),
    /// Every one of these fits the same value, of a list the same element: a range.
    Every(Vec<Test>),
    /// Its text contains a match.
    Regex(RegexPattern),
    /// It is an address in this network; IPv4 inside IPv6 is unwrapped first.
    Network(IpNet),
    /// It relates so to the value of another field, as text without regard to case; numbers as numbers.
    Relates(Relation, String),
    /// It is a time, and this part of it, in the rule's zone, compares so.
    Calendar(CalendarPart, Comparison, i64),
}

/// How the values of two fields relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They compare so.
    Compares(Comparison),
    /// The first contains the second.
    Contains,
    /// The first begins with the second.
    StartsWith,
    /// The first ends with the second.
    EndsWith,
}

/// A part of a date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarPart {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// Day of the month, 1 to 31.
    Day,
    /// ISO 8601 week, 1 to 53.
    Week,
    /// 1 to 12.
    Month,
    /// As it is written.
    Year,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number; compares with numbers and with texts that are written as one.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// A compiled regular expression, equal to another if it was written the same.
#[derive(Clone, Debug)]
pub struct RegexPattern(pub Regex);

impl RegexPattern {
    /// The longest, in bytes.
    const BYTES_MAX: usize = 4096;
    /// The compiled size, in bytes, of an expression and of its lazy automaton.
    const SIZE_MAX: usize = 1024 * 1024;
    const NEST_MAX: u32 = 50;

    /// Compiles what a rule says, within bounds.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn compile(written: &str) -> Result<Self, String> {
        if written.len() > Self::BYTES_MAX {
            return Err(format!("a regular expression has at most {} bytes", Self::BYTES_MAX));
        }
        let compiled = RegexBuilder::new(written)
            .size_limit(Self::SIZE_MAX)
            .dfa_size_limit(Self::SIZE_MAX)
            .nest_limit(Self::NEST_MAX)
            .build();
        compiled.map(Self).map_err(|error| {
            if let regex::Error::CompiledTooBig(limit) = error {
                return format!("this regular expression needs more than {limit} bytes");
            }
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default();
            format!(
                "this is not a regular expression: {}",
                last.trim_start_matches("error: ")
            )
        })
    }
}

impl PartialEq for RegexPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Comparison {
    /// Whether `left` compares with `right` so, given how they are ordered.
    pub fn accepts(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Predicate {
    /// Calls `visit` on this condition and on every one inside it, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Predicate)) {
        visit(self);
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Self::Not(part) | Self::Unless(part) => part.walk(visit),
            Self::Field { .. }
            | Self::Anywhere(_)
            | Self::Service(_)
            | Self::Word(_)
            | Self::Hour(..)
            | Self::Weekday(..)
            | Self::Alert(_) => {}
        }
    }

    /// The ids of the rules whose alerts it asks for, each once.
    pub fn alerts(&self) -> BTreeSet<&str> {
        let mut ids = BTreeSet::new();
        self.walk(&mut |condition| {
            if let Self::Alert(id) = condition {
                ids.insert(id.as_str());
            }
        });
        ids
    }

    /// Whether no event of the log can pass, but alerts alone.
    pub fn demands_alert(&self) -> bool {
        match self {
            Self::Alert(_) => true,
            Self::All(parts) => parts.iter().any(Self::demands_alert),
            Self::Any(parts) => !parts.is_empty() && parts.iter().all(Self::demands_alert),
            Self::Not(_)
            | Self::Unless(_)
            | Self::Field { .. }
            | Self::Anywhere(_)
            | Self::Service(_)
            | Self::Word(_)
            | Self::Hour(..)
            | Self::Weekday(..) => false,
        }
    }
}
