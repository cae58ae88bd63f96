use std::fmt;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in milliseconds since 1970-01-01T00:00:00Z. In JSON it is RFC 3339 text in UTC with milliseconds.
///
/// Arithmetic saturates, so an absurd time in an event can neither panic nor wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before everything: the watermark of a partition that has said nothing.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything.
    pub const MAX: Self = Self(i64::MAX);

    /// Milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `span` later.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The moment `span` earlier.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// Reads RFC 3339 (`2026-01-01T00:00:00.000Z`, any offset). `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(moment) = canonical(text) {
            return Some(moment);
        }
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_millisecond()))
    }
}

/// The form that this crate writes, read without a parser of times: every record has one, and most have no other.
fn canonical(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (23, b'Z'),
    ];
    if marks.into_iter().any(|(at, mark)| bytes[at] != mark) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second, milli) = (number(11..13)?, number(14..16)?, number(17..19)?, number(20..23)?);
    let days_of_month = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_right = (1..=12).contains(&month) && (1..=days_of_month).contains(&day);
    if !is_right || year > LAST_WHOLE_YEAR || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March end with the day that some lack (the algorithm of `chrono::days_from_civil` in C++20).
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 1;
    let seconds = ((days - DAYS_TO_1970) * 24 + hour) * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1000 + milli))
}

/// The parser of times knows the next year, but not to its end.
const LAST_WHOLE_YEAR: i64 = 9998;

/// From 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: i64 = 719_468;

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, milliseconds; a moment outside the years -9999 to 9999 as its plain number.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(out, "{moment:.3}"),
            Err(_) => write!(out, "{}", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Self);
        }
        deserializer.deserialize_str(Rfc3339)
    }
}

/// Reads a time without keeping its text.
struct Rfc3339;

impl Visitor<'_> for Rfc3339 {
    type Value = Timestamp;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an RFC 3339 time")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text)
            .or_else(|| text.parse().ok().map(Timestamp))
            .ok_or_else(|| E::custom(format_args!("`{text}` is not an RFC 3339 time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in [
            "2017-03-27T13:06:56.000Z",
            "1969-12-31T23:59:59.999Z",
            "2026-11-22T06:10:18.478Z",
        ] {
            let moment = Timestamp::parse(text).expect("it is RFC 3339");
            assert_eq!(moment.to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2026-11-22T06:10:18+02:00"),
            Timestamp::parse("2026-11-22T04:10:18Z")
        );
        assert_eq!(Timestamp::parse("2026-02-30T00:00:00Z"), None);
    }

    #[test]
    fn the_form_that_is_written_is_read_as_any_other() {
        let slowly = |text: &str| {
            let moment: Option<jiff::Timestamp> = text.parse().ok();
            moment.map(|moment| Timestamp(moment.as_millisecond()))
        };
        let mut days = 0;
        for year in [
            0, 1, 1582, 1600, 1899, 1900, 1969, 1970, 1999, 2000, 2004, 2026, 2100, 9999,
        ] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:58.907Z");
                    assert_eq!(Timestamp::parse(&text), slowly(&text), "{text}");
                    days += usize::from(canonical(&text).is_some());
                }
            }
        }
        assert_eq!(
            days,
            13 * 365 + 4,
            "days of these years but the last, of which four are leap years"
        );
        for time in [
            "00:00:00.000Z",
            "24:00:00.000Z",
            "23:60:00.000Z",
            "23:59:60.000Z",
            "23:59:5x.000Z",
            "23:59:59,000Z",
        ] {
            let text = format!("2026-01-01T{time}");
            assert_eq!(Timestamp::parse(&text), slowly(&text), "{text}");
        }
    }

    #[test]
    fn every_number_of_milliseconds_survives_json() {
        for millis in [i64::MIN, -1, 0, 1, i64::MAX] {
            let text = serde_json::to_string(&Timestamp(millis)).expect("a number or a text");
            assert_eq!(
                serde_json::from_str::<Timestamp>(&text).expect("it was just written"),
                Timestamp(millis)
            );
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }
}
