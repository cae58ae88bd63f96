use std::ops::Range;

use super::cursor::Text;
use super::token::TokenKind;
use super::value::{PATTERN_BYTES_MAX, value, written_value};
use super::{Cursor, any_of, deeper, expression, field_name};
use crate::Predicate;
use crate::error::{Fault, quoted};

/// The name that stands before the id of a rule whose alerts are read.
pub(crate) const ALERT: &str = "alert";

/// One term of a filter: `field:value`, `field:(a OR b)`, a bare word or a quoted phrase.
pub(crate) fn term(cursor: &mut Cursor) -> Result<Predicate, Fault> {
    const EXPECTED: &str = "a condition such as `field:value`";
    if cursor.is_at_keyword() {
        return Err(cursor.expected(EXPECTED));
    }
    let Text { text, is_quoted, at } = cursor.text(EXPECTED)?;
    match text.split_once(':') {
        Some((name, value)) if !is_quoted => field_term(cursor, name, value, &at),
        Some(_) | None => bare(text, &at),
    }
}

fn bare(words: &str, at: &Range<usize>) -> Result<Predicate, Fault> {
    if words.trim().is_empty() {
        return Err(Fault::new(at.clone(), "there is no word between these quotes"));
    }
    if words.contains(['*', '?']) {
        let message = format!(
            "{} has a wildcard, and those work after a field: `message:*word*`",
            quoted(words)
        );
        return Err(Fault::new(at.clone(), message));
    }
    if words.len() > PATTERN_BYTES_MAX {
        return Err(Fault::new(
            at.clone(),
            format!("a phrase has at most {PATTERN_BYTES_MAX} bytes"),
        ));
    }
    Ok(Predicate::Word(words.to_owned()))
}

/// `name:` and what follows: the rest of the word, or the phrase, the comparison or the parenthesis that touches it.
fn field_term(cursor: &mut Cursor, name: &str, rest: &str, at: &Range<usize>) -> Result<Predicate, Fault> {
    let name_at = at.start..at.start + name.len().max(1);
    let name = match name {
        ALERT => ALERT.to_owned(),
        name => field_name(name, &name_at)?,
    };
    if !rest.is_empty() {
        let text = Text {
            text: rest,
            is_quoted: false,
            at: at.end - rest.len()..at.end,
        };
        return written_value(cursor, &name, text);
    }
    if cursor.here().start != at.end || cursor.peek().is_none() {
        let message =
            format!("a value follows `{name}:` without a space, as in `{name}:value` or `{name}:\"a value\"`");
        return Err(Fault::new(at.clone(), message));
    }
    if cursor.take(&TokenKind::Open) {
        return group(cursor, &name);
    }
    value(cursor, &name)
}

/// `name:(a OR b)`, `name:(a, b)`, `name:(a AND NOT b)`: every value in there is one of the field.
fn group(cursor: &mut Cursor, name: &str) -> Result<Predicate, Fault> {
    deeper(cursor, |cursor| {
        let mut parts = Vec::new();
        loop {
            parts.push(expression(cursor, &|cursor| value(cursor, name))?);
            if !cursor.comma() {
                break;
            }
        }
        cursor.close_or("`OR`, `AND`, `,` or `)`")?;
        Ok(any_of(parts))
    })
}
