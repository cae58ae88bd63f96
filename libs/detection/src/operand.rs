//! How a value compares with what a rule says, and with another value.

use std::cmp::Ordering;
use std::fmt::Write as _;

use event::{FieldValue, Level, Severity};
use ruleset::{Literal, Relation};

use crate::predicate::Truth;
use crate::text::{folded, is_same};

/// A [`Literal`] that values are compared with.
#[derive(Debug)]
pub(crate) enum Operand {
    Text(Box<str>),
    Number(f64),
    Bool(bool),
    /// Severities and levels compare by rank, everything else by its bytes.
    Severity(Severity, Box<str>),
    Level(Level, Box<str>),
}

/// Literals that a value may equal.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Sorted.
    texts: Box<[Box<str>]>,
    /// Sorted.
    numbers: Box<[f64]>,
    bools: Box<[bool]>,
    /// Severities and levels.
    ranked: Box<[Operand]>,
}

impl Operand {
    /// Prepares `literal` for the field `name`.
    pub(crate) fn new(literal: &Literal, name: &str) -> Self {
        let text = match literal {
            Literal::Text(text) => text,
            Literal::Number(number) => return Self::Number(*number),
            Literal::Bool(value) => return Self::Bool(*value),
        };
        let severity = || Some(Self::Severity(text.parse().ok()?, text.as_str().into()));
        let level = || Some(Self::Level(text.parse().ok()?, text.as_str().into()));
        let ranked = match name {
            "severity" => severity(),
            "level" => level(),
            _ => None,
        };
        ranked.unwrap_or_else(|| Self::Text(text.as_str().into()))
    }

    /// How `value` is to it. `None`: they do not compare.
    pub(crate) fn order(&self, value: &FieldValue<'_>) -> Option<Ordering> {
        match self {
            Self::Number(number) => value.as_number()?.partial_cmp(number),
            Self::Bool(known) => Some(as_bool(value)?.cmp(known)),
            Self::Text(text) => Some(with_text(value, |value| value.cmp(text))),
            Self::Severity(severity, text) => Some(with_text(value, |value| match value.parse::<Severity>() {
                Ok(value) => value.cmp(severity),
                Err(_) => value.cmp(text),
            })),
            Self::Level(level, text) => Some(with_text(value, |value| match value.parse::<Level>() {
                Ok(value) => value.cmp(level),
                Err(_) => value.cmp(text),
            })),
        }
    }
}

impl Choice {
    /// Prepares `literals` for the field `name`.
    pub(crate) fn new(literals: &[Literal], name: &str) -> Self {
        let (mut texts, mut numbers, mut bools, mut ranked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for literal in literals {
            match Operand::new(literal, name) {
                Operand::Text(text) => texts.push(text),
                // Of the two zeros, one.
                Operand::Number(number) => numbers.push(number + 0.0),
                Operand::Bool(value) => bools.push(value),
                operand @ (Operand::Severity(..) | Operand::Level(..)) => ranked.push(operand),
            }
        }
        texts.sort();
        numbers.sort_by(f64::total_cmp);
        Self {
            texts: texts.into(),
            numbers: numbers.into(),
            bools: bools.into(),
            ranked: ranked.into(),
        }
    }

    /// The greatest of what is known of each: a value that does not compare with one of them is unknown, if it equals
    /// no other.
    pub(crate) fn ask(&self, value: &FieldValue<'_>) -> Truth {
        let is_ranked = |operand: &Operand| operand.order(value) == Some(Ordering::Equal);
        let is_text = |text: &str| self.texts.binary_search_by(|known| (**known).cmp(text)).is_ok();
        if !self.texts.is_empty() && with_text(value, is_text) || self.ranked.iter().any(is_ranked) {
            return Truth::Yes;
        }
        self.number(value).max(self.bool(value))
    }

    fn number(&self, value: &FieldValue<'_>) -> Truth {
        if self.numbers.is_empty() {
            return Truth::No;
        }
        let found = |number: f64| self.numbers.binary_search_by(|known| known.total_cmp(&(number + 0.0)));
        match value.as_number().filter(|number| !number.is_nan()) {
            Some(number) => found(number).is_ok().into(),
            None => Truth::Unknown,
        }
    }

    fn bool(&self, value: &FieldValue<'_>) -> Truth {
        if self.bools.is_empty() {
            return Truth::No;
        }
        as_bool(value).map_or(Truth::Unknown, |value| self.bools.contains(&value).into())
    }
}

fn as_bool(value: &FieldValue<'_>) -> Option<bool> {
    match value {
        FieldValue::Bool(value) => Some(*value),
        FieldValue::Text(text) => text.parse().ok(),
        FieldValue::Integer(_) | FieldValue::Float(_) | FieldValue::List(_) => None,
    }
}

/// Whether one value relates so to another: numbers as numbers, everything else as text without regard to case.
pub(crate) fn relate(relation: Relation, one: &FieldValue<'_>, other: &FieldValue<'_>) -> bool {
    let comparison = match relation {
        Relation::Compares(comparison) => comparison,
        Relation::Contains | Relation::StartsWith | Relation::EndsWith => {
            return with_text(one, |one| with_text(other, |other| holds(relation, one, other)));
        }
    };
    if let (Some(one), Some(other)) = (one.as_number(), other.as_number())
        && let Some(order) = one.partial_cmp(&other)
    {
        return comparison.accepts(order);
    }
    let order = with_text(one, |one| with_text(other, |other| folded(one).cmp(folded(other))));
    comparison.accepts(order)
}

/// Whether one text contains the other, or begins or ends with it.
fn holds(relation: Relation, one: &str, other: &str) -> bool {
    let begins = |one: &str| {
        let mut rest = folded(one);
        folded(other).all(|wanted| rest.next() == Some(wanted))
    };
    match relation {
        Relation::Compares(_) => is_same(one, other),
        Relation::StartsWith => begins(one),
        Relation::EndsWith => {
            let mut rest = folded(one).rev();
            folded(other).rev().all(|wanted| rest.next() == Some(wanted))
        }
        Relation::Contains => one.char_indices().any(|(at, _)| begins(&one[at..])) || other.is_empty(),
    }
}

/// Calls `ask` with the value as text. Whole numbers and truth values are written without an allocation.
pub(crate) fn with_text<T>(value: &FieldValue<'_>, ask: impl FnOnce(&str) -> T) -> T {
    match value {
        FieldValue::Text(text) => ask(text),
        FieldValue::Bool(true) => ask("true"),
        FieldValue::Bool(false) => ask("false"),
        FieldValue::Integer(number) => {
            let mut digits = Digits::default();
            write!(digits, "{number}").expect("every whole number of 64 bits fits in");
            ask(digits.as_str())
        }
        FieldValue::Float(_) | FieldValue::List(_) => ask(&value.as_text()),
    }
}

/// Room for a whole number of 64 bits: a sign and 19 digits.
#[derive(Default)]
struct Digits {
    bytes: [u8; 20],
    length: usize,
}

impl Digits {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("digits are text")
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
