//! Conditions on one event, three-valued, as `docs/semantics.md` and `docs/rules.md` say.

use std::net::IpAddr;

use event::FieldValue;
use jiff::{Timestamp, Zoned, tz::TimeZone};
use ruleset::{CalendarPart, Comparison, Literal, Piece, Predicate, Relation, Test, TextPattern};
use serde_json::Value;

use super::{Seen, compares};

/// The order is that of `AND` and `OR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    No,
    Unknown,
    Yes,
}

/// Whether an event passes a filter.
pub(crate) fn passes(filter: &Predicate, seen: &Seen, timezone: &str) -> bool {
    truth(filter, seen, timezone) == Truth::Yes
}

pub(crate) fn truth(condition: &Predicate, seen: &Seen, timezone: &str) -> Truth {
    let of = |part: &Predicate| truth(part, seen, timezone);
    let now = |zone: &Option<TimeZone>| {
        let time = Timestamp::from_millisecond(seen.time).unwrap();
        zone.clone()
            .map_or_else(|| zoned(time, timezone), |zone| time.to_zoned(zone))
    };
    match condition {
        Predicate::All(parts) => parts.iter().map(of).min().unwrap_or(Truth::Yes),
        Predicate::Any(parts) => parts.iter().map(of).max().unwrap_or(Truth::No),
        Predicate::Not(part) => not(of(part)),
        Predicate::Unless(part) => known(of(part) != Truth::Yes),
        Predicate::Field {
            name,
            test: Test::Exists,
        } => known(seen.event.field(name).is_some()),
        Predicate::Field { name, test } => {
            let Some(value) = seen.event.field(name) else {
                return Truth::Unknown;
            };
            let each = value.each().iter();
            each.map(|value| ranked(name, value, test).unwrap_or_else(|| fits(value, test, seen, timezone)))
                .max()
                .unwrap()
        }
        Predicate::Anywhere(test) => {
            let texts = texts(seen).into_iter().map(FieldValue::from);
            texts.map(|value| fits(&value, test, seen, timezone)).max().unwrap()
        }
        Predicate::Service(pattern) => known(is_service(pattern, seen)),
        Predicate::Word(word) => known(has_word(word, seen)),
        Predicate::Hour(comparison, hour, zone) => whole(*comparison, now(zone).hour().into(), *hour),
        Predicate::Weekday(comparison, day, zone) => {
            whole(*comparison, now(zone).weekday().to_monday_one_offset().into(), *day)
        }
        Predicate::Alert(_) => Truth::No,
    }
}

fn known(yes: bool) -> Truth {
    if yes { Truth::Yes } else { Truth::No }
}

fn not(truth: Truth) -> Truth {
    match truth {
        Truth::No => Truth::Yes,
        Truth::Unknown => Truth::Unknown,
        Truth::Yes => Truth::No,
    }
}

#[expect(clippy::cast_precision_loss, reason = "hours, days and years are small")]
fn whole(comparison: Comparison, left: i64, right: i64) -> Truth {
    known(compares(comparison, left as f64, right as f64))
}

/// One value, not a list.
fn fits(value: &FieldValue, test: &Test, seen: &Seen, timezone: &str) -> Truth {
    match test {
        Test::Exists => Truth::Yes,
        Test::Matches(pattern) => known(matches_pattern(pattern, &value.as_text())),
        Test::Compare(comparison, literal) => compared(value, *comparison, literal),
        Test::In(literals) => {
            let each = literals.iter();
            let equal = each.map(|literal| compared(value, Comparison::Equal, literal));
            equal.max().unwrap_or(Truth::No)
        }
        Test::Every(tests) => {
            let each = tests.iter().map(|test| fits(value, test, seen, timezone));
            each.min().unwrap_or(Truth::Yes)
        }
        Test::Regex(pattern) => known(pattern.0.is_match(&value.as_text())),
        Test::Network(network) => match value.as_text().parse::<IpAddr>() {
            Ok(address) => known(network.contains(&address.to_canonical())),
            Err(_) => Truth::Unknown,
        },
        Test::Relates(relation, other) => match seen.event.field(other) {
            Some(other) => other
                .each()
                .iter()
                .map(|other| related(value, *relation, other))
                .max()
                .unwrap(),
            None => Truth::Unknown,
        },
        Test::Calendar(part, comparison, number) => match value.as_text().parse::<Timestamp>() {
            Ok(time) => whole(*comparison, part_of(&zoned(time, timezone), *part), *number),
            Err(_) => Truth::Unknown,
        },
    }
}

fn compared(value: &FieldValue, comparison: Comparison, literal: &Literal) -> Truth {
    let equality = |is_equal: bool| match comparison {
        Comparison::Equal => known(is_equal),
        Comparison::NotEqual => known(!is_equal),
        Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => Truth::Unknown,
    };
    match (literal, value) {
        (Literal::Number(right), _) => match value.as_number() {
            Some(left) => known(compares(comparison, left, *right)),
            None => Truth::Unknown,
        },
        (Literal::Text(right), _) => equality(value.as_text() == right.as_str()),
        (Literal::Bool(right), FieldValue::Bool(_) | FieldValue::Text(_)) => match value.as_text().parse::<bool>() {
            Ok(left) => equality(left == *right),
            Err(_) => Truth::Unknown,
        },
        (Literal::Bool(_), _) => Truth::Unknown,
    }
}

/// Of texts only a severity and a level have an order, by how bad they are.
fn ranked(field: &str, value: &FieldValue, test: &Test) -> Option<Truth> {
    let ranks = match field {
        "severity" => vec!["low", "medium", "high", "critical"],
        "level" => vec!["debug", "info", "warn", "error", "critical"],
        _ => return None,
    };
    let Test::Compare(comparison, Literal::Text(right)) = test else {
        return None;
    };
    let rank = |word: &str| {
        ranks
            .iter()
            .position(|known| *known == word)
            .and_then(|at| i64::try_from(at).ok())
    };
    Some(whole(*comparison, rank(&value.as_text())?, rank(right)?))
}

fn related(left: &FieldValue, relation: Relation, right: &FieldValue) -> Truth {
    let (left_text, right_text) = (left.as_text().to_lowercase(), right.as_text().to_lowercase());
    match relation {
        Relation::Contains => known(left_text.contains(&right_text)),
        Relation::StartsWith => known(left_text.starts_with(&right_text)),
        Relation::EndsWith => known(left_text.ends_with(&right_text)),
        Relation::Compares(comparison) => match (left.as_number(), right.as_number()) {
            (Some(left), Some(right)) => known(compares(comparison, left, right)),
            _ => known(comparison.accepts(left_text.cmp(&right_text))),
        },
    }
}

/// Character by character.
fn matches_pattern(pattern: &TextPattern, text: &str) -> bool {
    let folded = |text: &str| {
        if pattern.is_cased() {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    };
    let text: Vec<char> = folded(text).chars().collect();
    let pieces = pattern.pieces().iter().map(|piece| match piece {
        Piece::Text(text) => Piece::Text(folded(text)),
        Piece::Many => Piece::Many,
        Piece::One => Piece::One,
    });
    matches_pieces(&pieces.collect::<Vec<_>>(), &text)
}

fn matches_pieces(pieces: &[Piece], text: &[char]) -> bool {
    match pieces.split_first() {
        None => text.is_empty(),
        Some((Piece::Text(expected), rest)) => {
            let expected: Vec<char> = expected.chars().collect();
            text.starts_with(&expected) && matches_pieces(rest, &text[expected.len()..])
        }
        Some((Piece::One, rest)) => !text.is_empty() && matches_pieces(rest, &text[1..]),
        Some((Piece::Many, rest)) => (0..=text.len()).any(|at| matches_pieces(rest, &text[at..])),
    }
}

fn is_service(pattern: &TextPattern, seen: &Seen) -> bool {
    let metadata = seen.event.field("metadata.service");
    let mut named = metadata.iter().flat_map(|value| value.each()).map(FieldValue::as_text);
    matches_pattern(pattern, &seen.event.service)
        || named.any(|name| matches_pattern(pattern, &name))
        || (seen.event.security_event.is_some() && pattern.literal() == Some("security"))
}

/// A tag, or words of the message next to each other.
fn has_word(word: &str, seen: &Seen) -> bool {
    let words = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase();
        let words = lower.split(|character: char| !character.is_alphanumeric() && character != '_');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (wanted, message) = (words(word), words(&seen.event.message));
    let is_tag = seen
        .event
        .tags
        .iter()
        .any(|tag| tag.to_lowercase() == word.to_lowercase());
    is_tag || (!wanted.is_empty() && message.windows(wanted.len()).any(|part| part == wanted))
}

/// The message, the canonical fields that are text, and all text within the metadata.
fn texts<'a>(seen: &Seen<'a>) -> Vec<&'a str> {
    let event = seen.event;
    let mut texts = vec![
        event.message.as_str(),
        &event.event_id,
        &event.tenant,
        &event.service,
        &event.format,
        event.level.as_str(),
        event.severity.as_str(),
    ];
    let optional = [
        &event.security_event,
        &event.user_id,
        &event.user_email,
        &event.user_role,
        &event.session_id,
        &event.source_ip,
        &event.user_agent,
        &event.action,
        &event.resource_type,
        &event.resource_id,
        &event.error_message,
        &event.trace_id,
        &event.span_id,
    ];
    texts.extend(optional.into_iter().flatten().map(String::as_str));
    event
        .metadata
        .values()
        .for_each(|value| texts_within(value, &mut texts));
    texts
}

fn texts_within<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(elements) => elements.iter().for_each(|element| texts_within(element, texts)),
        Value::Object(fields) => fields.values().for_each(|field| texts_within(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn zoned(time: Timestamp, timezone: &str) -> Zoned {
    time.to_zoned(TimeZone::get(timezone).unwrap())
}

fn part_of(time: &Zoned, part: CalendarPart) -> i64 {
    match part {
        CalendarPart::Minute => time.minute().into(),
        CalendarPart::Hour => time.hour().into(),
        CalendarPart::Day => time.day().into(),
        CalendarPart::Week => time.date().iso_week_date().week().into(),
        CalendarPart::Month => time.month().into(),
        CalendarPart::Year => time.year().into(),
    }
}
