use std::ops::{Range, RangeInclusive};

use jiff::tz::TimeZone;

use super::condition::list;
use super::cursor::Text;
use super::literal::unknown;
use super::{Cursor, any_of, zone};
use crate::error::{Fault, quoted};
use crate::{Comparison, Predicate};

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// What a rule can ask of the effective time, in the rule's zone or in another: `hour >= 22`,
/// `weekday in (sat, sun)`, `hour in timezone "Europe/Berlin" >= 22`.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    Hour,
    Weekday,
}

impl Clock {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "hour" => Some(Self::Hour),
            "weekday" => Some(Self::Weekday),
            _ => None,
        }
    }

    pub(crate) fn condition(self, cursor: &mut Cursor) -> Result<Predicate, Fault> {
        const OPERATORS: &str = "one of = != > >= < <= in";
        let mut negated = cursor.keyword("NOT");
        let mut is_list = cursor.keyword("in");
        let mut own_zone = None;
        if is_list && !negated && cursor.keyword("timezone") {
            let Text { text, at, .. } = cursor.text("a time zone, as in `hour in timezone \"Europe/Berlin\" >= 22`")?;
            own_zone = Some(zone(text, &at)?.0);
            negated = cursor.keyword("NOT");
            is_list = cursor.keyword("in");
        }
        let own_zone = own_zone.as_ref();
        if is_list {
            let values = list(cursor, |cursor| self.value(cursor))?;
            let one = |(value, _)| self.predicate(Comparison::Equal, value, own_zone);
            let found = any_of(values.into_iter().map(one));
            return Ok(if negated {
                Predicate::Not(Box::new(found))
            } else {
                found
            });
        }
        if negated {
            return Err(cursor.expected("`in` after `not`"));
        }
        let Some(comparison) = cursor.comparison() else {
            return Err(cursor.expected(OPERATORS));
        };
        let (value, at) = self.value(cursor)?;
        let fitting = self
            .values()
            .filter(|known| comparison.accepts(known.cmp(&value)))
            .count();
        if fitting == 0 || fitting == self.values().count() {
            let always = if fitting == 0 { "never" } else { "always" };
            return Err(Fault::new(at, format!("this is {always} true")));
        }
        Ok(self.predicate(comparison, value, own_zone))
    }

    fn values(self) -> RangeInclusive<i64> {
        match self {
            Self::Hour => 0..=23,
            Self::Weekday => 1..=7,
        }
    }

    fn predicate(self, comparison: Comparison, value: i64, zone: Option<&TimeZone>) -> Predicate {
        match self {
            Self::Hour => Predicate::Hour(comparison, value, zone.cloned()),
            Self::Weekday => Predicate::Weekday(comparison, value, zone.cloned()),
        }
    }

    fn value(self, cursor: &mut Cursor) -> Result<(i64, Range<usize>), Fault> {
        let (expected, unknown): (_, fn(&str) -> String) = match self {
            Self::Hour => ("an hour from 0 to 23", |word| {
                format!("{} is not an hour from 0 to 23", quoted(word))
            }),
            Self::Weekday => ("a weekday", |word| unknown("weekday", word, &WEEKDAYS)),
        };
        let (word, at) = cursor.word(expected)?;
        let number = word.parse().ok().filter(|number| self.values().contains(number));
        let named = || matches!(self, Self::Weekday).then(|| weekday(word)).flatten();
        match number.or_else(named) {
            Some(value) => Ok((value, at)),
            None => Err(Fault::new(at, unknown(word))),
        }
    }
}

/// `mon`, `monday`: Monday 1 to Sunday 7.
fn weekday(word: &str) -> Option<i64> {
    let lower = word.to_lowercase();
    let mut days = WEEKDAYS.iter().zip(1..);
    days.find(|(name, _)| **name == lower || name[..3] == lower)
        .map(|(_, number)| number)
}
