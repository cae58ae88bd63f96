use std::ops::Range;

use event::{Level, Severity};
use regex::RegexBuilder;

use super::cursor::Text;
use super::literal::{literal, unknown};
use super::token::TokenKind;
use super::{Cursor, any_of, field_name};
use crate::error::{Fault, Given, nearest, quoted};
use crate::{Comparison, Literal, Predicate, RegexPattern, Test, TextPattern};

/// The longest regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 4096;
/// The compiled size, in bytes, of a regular expression and of its lazy automaton.
const REGEX_SIZE_MAX: usize = 1024 * 1024;
const REGEX_NEST_MAX: u32 = 50;
/// How many regular expressions one rule has.
const REGEX_COUNT_MAX: usize = 20;

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// One condition of a `where`: `field = value`, `field in (a, b)`, `field like pattern`, `field ~ regex`,
/// `field exists`, `hour >= 22`, `weekday = sun`.
pub(crate) fn condition(cursor: &mut Cursor) -> Result<Predicate, Fault> {
    let (name, at) = cursor.word("a field")?;
    if let Some(clock) = Clock::from_name(name) {
        return clock.condition(cursor);
    }
    if let Some((field, value)) = name.split_once(':') {
        let message = format!("a `where` compares with an operator: `{field} = \"{value}\"`");
        return Err(Fault::new(at, message));
    }
    let name = field_name(name, &at, cursor.notes)?;
    let negated = cursor.keyword("NOT");
    let test = test(cursor, &name, negated)?;
    let found = Predicate::Field { name, test };
    Ok(if negated {
        Predicate::Not(Box::new(found))
    } else {
        found
    })
}

fn test(cursor: &mut Cursor, name: &str, negated: bool) -> Result<Test, Fault> {
    if cursor.keyword("in") {
        let values = list(cursor, |cursor| literal(cursor, name))?;
        values.iter().for_each(|value| note_severity(cursor, name, value));
        return Ok(Test::In(values.into_iter().map(|given| given.value).collect()));
    }
    if cursor.keyword("like") {
        return like(cursor);
    }
    if cursor.keyword("exists") {
        return Ok(Test::Exists);
    }
    match cursor.peek() {
        Some(TokenKind::Tilde) if !negated => {
            cursor.take(&TokenKind::Tilde);
            regex(cursor)
        }
        Some(TokenKind::Compare(comparison)) if !negated => {
            cursor.comparison();
            let value = literal(cursor, name)?;
            if *comparison == Comparison::Equal {
                note_severity(cursor, name, &value);
            }
            compare(name, *comparison, value)
        }
        Some(TokenKind::Word(word)) => Err(Fault::new(cursor.here(), unknown_operator(word))),
        _ if negated => Err(cursor.expected("`in`, `like` or `exists` after `not`")),
        _ => Err(cursor.expected(&format!(
            "an operator after {}: = != > >= < <= ~ in like exists",
            quoted(name)
        ))),
    }
}

fn note_severity(cursor: &mut Cursor, field: &str, value: &Given<Literal>) {
    if let Literal::Text(text) = &value.value {
        cursor.notes.severity(field, text, &value.at);
    }
}

fn unknown_operator(word: &str) -> String {
    let meant = match nearest(word, ["in", "like", "exists"]) {
        Some(known) => format!(": did you mean `{known}`?"),
        None => ": they are = != > >= < <= ~ in like exists".to_owned(),
    };
    format!("unknown operator {}{meant}", quoted(word))
}

/// `(a, b, …)`
fn list<T>(cursor: &mut Cursor, item: impl Fn(&mut Cursor) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    cursor.open("a list as in `in (a, b)`")?;
    let mut items = vec![item(cursor)?];
    while cursor.take(&TokenKind::Comma) {
        items.push(item(cursor)?);
    }
    if cursor.take(&TokenKind::Close) {
        Ok(items)
    } else {
        Err(cursor.expected("`,` or `)`"))
    }
}

fn like(cursor: &mut Cursor) -> Result<Test, Fault> {
    let Text { text, at, .. } = cursor.text("a pattern after `like`, as in `like \"adm*\"`")?;
    if !text.contains(['*', '?']) && text.contains('%') {
        let message = "`%` stands for itself here: `*` is any text and `?` any one character";
        cursor.notes.warnings.push(Fault::new(at, message));
    }
    Ok(Test::Matches(TextPattern::glob(text)))
}

fn regex(cursor: &mut Cursor) -> Result<Test, Fault> {
    let Text { text, at, .. } = cursor.text("a regular expression in quotes after `~`")?;
    cursor.notes.regexes += 1;
    if cursor.notes.regexes > REGEX_COUNT_MAX {
        let message = format!("a rule has at most {REGEX_COUNT_MAX} regular expressions");
        return Err(Fault::new(at, message));
    }
    if text.len() > REGEX_BYTES_MAX {
        let message = format!("a regular expression has at most {REGEX_BYTES_MAX} bytes");
        return Err(Fault::new(at, message));
    }
    let mut builder = RegexBuilder::new(text);
    builder
        .size_limit(REGEX_SIZE_MAX)
        .dfa_size_limit(REGEX_SIZE_MAX)
        .nest_limit(REGEX_NEST_MAX);
    let compiled = builder.build().map_err(|error| Fault::new(at, regex_fault(&error)))?;
    Ok(Test::Regex(RegexPattern(compiled)))
}

fn regex_fault(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(limit) = error {
        return format!("this regular expression needs more than {limit} bytes");
    }
    let told = error.to_string();
    let last = told.lines().last().unwrap_or_default();
    format!(
        "this is not a regular expression: {}",
        last.trim_start_matches("error: ")
    )
}

/// A comparison. Severities and levels are ordered by how bad they are, not by their letters; other texts have no
/// order that a rule could rely on (`"9" > "10"`).
fn compare(name: &str, comparison: Comparison, value: Given<Literal>) -> Result<Test, Fault> {
    let Given { value, at } = value;
    let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    match &value {
        Literal::Text(word) if ordered => {
            let fitting = match name {
                "severity" => words_that(&Severity::ALL, comparison, word, Severity::as_str),
                "level" => words_that(&Level::ALL, comparison, word, Level::as_str),
                _ => {
                    let message = format!("{} is text, and text has no order: compare with a number", quoted(word));
                    return Err(Fault::new(at, message));
                }
            };
            if fitting.is_empty() {
                return Err(Fault::new(at, format!("no {name} is that")));
            }
            Ok(Test::In(fitting))
        }
        Literal::Bool(_) if ordered => Err(Fault::new(at, "true and false have no order")),
        Literal::Text(_) | Literal::Number(_) | Literal::Bool(_) => Ok(Test::Compare(comparison, value)),
    }
}

fn words_that<T: Copy + Ord>(
    all: &[T],
    comparison: Comparison,
    word: &str,
    name: fn(T) -> &'static str,
) -> Vec<Literal> {
    let Some(given) = all.iter().find(|candidate| name(**candidate) == word) else {
        return Vec::new();
    };
    let fitting = all
        .iter()
        .filter(|candidate| comparison.accepts((*candidate).cmp(given)));
    fitting
        .map(|candidate| Literal::Text(name(*candidate).to_owned()))
        .collect()
}

/// What a rule can ask of the effective time, in the rule's zone.
#[derive(Clone, Copy)]
enum Clock {
    Hour,
    Weekday,
}

impl Clock {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "hour" => Some(Self::Hour),
            "weekday" => Some(Self::Weekday),
            _ => None,
        }
    }

    fn condition(self, cursor: &mut Cursor) -> Result<Predicate, Fault> {
        let negated = cursor.keyword("NOT");
        if cursor.keyword("in") {
            let values = list(cursor, |cursor| self.value(cursor))?;
            let found = any_of(values.into_iter().map(|value| self.predicate(Comparison::Equal, value)));
            return Ok(if negated {
                Predicate::Not(Box::new(found))
            } else {
                found
            });
        }
        match cursor.peek() {
            Some(TokenKind::Compare(comparison)) if !negated => {
                cursor.comparison();
                Ok(self.predicate(*comparison, self.value(cursor)?))
            }
            _ => Err(cursor.expected("one of = != > >= < <= in")),
        }
    }

    fn predicate(self, comparison: Comparison, value: i64) -> Predicate {
        match self {
            Self::Hour => Predicate::Hour(comparison, value, None),
            Self::Weekday => Predicate::Weekday(comparison, value, None),
        }
    }

    fn value(self, cursor: &mut Cursor) -> Result<i64, Fault> {
        match self {
            Self::Hour => {
                let (word, at) = cursor.word("an hour from 0 to 23")?;
                let hour = word.parse().ok().filter(|hour| (0..=23).contains(hour));
                hour.ok_or_else(|| Fault::new(at, format!("{} is not an hour from 0 to 23", quoted(word))))
            }
            Self::Weekday => {
                let (word, at) = cursor.word("a weekday")?;
                weekday(word, at)
            }
        }
    }
}

/// `mon`, `monday`, or its number: Monday 1 to Sunday 7.
fn weekday(word: &str, at: Range<usize>) -> Result<i64, Fault> {
    let lower = word.to_lowercase();
    let named = WEEKDAYS
        .iter()
        .zip(1..)
        .find(|(name, _)| **name == lower || name[..3] == lower);
    let numbered = word.parse().ok().filter(|number| (1..=7).contains(number));
    named
        .map(|(_, number)| number)
        .or(numbered)
        .ok_or_else(|| Fault::new(at, unknown("weekday", word, &WEEKDAYS)))
}
