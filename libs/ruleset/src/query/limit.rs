use std::ops::Range;

use super::Cursor;
use super::literal::number;
use crate::error::{Fault, quoted};
use crate::{Comparison, Limit, Threshold};

/// The times of so many events, or so many values, are held for each group.
const THRESHOLD_MAX: u32 = 100_000;

/// What a computed value can be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Domain {
    /// Any number.
    Any,
    /// No negative number.
    NotNegative,
}

/// `> 10`, `= 3`: what a number of events or values has to be. A window has one of them at least.
pub(crate) fn whole_limit(cursor: &mut Cursor, usage: &str) -> Result<(Comparison, u32), Fault> {
    let comparison = comparison(cursor, usage)?;
    let (word, at) = cursor.word(&format!("a number, as in `{usage}`"))?;
    let Ok(number) = word.parse::<u64>() else {
        let message = format!("{} is not a whole number, as in `{usage}`", quoted(word));
        return Err(Fault::new(at, message));
    };
    let always = match comparison {
        Comparison::GreaterOrEqual | Comparison::NotEqual => number == 0,
        Comparison::Greater | Comparison::Equal | Comparison::Less | Comparison::LessOrEqual => false,
    };
    let never = match comparison {
        Comparison::Less => number <= 1,
        Comparison::LessOrEqual | Comparison::Equal => number == 0,
        Comparison::Greater | Comparison::GreaterOrEqual | Comparison::NotEqual => false,
    };
    refuse_certain(always, never, "what is counted is at least 1", &at)?;
    let most = THRESHOLD_MAX - u32::from(comparison == Comparison::Greater);
    match u32::try_from(number).ok().filter(|number| *number <= most) {
        Some(number) => Ok((comparison, number)),
        None => Err(Fault::new(at, format!("a count goes to {THRESHOLD_MAX} at most"))),
    }
}

/// The number from which on it holds, if it is a limit that more events can only confirm.
pub(crate) fn rising(comparison: Comparison, number: u32) -> Option<Threshold> {
    let above = match comparison {
        Comparison::Greater => 1,
        Comparison::GreaterOrEqual => 0,
        Comparison::Equal | Comparison::NotEqual | Comparison::Less | Comparison::LessOrEqual => return None,
    };
    let at_least = u64::from(number) + above;
    Some(Threshold { at_least })
}

/// `> 1.5`, `<= -3`: what a computed number has to be.
pub(crate) fn limit(cursor: &mut Cursor, usage: &str, domain: Domain) -> Result<Limit, Fault> {
    let comparison = comparison(cursor, usage)?;
    let (word, at) = cursor.word(&format!("a number, as in `{usage}`"))?;
    let value = number(word, &at)?;
    if domain == Domain::NotNegative {
        let always = match comparison {
            Comparison::GreaterOrEqual => value <= 0.0,
            Comparison::Greater | Comparison::NotEqual => value < 0.0,
            Comparison::Equal | Comparison::Less | Comparison::LessOrEqual => false,
        };
        let never = match comparison {
            Comparison::Less => value <= 0.0,
            Comparison::LessOrEqual | Comparison::Equal => value < 0.0,
            Comparison::Greater | Comparison::GreaterOrEqual | Comparison::NotEqual => false,
        };
        refuse_certain(always, never, "a sum is never negative", &at)?;
    }
    Ok(Limit { comparison, value })
}

fn refuse_certain(always: bool, never: bool, because: &str, at: &Range<usize>) -> Result<(), Fault> {
    let certain = match (always, never) {
        (true, _) => "always true",
        (_, true) => "never true",
        (false, false) => return Ok(()),
    };
    Err(Fault::new(at.clone(), format!("{because}, so this is {certain}")))
}

fn comparison(cursor: &mut Cursor, usage: &str) -> Result<Comparison, Fault> {
    match cursor.comparison() {
        Some(comparison) => Ok(comparison),
        None => Err(cursor.expected(&format!("one of = != > >= < <=, as in `{usage}`"))),
    }
}
