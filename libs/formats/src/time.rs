//! Times as producers write them.

use event::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use serde_json::Value;

use crate::{Context, Zone};

/// What an entry says of its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing.
    #[default]
    Absent,
    /// Something that is no time.
    Unreadable,
    /// A time; `fine` if it is written with digits below the second.
    At { time: Timestamp, fine: bool },
}

impl Moment {
    /// RFC 3339, the same without an offset (then in `zone`), or a number of seconds and so on as text.
    pub(crate) fn of_text(text: &str, zone: &Zone) -> Self {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        // Since 2001 and until 2286; `20260101` is a date.
        if matches!(digits, 10 | 13 | 16 | 19) {
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(number), _) => return Self::of_integer(number),
                (Err(_), Ok(number)) => return Self::of_float(number),
                (Err(_), Err(_)) => {}
            }
        }
        let fine = text
            .split_once('.')
            .is_some_and(|(_, digits)| digits.starts_with(|digit: char| digit.is_ascii_digit()));
        let time = Timestamp::parse(text).or_else(|| in_zone(text.parse().ok()?, zone));
        time.map_or(Self::Unreadable, |time| Self::At { time, fine })
    }

    /// A text, or a number of seconds, milli-, micro- or nanoseconds since 1970.
    pub(crate) fn of_value(value: &Value, zone: &Zone) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::String(text) => Self::of_text(text, zone),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::of_integer(integer),
                (None, Some(float)) => Self::of_float(float),
                (None, None) => Self::Unreadable,
            },
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Self::Unreadable,
        }
    }

    /// The unit follows from the size: until the year 5138 the four do not overlap for any time after March 1973.
    fn of_integer(number: i64) -> Self {
        let (millis, fine) = match number.unsigned_abs() {
            0..100_000_000_000 => (number * 1_000, false),
            100_000_000_000..100_000_000_000_000 => (number, true),
            100_000_000_000_000..100_000_000_000_000_000 => (number.div_euclid(1_000), true),
            _ => (number.div_euclid(1_000_000), true),
        };
        Self::At {
            time: Timestamp::from_millis(millis),
            fine,
        }
    }

    fn of_float(number: f64) -> Self {
        let per_second = match number.abs() {
            size if size < 1e11 => 1.0,
            size if size < 1e14 => 1e3,
            size if size < 1e17 => 1e6,
            size if size < 1e20 => 1e9,
            _ => return Self::Unreadable,
        };
        #[expect(clippy::cast_possible_truncation, reason = "below 1e14 by the match above")]
        let millis = (number / per_second * 1e3).round() as i64;
        Self::At {
            time: Timestamp::from_millis(millis),
            fine: true,
        }
    }
}

fn in_zone(stamp: DateTime, zone: &Zone) -> Option<Timestamp> {
    let moment = zone.0.to_timestamp(stamp).ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The number of an English month of three letters.
pub(crate) fn month(name: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|known| *known == name)?;
    i8::try_from(at + 1).ok()
}

/// A time of day written `13:06:56`.
pub(crate) fn clock(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    if bytes.len() != 8 || bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let two = |at: usize| text.get(at..at + 2).and_then(number);
    // A leap second is the last second of its minute, as RFC 3339 times have it.
    Time::new(
        two(0)?,
        two(3)?,
        two(6).map(|second| if second == 60 { 59 } else { second })?,
        0,
    )
    .ok()
}

/// A number of digits only; `parse` alone would take a sign.
pub(crate) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The moment of a stamp without a year: of the declared year, else of the latest that puts it no more than a day
/// after the ingest time. `None` if no such day exists, such as 29 February of a declared common year.
pub(crate) fn without_year(month: i8, day: i8, clock: Time, context: &Context) -> Option<Timestamp> {
    let in_year = |year| in_zone(Date::new(year, month, day).ok()?.to_datetime(clock), &context.zone);
    if let Some(year) = context.year {
        return in_year(year);
    }
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    // Eight years can lie between two leap days.
    const YEARS: i16 = 9;
    let latest = context.ingest_time.plus(DAY);
    let this_year = jiff::Timestamp::from_millisecond(latest.as_millis())
        .ok()?
        .to_zoned(context.zone.0.clone())
        .year();
    (0..YEARS)
        .filter_map(|back| in_year(this_year.checked_sub(back)?))
        .find(|time| *time <= latest)
}

/// The moment of an access log's `17/May/2015:10:05:03 +0000`.
pub(crate) fn of_access_log(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(':')?;
    let (time, offset) = rest.split_once(' ')?;
    let mut parts = date.splitn(3, '/');
    let day = number(parts.next()?)?;
    let month = month(parts.next()?)?;
    let year = number(parts.next()?)?;
    let stamp = Date::new(year, month, day).ok()?.to_datetime(clock(time)?);
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (number(digits.get(..2)?)?, number(digits.get(2..)?)?);
    let in_bounds = digits.len() == 4 && hours < 24 && minutes < 60;
    let seconds = in_bounds.then_some(sign * (hours * 3_600 + minutes * 60))?;
    let offset = jiff::tz::Offset::from_seconds(seconds).ok()?;
    Some(Timestamp::from_millis(
        offset.to_timestamp(stamp).ok()?.as_millisecond(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, fine: bool) -> Moment {
        let time = Timestamp::parse(text).expect("it is RFC 3339");
        Moment::At { time, fine }
    }

    #[test]
    fn texts_and_numbers() {
        let berlin: Zone = "Europe/Berlin".parse().expect("it is in the database");
        let utc = Zone::default();
        let cases = [
            ("2026-01-01T00:00:00.000Z", &berlin, at("2026-01-01T00:00:00Z", true)),
            ("2026-01-01T00:00:00Z", &berlin, at("2026-01-01T00:00:00Z", false)),
            ("2026-01-01T02:00:00.5+02:00", &utc, at("2026-01-01T00:00:00.5Z", true)),
            ("2026-06-01T02:00:00", &berlin, at("2026-06-01T00:00:00Z", false)),
            ("2026-06-01 02:00:00.25", &berlin, at("2026-06-01T00:00:00.25Z", true)),
            ("2016-12-31T23:59:60Z", &utc, at("2016-12-31T23:59:59Z", false)),
            ("1767225600", &utc, at("2026-01-01T00:00:00Z", false)),
            ("1767225600.125", &utc, at("2026-01-01T00:00:00.125Z", true)),
            ("1767225600000", &utc, at("2026-01-01T00:00:00Z", true)),
            ("1767225600000000", &utc, at("2026-01-01T00:00:00Z", true)),
            ("1767225600000000000", &utc, at("2026-01-01T00:00:00Z", true)),
            ("20260101", &utc, at("2026-01-01T00:00:00Z", false)),
            ("20260101120000", &utc, Moment::Unreadable),
            ("-1", &utc, Moment::Unreadable),
            ("0000-00-00", &utc, Moment::Unreadable),
            ("2026-02-30T00:00:00Z", &utc, Moment::Unreadable),
            ("2026-01-01T00:00:00+99:99", &utc, Moment::Unreadable),
            ("inf", &utc, Moment::Unreadable),
            ("nan", &utc, Moment::Unreadable),
            ("yesterday", &utc, Moment::Unreadable),
            ("", &utc, Moment::Unreadable),
        ];
        for (text, zone, expected) in cases {
            assert_eq!(Moment::of_text(text, zone), expected, "{text}");
        }
        for number in [i64::MIN, i64::MAX] {
            assert!(matches!(Moment::of_value(&number.into(), &utc), Moment::At { .. }));
        }
        assert_eq!(
            Moment::of_value(&1_767_225_600.5.into(), &utc),
            at("2026-01-01T00:00:00.5Z", true)
        );
        assert_eq!(Moment::of_value(&(-1).into(), &utc), at("1969-12-31T23:59:59Z", false));
        assert_eq!(Moment::of_value(&true.into(), &utc), Moment::Unreadable);
    }

    #[test]
    fn years_are_found() {
        let noon = Time::constant(12, 0, 0, 0);
        let cases = [
            (3, 27, "2017-03-27T13:00:00Z", None, Some("2017-03-27T12:00:00Z")),
            (12, 31, "2017-01-01T00:00:05Z", None, Some("2016-12-31T12:00:00Z")),
            (1, 1, "2016-12-31T23:59:59Z", None, Some("2017-01-01T12:00:00Z")),
            (1, 2, "2016-12-31T23:59:59Z", None, Some("2016-01-02T12:00:00Z")),
            (2, 29, "2023-03-01T00:00:00Z", None, Some("2020-02-29T12:00:00Z")),
            (2, 29, "1907-03-01T00:00:00Z", None, Some("1904-02-29T12:00:00Z")),
            (2, 29, "1904-01-15T00:00:00Z", None, Some("1896-02-29T12:00:00Z")),
            (2, 29, "2026-01-01T00:00:00Z", Some(2016), Some("2016-02-29T12:00:00Z")),
            (2, 29, "2026-01-01T00:00:00Z", Some(2017), None),
            (4, 31, "2026-01-01T00:00:00Z", None, None),
        ];
        for (month, day, ingest, year, expected) in cases {
            let ingest = Timestamp::parse(ingest).expect("it is RFC 3339");
            let context = Context {
                year,
                ..Context::new("t", ingest)
            };
            let expected = expected.and_then(Timestamp::parse);
            assert_eq!(
                without_year(month, day, noon, &context),
                expected,
                "{month}/{day} at {ingest}"
            );
        }
        let extreme = Context::new("t", Timestamp::MAX);
        assert_eq!(without_year(1, 1, noon, &extreme), None);
    }

    #[test]
    fn a_stamp_is_in_its_zone() {
        let ingest = Timestamp::parse("2017-03-27T13:00:00Z").expect("it is RFC 3339");
        let zone = "America/New_York".parse().expect("it is in the database");
        let context = Context {
            zone,
            ..Context::new("t", ingest)
        };
        let time = without_year(3, 27, Time::constant(8, 0, 0, 0), &context);
        assert_eq!(time, Timestamp::parse("2017-03-27T12:00:00Z"));
    }

    #[test]
    fn access_log_stamps() {
        assert_eq!(
            of_access_log("17/May/2015:10:05:03 +0200"),
            Timestamp::parse("2015-05-17T08:05:03Z")
        );
        assert_eq!(
            of_access_log("17/May/2015:10:05:03 -0930"),
            Timestamp::parse("2015-05-17T19:35:03Z")
        );
        for bad in [
            "",
            "17/May/2015:10:05:03",
            "31/Feb/2015:10:05:03 +0000",
            "17/May/2015:10:05:03 +0",
            "17/May/2015:1:05:03 +0000",
        ] {
            assert_eq!(of_access_log(bad), None, "{bad}");
        }
    }
}
