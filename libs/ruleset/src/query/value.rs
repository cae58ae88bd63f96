use std::ops::Range;

use super::condition::compare;
use super::cursor::Text;
use super::filter::ALERT;
use super::literal::{fitting, literal, unquoted};
use super::token::{TokenKind, regex_length};
use super::{Cursor, bounded_regex, network};
use crate::error::{Fault, Given, quoted};
use crate::{Comparison, Literal, Piece, Predicate, Rule, Test, TextPattern};

/// The longest pattern of a field, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1024;

/// A value of a field in a filter: text with wildcards, `>5`, `[1 TO 5]`, `10.0.0.0/8`, `/regex/`.
pub(crate) fn value(cursor: &mut Cursor, name: &str) -> Result<Predicate, Fault> {
    if let Some(TokenKind::Compare(comparison)) = cursor.peek() {
        return compared(cursor, name, *comparison);
    }
    let expected = format!("a value of {}", quoted(name));
    if cursor.is_at_keyword() {
        return Err(cursor.expected(&expected));
    }
    let value = cursor.text(&expected)?;
    if !value.is_quoted && regex_length(value.text) == Some(value.text.len()) {
        let message = format!(
            "a regular expression stands right behind its colon, as `{name}:/…/`; in quotes this is the text {}",
            quoted(value.text)
        );
        return Err(Fault::new(value.at, message));
    }
    written_value(cursor, name, value)
}

/// The value that begins with this text.
pub(crate) fn written_value(cursor: &mut Cursor, name: &str, text: Text<'_>) -> Result<Predicate, Fault> {
    let Text { text, is_quoted, at } = text;
    if name == ALERT {
        return alert(text, at);
    }
    let test = if !is_quoted && begins_range(text) {
        range(cursor, name, text, &at)?
    } else if !is_quoted && regex_length(text) == Some(text.len()) {
        slashed(cursor, name, text, &at)?
    } else if let Some(network) = network(text) {
        Test::Network(network)
    } else {
        begins_spaced_regex(cursor, name, text, &at)?;
        pattern(name, text, &at)?
    };
    match (name, test) {
        ("service", Test::Matches(pattern)) => Ok(Predicate::Service(pattern)),
        ("service", _) => {
            let message =
                "`service:` takes text, with `*` and `?`: anything else goes in a stage, `| where service ~ …`";
            Err(Fault::new(at, message))
        }
        (name, Test::Matches(pattern)) if pattern.pieces() == [Piece::Many] => Ok(field(name, Test::Exists)),
        (name, test) => Ok(field(name, test)),
    }
}

fn field(name: &str, test: Test) -> Predicate {
    Predicate::Field {
        name: name.to_owned(),
        test,
    }
}

fn alert(id: &str, at: Range<usize>) -> Result<Predicate, Fault> {
    if Rule::is_id(id) {
        return Ok(Predicate::Alert(id.to_owned()));
    }
    let message = format!(
        "{} is not the id of a rule: `alert:` takes one as it is written in its file, without wildcards",
        quoted(id)
    );
    Err(Fault::new(at, message))
}

/// `field:>5`
fn compared(cursor: &mut Cursor, name: &str, comparison: Comparison) -> Result<Predicate, Fault> {
    let at = cursor.here();
    let instead = match comparison {
        Comparison::Equal => format!("`{name}:value`"),
        Comparison::NotEqual => format!("`NOT {name}:value`"),
        Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
            cursor.comparison();
            let limit = literal(cursor, name)?;
            return Ok(field(name, compare(name, comparison, limit)?));
        }
    };
    let message = format!("after a colon stand > >= < <=; here write {instead}, or `| where` with an operator");
    Err(Fault::new(at, message))
}

fn begins_range(text: &str) -> bool {
    text.starts_with(['[', '{']) && (text.len() == 1 || !text.ends_with([']', '}']))
}

/// `[1 TO 5]`, `{1 TO 5}`, `[1 TO *]`: `[` takes the limit in, `{` leaves it out.
fn range(cursor: &mut Cursor, name: &str, begun: &str, at: &Range<usize>) -> Result<Test, Fault> {
    let from = if begun.starts_with('[') {
        Comparison::GreaterOrEqual
    } else {
        Comparison::Greater
    };
    let (low, low_at) = match &begun[1..] {
        "" => cursor.word("the lower limit of a range, as in `[1 TO 5]`")?,
        low => (low, at.start + 1..at.end),
    };
    if !cursor.keyword("TO") {
        return Err(cursor.expected(&format!("`TO` in a range, as in `{name}:[1 TO 5]`")));
    }
    let (high, high_at) = cursor.word("the upper limit of a range, as in `[1 TO 5]`")?;
    let (high, closing) = match high.strip_suffix([']', '}']) {
        Some(limit) if !limit.is_empty() => (limit, &high[limit.len()..]),
        Some(_) => return Err(Fault::new(high_at, "a limit is missing here; `*` is none")),
        None => (high, cursor.word("`]` or `}` at the end of the range")?.0),
    };
    let to = match closing {
        "]" => Comparison::LessOrEqual,
        "}" => Comparison::Less,
        _ => return Err(Fault::new(high_at, "expected `]` or `}` at the end of the range")),
    };
    let high_at = high_at.start..high_at.start + high.len();
    let low = limit(name, from, low, low_at)?;
    let high = limit(name, to, high, high_at)?;
    Ok(match (low, high) {
        (None, None) => Test::Exists,
        (Some(only), None) | (None, Some(only)) => only,
        (Some(low), Some(high)) => both(low, high).ok_or_else(|| Fault::new(at.clone(), "nothing is in this range"))?,
    })
}

/// One end of a range; `*` is none.
fn limit(name: &str, comparison: Comparison, written: &str, at: Range<usize>) -> Result<Option<Test>, Fault> {
    if written == "*" {
        return Ok(None);
    }
    let value = unquoted(name, written, &at)?;
    compare(name, comparison, Given { value, at }).map(Some)
}

/// Both tests as one, unless nothing can fit both.
fn both(low: Test, high: Test) -> Option<Test> {
    match (&low, &high) {
        (Test::Compare(from, Literal::Number(least)), Test::Compare(to, Literal::Number(most))) => {
            let takes_in = (*from, *to) == (Comparison::GreaterOrEqual, Comparison::LessOrEqual);
            (least < most || (least == most && takes_in)).then(|| Test::Every(vec![low, high]))
        }
        // Severities and levels: those that are in both.
        (Test::In(above), Test::In(below)) => {
            let both: Vec<_> = above.iter().filter(|word| below.contains(word)).cloned().collect();
            (!both.is_empty()).then_some(Test::In(both))
        }
        _ => Some(Test::Every(vec![low, high])),
    }
}

/// `/regex/`. One without any sign of a regular expression is likely a path, and is not guessed at.
fn slashed(cursor: &mut Cursor, name: &str, text: &str, at: &Range<usize>) -> Result<Test, Fault> {
    let inside = &text[1..text.len() - 1];
    if !inside.contains(['\\', '.', '+', '*', '?', '(', '[', '{', '^', '$', '|']) {
        let message = format!(
            "{} could be a text or a regular expression: write `{name}:\"{text}\"` for the one, `{name}:*{inside}*` or \
             `| where {name} ~ \"{inside}\"` for the other",
            quoted(text)
        );
        return Err(Fault::new(at.clone(), message));
    }
    bounded_regex(cursor.notes, &without_escapes(inside), at.start..at.end)
}

/// The same with `/` for `\/`.
fn without_escapes(regex: &str) -> String {
    let mut plain = String::new();
    let mut characters = regex.chars();
    while let Some(character) = characters.next() {
        match (character, characters.clone().next()) {
            ('\\', Some('/')) => {}
            ('\\', Some(escaped)) => {
                characters.next();
                plain.extend(['\\', escaped]);
            }
            (character, _) => plain.push(character),
        }
    }
    plain
}

/// Tells what to do about `/a regex/` with a space: without a word it would be a path and a stray word.
fn begins_spaced_regex(cursor: &Cursor, name: &str, text: &str, at: &Range<usize>) -> Result<(), Fault> {
    let goes_on = matches!(cursor.peek(), Some(TokenKind::Word(_))) && !cursor.is_at_keyword();
    if text.starts_with('/') && goes_on {
        let message = format!(
            "a regular expression between slashes has no space in it: write `\\s`, or `| where {name} ~ \"…\"`; a value \
             with a space goes in quotes"
        );
        return Err(Fault::new(at.clone(), message));
    }
    Ok(())
}

fn pattern(name: &str, text: &str, at: &Range<usize>) -> Result<Test, Fault> {
    if text.len() > PATTERN_BYTES_MAX {
        let message = format!("a pattern has at most {PATTERN_BYTES_MAX} bytes");
        return Err(Fault::new(at.clone(), message));
    }
    let source = if text.contains(['*', '?']) {
        text.to_owned()
    } else {
        fitting(name, text, at)?
    };
    Ok(Test::Matches(TextPattern::glob(&source)))
}
