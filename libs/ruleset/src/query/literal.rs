use std::ops::Range;

use event::{Level, Severity};

use super::Cursor;
use super::cursor::Text;
use super::network::is_network_like;
use crate::Literal;
use crate::error::{Fault, Given, quoted, suggestion};

/// The longest text that a field is compared with, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// A value as it is written in a `where`: quoted it is text, else a number, `true` or `false`, or text.
pub(crate) fn literal(cursor: &mut Cursor, field: &str) -> Result<Given<Literal>, Fault> {
    let Text { text, is_quoted, at } = cursor.text(&format!("a value to compare {} with", quoted(field)))?;
    let value = if is_quoted {
        Literal::Text(fitting(field, text, &at)?)
    } else {
        unquoted(field, text, &at)?
    };
    Ok(Given { value, at })
}

/// What a word without quotes is.
pub(crate) fn unquoted(field: &str, word: &str, at: &Range<usize>) -> Result<Literal, Fault> {
    Ok(match word {
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        word if is_number(word) => Literal::Number(number(word, at)?),
        word => Literal::Text(fitting(field, word, at)?),
    })
}

fn is_number(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

/// A number as it is written: digits, with a minus before and a fraction behind if need be.
pub(crate) fn number(word: &str, at: &Range<usize>) -> Result<f64, Fault> {
    /// 2^53: from there on, neighbouring whole numbers are the same number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !is_number(word) {
        return Err(Fault::new(at.clone(), format!("{} is not a number", quoted(word))));
    }
    let number: f64 = word.parse().unwrap_or(f64::INFINITY);
    if number.abs() >= EXACT {
        let message = format!(
            "{} is too large to be compared exactly; in quotes it is compared as text",
            quoted(word)
        );
        return Err(Fault::new(at.clone(), message));
    }
    // There is one zero.
    Ok(number + 0.0)
}

/// The text as the field can have it. Fields whose values are a closed set, or are written in one way, are held to
/// it: a rule for `severity:hihg` would never fire and never say why.
pub(crate) fn fitting(field: &str, text: &str, at: &Range<usize>) -> Result<String, Fault> {
    let fault = |message: String| Err(Fault::new(at.clone(), message));
    if text.len() > TEXT_BYTES_MAX {
        return fault(format!("a value has at most {TEXT_BYTES_MAX} bytes"));
    }
    match field {
        "severity" => match text.parse::<Severity>() {
            Ok(severity) => Ok(severity.as_str().to_owned()),
            Err(_) => fault(unknown("severity", text, &Severity::ALL.map(Severity::as_str))),
        },
        "level" => match text.parse::<Level>() {
            Ok(level) => Ok(level.as_str().to_owned()),
            Err(_) => fault(unknown("level", text, &Level::ALL.map(Level::as_str))),
        },
        "source_ip" => match event::normalise_ip(text) {
            Some(address) => Ok(address),
            None if is_network_like(text) => fault(format!(
                "{} is not a network that can be compared here: `source_ip:10.0.0.0/8` and `source_ip in (10.0.0.0/8)` can",
                quoted(text)
            )),
            None => fault(format!("{} is not an address", quoted(text))),
        },
        _ => Ok(text.to_owned()),
    }
}

pub(crate) fn unknown(kind: &str, word: &str, known: &[&str]) -> String {
    format!("{} is not a {kind}{}", quoted(word), suggestion(word, known))
}
