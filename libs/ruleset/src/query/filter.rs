use std::ops::Range;

use super::cursor::Text;
use super::literal::{fitting, is_network};
use super::token::TokenKind;
use super::{Cursor, field_name};
use crate::error::{Fault, Given, quoted};
use crate::{Predicate, Test, TextPattern};

/// The longest pattern of a field, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;

/// One term of a filter: `field:value`, `field:"a value"`, a bare word or a quoted phrase.
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

fn field_term(cursor: &mut Cursor, name: &str, value: &str, at: &Range<usize>) -> Result<Predicate, Fault> {
    let name_at = at.start..at.start + name.len().max(1);
    let name = field_name(name, &name_at, cursor.notes)?;
    let value = value_of(cursor, &name, value, at)?;
    if name == "alert" {
        return Ok(Predicate::Alert(value.value));
    }
    let source = pattern(&name, &value)?;
    cursor.notes.severity(&name, &source, at);
    let pattern = TextPattern::glob(&source);
    Ok(match name.as_str() {
        "service" => Predicate::Service(pattern),
        _ => Predicate::Field {
            name,
            test: Test::Matches(pattern),
        },
    })
}

/// What stands after the colon: the rest of the word, or the phrase that touches it.
fn value_of(cursor: &mut Cursor, name: &str, value: &str, at: &Range<usize>) -> Result<Given<String>, Fault> {
    let touching = cursor.here().start == at.end;
    match cursor.peek() {
        Some(TokenKind::Phrase(phrase)) if touching && value.is_empty() => {
            let at = cursor.here();
            cursor.take(&TokenKind::Phrase(phrase.clone()));
            Ok(Given {
                value: phrase.clone(),
                at,
            })
        }
        Some(TokenKind::Open) if touching && value.is_empty() => {
            let message = format!("write `{name}:a OR {name}:b`, or `| where {name} in (a, b)`");
            Err(Fault::new(cursor.here(), message))
        }
        _ if value.is_empty() => {
            let message =
                format!("a value follows `{name}:` without a space, as in `{name}:value` or `{name}:\"a value\"`");
            Err(Fault::new(at.clone(), message))
        }
        _ => Ok(Given {
            value: value.to_owned(),
            at: at.end - value.len()..at.end,
        }),
    }
}

fn pattern(name: &str, value: &Given<String>) -> Result<String, Fault> {
    let Given { value: text, at } = value;
    let fault = |message: String| Err(Fault::new(at.clone(), message));
    if text.len() > PATTERN_BYTES_MAX {
        return fault(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes"));
    }
    if text.starts_with(['[', '{']) && text.len() > 1 && !text.ends_with([']', '}']) {
        return fault(format!("ranges are not supported yet: use `| where {name} >= …`"));
    }
    if is_network(text) {
        return fault("networks such as 10.0.0.0/8 are not supported yet: use `*`, as in `source_ip:10.*`".to_owned());
    }
    if text.contains(['*', '?']) {
        Ok(text.clone())
    } else {
        fitting(name, text, at)
    }
}
