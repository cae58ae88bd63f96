use std::cmp::Ordering;

use event::{Event, FieldValue, Level, Severity, Timestamp};
use jiff::tz::TimeZone;
use ruleset::{Comparison, Literal, Predicate, Test, TextPattern};

/// What is known of a condition. Only `Yes` lets an event pass; the denial of `Unknown` is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    No,
    /// The event does not say: the field is absent, or is of a type that does not compare.
    Unknown,
    Yes,
}

/// What a condition is asked of.
pub(crate) struct Subject<'a> {
    pub(crate) event: &'a Event,
    /// The effective time.
    pub(crate) time: Timestamp,
    /// The zone of the rule.
    pub(crate) zone: &'a TimeZone,
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

/// Whether `predicate` holds for `subject`.
pub(crate) fn evaluate(predicate: &Predicate, subject: &Subject<'_>) -> Truth {
    match predicate {
        Predicate::All(parts) => fold(parts, subject, Truth::No, Truth::Yes, Truth::min),
        Predicate::Any(parts) => fold(parts, subject, Truth::Yes, Truth::No, Truth::max),
        Predicate::Not(part) => !evaluate(part, subject),
        Predicate::Unless(part) => (evaluate(part, subject) != Truth::Yes).into(),
        Predicate::Anywhere(_) | Predicate::Alert(_) => Truth::No,
        Predicate::Field { name, test } => field(name, test, subject.event),
        Predicate::Service(pattern) => service(pattern, subject.event).into(),
        Predicate::Word(word) => has_word(word, subject.event).into(),
        Predicate::Hour(comparison, hour, zone) => local(subject, zone.as_ref()).map_or(Truth::Unknown, |local| {
            comparison.accepts(i64::from(local.hour()).cmp(hour)).into()
        }),
        Predicate::Weekday(comparison, day, zone) => local(subject, zone.as_ref()).map_or(Truth::Unknown, |local| {
            comparison
                .accepts(i64::from(local.weekday().to_monday_one_offset()).cmp(day))
                .into()
        }),
    }
}

fn fold(
    parts: &[Predicate],
    subject: &Subject<'_>,
    decides: Truth,
    start: Truth,
    join: fn(Truth, Truth) -> Truth,
) -> Truth {
    let mut known = start;
    for part in parts {
        known = join(known, evaluate(part, subject));
        if known == decides {
            break;
        }
    }
    known
}

fn local(subject: &Subject<'_>, zone: Option<&TimeZone>) -> Option<jiff::civil::DateTime> {
    let moment = jiff::Timestamp::from_millisecond(subject.time.as_millis()).ok()?;
    Some(zone.unwrap_or(subject.zone).to_datetime(moment))
}

fn field(name: &str, test: &Test, event: &Event) -> Truth {
    let Some(value) = event.field(name) else {
        return if matches!(test, Test::Exists) {
            Truth::No
        } else {
            Truth::Unknown
        };
    };
    fits(name, test, &value)
}

fn fits(name: &str, test: &Test, value: &FieldValue<'_>) -> Truth {
    match test {
        Test::Exists => Truth::Yes,
        Test::Matches(pattern) => matches_text(pattern, &value.as_text()).into(),
        Test::Compare(comparison, literal) => compare(name, value, *comparison, literal),
        Test::Every(tests) => {
            let one = |test| fits(name, test, value);
            tests.iter().map(one).min().unwrap_or(Truth::Yes)
        }
        Test::In(literals) => {
            let one = |literal| compare(name, value, Comparison::Equal, literal);
            literals.iter().map(one).max().unwrap_or(Truth::No)
        }
        Test::Regex(pattern) => pattern.0.is_match(&value.as_text()).into(),
        Test::Network(_) | Test::Relates(..) | Test::Calendar(..) => Truth::No,
    }
}

fn compare(name: &str, value: &FieldValue<'_>, comparison: Comparison, literal: &Literal) -> Truth {
    let ordering = match literal {
        Literal::Number(number) => value.as_number().and_then(|value| value.partial_cmp(number)),
        Literal::Bool(literal) => as_bool(value).map(|value| value.cmp(literal)),
        Literal::Text(text) => Some(ranked(name, &value.as_text(), text)),
    };
    ordering.map_or(Truth::Unknown, |ordering| comparison.accepts(ordering).into())
}

fn as_bool(value: &FieldValue<'_>) -> Option<bool> {
    match value {
        FieldValue::Bool(value) => Some(*value),
        FieldValue::Text(text) => text.parse().ok(),
        FieldValue::Integer(_) | FieldValue::Float(_) | FieldValue::List(_) => None,
    }
}

/// Severities and levels compare by rank, everything else by its bytes.
fn ranked(name: &str, value: &str, literal: &str) -> Ordering {
    let severities = || Some(value.parse::<Severity>().ok()?.cmp(&literal.parse().ok()?));
    let levels = || Some(value.parse::<Level>().ok()?.cmp(&literal.parse().ok()?));
    let by_rank = match name {
        "severity" => severities(),
        "level" => levels(),
        _ => None,
    };
    by_rank.unwrap_or_else(|| value.cmp(literal))
}

/// The service in either place, and for `security` any event that says what happened: sshd's failures are the guide's.
fn service(pattern: &TextPattern, event: &Event) -> bool {
    let in_metadata = || {
        event
            .field("metadata.service")
            .is_some_and(|service| matches_text(pattern, &service.as_text()))
    };
    let implied = || event.security_event.is_some() && matches_text(pattern, "security");
    matches_text(pattern, &event.service) || in_metadata() || implied()
}

/// A tag that is the word, or the word's terms next to each other in the message.
fn has_word(word: &str, event: &Event) -> bool {
    if event.tags.iter().any(|tag| is_same(tag, word)) {
        return true;
    }
    let wanted: Vec<&str> = terms(word).collect();
    let said: Vec<&str> = terms(&event.message).collect();
    let fits = |window: &[&str]| window.iter().zip(&wanted).all(|(said, wanted)| is_same(said, wanted));
    !wanted.is_empty() && said.windows(wanted.len()).any(fits)
}

fn terms(text: &str) -> impl Iterator<Item = &str> {
    let apart = |character: char| !(character.is_alphanumeric() || character == '_' || character == '-');
    text.split(apart).filter(|term| !term.is_empty())
}

/// Whether `text` fits a pattern with `*` and `?`, without regard to case.
fn matches_text(pattern: &TextPattern, text: &str) -> bool {
    if let Some(literal) = pattern.literal() {
        return is_same(literal, text);
    }
    let source = pattern.source().unwrap_or_default();
    let pattern: Vec<char> = lower_case(&source).collect();
    let text: Vec<char> = lower_case(text).collect();
    glob(&pattern, &text)
}

/// Whether two texts are equal without regard to case.
fn is_same(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    lower_case(one).eq(lower_case(other))
}

fn lower_case(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Matches in time proportional to the product of the lengths at worst: on a mismatch only the last `*` takes more.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match &mut last_star {
                Some((star, taken)) => {
                    *taken += 1;
                    (at_pattern, at_text) = (*star + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests;
