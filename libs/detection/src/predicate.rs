//! Conditions, prepared: names are slots, patterns are matchers, zones are known.
//!
//! A [`Condition`] is made once of a [`Predicate`], and then asked of [`Subject`]s, which may be events or alerts.

use ipnet::IpNet;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;
use ruleset::{CalendarPart, Comparison, Predicate, Relation, Test, TextPattern};

use event::{FieldValue, Timestamp};

use crate::operand::{Choice, Operand, relate, with_text};
use crate::subject::{Slot, Slots, Subject};
use crate::text::{TextMatcher, is_same};

/// What is known of a condition. Only `Yes` lets an event pass; the denial of `Unknown` is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It is known not to hold.
    No,
    /// The event does not say: the field is absent, or is of a type that does not compare.
    Unknown,
    /// It holds.
    Yes,
}

/// A [`Predicate`] that subjects are asked of.
#[derive(Debug)]
pub(crate) enum Condition {
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Not(Box<Condition>),
    Unless(Box<Condition>),
    Field(Slot, Check),
    Anywhere(Check),
    Service(Service),
    Word(Word),
    Hour(TimeZone, Comparison, i64),
    Weekday(TimeZone, Comparison, i64),
    Alert(Box<str>),
}

/// A [`Test`] that values are asked of.
#[derive(Debug)]
pub(crate) enum Check {
    Exists,
    Matches(TextMatcher),
    Compare(Comparison, Operand),
    In(Choice),
    Every(Box<[Check]>),
    Regex(Regex),
    Network(IpNet),
    Relates(Relation, Slot),
    Calendar(TimeZone, CalendarPart, Comparison, i64),
}

/// The service of every event that says what happened.
pub(crate) const IMPLIED_SERVICE: &str = "security";

/// The service in either place, and for `security` any event that says what happened: sshd's failures are the guide's.
#[derive(Debug)]
pub(crate) struct Service {
    matcher: TextMatcher,
    places: [Slot; 2],
    /// A slot that is enough if it has a value.
    implied: Option<Slot>,
}

/// A tag that is the word, or the word's terms next to each other in the message.
#[derive(Debug)]
pub(crate) struct Word {
    word: Box<str>,
    terms: Box<[Box<str>]>,
    message: Slot,
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

impl Condition {
    /// Prepares `predicate` for a rule in `zone`; what it reads gets a slot.
    pub(crate) fn new(predicate: &Predicate, zone: &TimeZone, slots: &mut Slots) -> Self {
        match predicate {
            Predicate::All(parts) => Self::All(Self::each(parts, zone, slots)),
            Predicate::Any(parts) => Self::Any(Self::each(parts, zone, slots)),
            Predicate::Not(part) => Self::Not(Box::new(Self::new(part, zone, slots))),
            Predicate::Unless(part) => Self::Unless(Box::new(Self::new(part, zone, slots))),
            Predicate::Field { name, test } => Self::Field(slots.slot(name), Check::new(test, name, zone, slots)),
            Predicate::Anywhere(test) => {
                slots.reads_texts = true;
                Self::Anywhere(Check::new(test, "", zone, slots))
            }
            Predicate::Service(pattern) => Self::Service(Service::new(pattern, slots)),
            Predicate::Word(word) => Self::Word(Word::new(word, slots)),
            Predicate::Hour(comparison, hour, own) => {
                Self::Hour(own.as_ref().unwrap_or(zone).clone(), *comparison, *hour)
            }
            Predicate::Weekday(comparison, day, own) => {
                Self::Weekday(own.as_ref().unwrap_or(zone).clone(), *comparison, *day)
            }
            Predicate::Alert(id) => Self::Alert(id.as_str().into()),
        }
    }

    fn each(parts: &[Predicate], zone: &TimeZone, slots: &mut Slots) -> Box<[Self]> {
        parts.iter().map(|part| Self::new(part, zone, slots)).collect()
    }

    /// Whether it holds for `subject`.
    pub(crate) fn ask(&self, subject: &Subject<'_>) -> Truth {
        match self {
            Self::All(parts) => least(parts.iter().map(|part| part.ask(subject))),
            Self::Any(parts) => greatest(parts.iter().map(|part| part.ask(subject))),
            Self::Not(part) => !part.ask(subject),
            Self::Unless(part) => (part.ask(subject) != Truth::Yes).into(),
            Self::Field(slot, check) => check.ask(subject.value(*slot), subject),
            // Never unknown: an event says what its texts are.
            Self::Anywhere(check) => {
                let fits = |text: &FieldValue<'_>| check.ask_one(text, subject) == Truth::Yes;
                subject.texts.iter().any(fits).into()
            }
            Self::Service(service) => service.fits(subject).into(),
            Self::Word(word) => word.fits(subject).into(),
            Self::Hour(zone, comparison, hour) => local(subject.time, zone).map_or(Truth::Unknown, |local| {
                comparison.accepts(i64::from(local.hour()).cmp(hour)).into()
            }),
            Self::Weekday(zone, comparison, day) => local(subject.time, zone).map_or(Truth::Unknown, |local| {
                let today = i64::from(local.weekday().to_monday_one_offset());
                comparison.accepts(today.cmp(day)).into()
            }),
            Self::Alert(id) => (subject.alert_of == Some(id)).into(),
        }
    }
}

fn least(mut parts: impl Iterator<Item = Truth>) -> Truth {
    let fold = |known: Truth, part: Truth| match known.min(part) {
        Truth::No => Err(Truth::No),
        known @ (Truth::Unknown | Truth::Yes) => Ok(known),
    };
    parts.try_fold(Truth::Yes, fold).unwrap_or_else(|decided| decided)
}

fn greatest(mut parts: impl Iterator<Item = Truth>) -> Truth {
    let fold = |known: Truth, part: Truth| match known.max(part) {
        Truth::Yes => Err(Truth::Yes),
        known @ (Truth::Unknown | Truth::No) => Ok(known),
    };
    parts.try_fold(Truth::No, fold).unwrap_or_else(|decided| decided)
}

fn local(moment: Timestamp, zone: &TimeZone) -> Option<DateTime> {
    let moment = jiff::Timestamp::from_millisecond(moment.as_millis()).ok()?;
    Some(zone.to_datetime(moment))
}

impl Check {
    fn new(test: &Test, name: &str, zone: &TimeZone, slots: &mut Slots) -> Self {
        match test {
            Test::Exists => Self::Exists,
            Test::Matches(pattern) => Self::Matches(TextMatcher::new(pattern)),
            Test::Compare(comparison, literal) => Self::Compare(*comparison, Operand::new(literal, name)),
            Test::In(literals) => Self::In(Choice::new(literals, name)),
            Test::Every(tests) => Self::Every(tests.iter().map(|test| Self::new(test, name, zone, slots)).collect()),
            Test::Regex(pattern) => Self::Regex(pattern.0.clone()),
            Test::Network(network) => Self::Network(unwrapped(*network)),
            Test::Relates(relation, other) => Self::Relates(*relation, slots.slot(other)),
            Test::Calendar(part, comparison, value) => Self::Calendar(zone.clone(), *part, *comparison, *value),
        }
    }

    /// Of a list, one element has to fit.
    fn ask(&self, value: Option<&FieldValue<'_>>, subject: &Subject<'_>) -> Truth {
        match (value, self) {
            (Some(_), Self::Exists) => Truth::Yes,
            (None, Self::Exists) => Truth::No,
            (None, _) => Truth::Unknown,
            (Some(value), _) => greatest(value.each().iter().map(|one| self.ask_one(one, subject))),
        }
    }

    fn ask_one(&self, value: &FieldValue<'_>, subject: &Subject<'_>) -> Truth {
        match self {
            Self::Exists => Truth::Yes,
            Self::Matches(matcher) => with_text(value, |text| matcher.fits(text)).into(),
            Self::Compare(comparison, operand) => operand
                .order(value)
                .map_or(Truth::Unknown, |order| comparison.accepts(order).into()),
            Self::In(choice) => choice.ask(value),
            Self::Every(checks) => least(checks.iter().map(|check| check.ask_one(value, subject))),
            Self::Regex(regex) => with_text(value, |text| regex.is_match(text)).into(),
            Self::Network(network) => {
                with_text(value, event::parse_ip).map_or(Truth::Unknown, |address| network.contains(&address).into())
            }
            Self::Relates(relation, other) => subject.value(*other).map_or(Truth::Unknown, |other| {
                greatest(other.each().iter().map(|other| relate(*relation, value, other).into()))
            }),
            Self::Calendar(zone, part, comparison, wanted) => with_text(value, Timestamp::parse)
                .and_then(|moment| local(moment, zone))
                .map_or(Truth::Unknown, |local| {
                    comparison.accepts(part_of(local, *part).cmp(wanted)).into()
                }),
        }
    }
}

/// IPv4 inside IPv6 is IPv4, in a network as in an address.
fn unwrapped(network: IpNet) -> IpNet {
    const WRAPPING: u8 = 96;
    let length = network.prefix_len().checked_sub(WRAPPING);
    match (network.network().to_canonical(), length) {
        (address @ std::net::IpAddr::V4(_), Some(length)) if network.network().is_ipv6() => {
            IpNet::new(address, length).unwrap_or(network)
        }
        _ => network,
    }
}

fn part_of(local: DateTime, part: CalendarPart) -> i64 {
    match part {
        CalendarPart::Minute => local.minute().into(),
        CalendarPart::Hour => local.hour().into(),
        CalendarPart::Day => local.day().into(),
        CalendarPart::Week => local.date().iso_week_date().week().into(),
        CalendarPart::Month => local.month().into(),
        CalendarPart::Year => local.year().into(),
    }
}

impl Service {
    fn new(pattern: &TextPattern, slots: &mut Slots) -> Self {
        let matcher = TextMatcher::new(pattern);
        let is_implied = matcher.fits(IMPLIED_SERVICE);
        Self {
            matcher,
            places: ["service", "metadata.service"].map(|name| slots.slot(name)),
            implied: is_implied.then(|| slots.slot("security_event")),
        }
    }

    fn fits(&self, subject: &Subject<'_>) -> bool {
        let fits = |value: &FieldValue<'_>| with_text(value, |text| self.matcher.fits(text));
        let mut places = self.places.iter().filter_map(|slot| subject.value(*slot));
        self.implied.is_some_and(|slot| subject.value(slot).is_some())
            || places.any(|value| value.each().iter().any(fits))
    }
}

impl Word {
    fn new(word: &str, slots: &mut Slots) -> Self {
        slots.reads_tags = true;
        Self {
            word: word.into(),
            terms: terms(word).map(Box::from).collect(),
            message: slots.slot("message"),
        }
    }

    fn fits(&self, subject: &Subject<'_>) -> bool {
        subject.tags.iter().any(|tag| is_same(tag, &self.word))
            || subject
                .value(self.message)
                .is_some_and(|message| with_text(message, |text| self.is_said_in(text)))
    }

    fn is_said_in(&self, text: &str) -> bool {
        let mut rest = terms(text);
        while !self.terms.is_empty() {
            let mut said = rest.clone();
            if self
                .terms
                .iter()
                .all(|wanted| said.next().is_some_and(|said| is_same(said, wanted)))
            {
                return true;
            }
            if rest.next().is_none() {
                break;
            }
        }
        false
    }
}

fn terms(text: &str) -> impl Iterator<Item = &str> + Clone {
    let apart = |character: char| !(character.is_alphanumeric() || character == '_' || character == '-');
    text.split(apart).filter(|term| !term.is_empty())
}

#[cfg(test)]
mod tests;
