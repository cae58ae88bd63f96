//! The pipe language: `filter | stage | stage …` to a [`Pattern`].
//!
//! A query is split into tokens, the tokens at the bars into a filter and stages, and each is read by itself, so one
//! pass tells every fault. Positions are bytes of the query; the caller knows where in a file it stands.

mod bounded_regex;
mod clock;
mod condition;
mod cursor;
mod draft;
mod duration;
mod expression;
mod field;
mod filter;
mod inner;
mod keys;
mod limit;
mod literal;
mod network;

mod token;
mod value;
mod zone;

use std::time::Duration;

use crate::error::{Fault, nearest, quoted, suggestion};
use crate::stages::STAGES;
use crate::{Pattern, Predicate};

pub(crate) use condition::condition;
pub(crate) use cursor::{Cursor, Notes};
pub(crate) use draft::{Computed, Draft, Relation, without_state};
pub(crate) use duration::{Bounds, GRACE, KEEP_ALIVE, LATENESS, SUPPRESS, WINDOW, duration};
pub(crate) use expression::expression;
pub(crate) use field::{CANONICAL, field_name};
pub(crate) use inner::{inner, inner_step};
pub(crate) use keys::{KEY_FIELDS_MAX, names, pairs, step_keys};
pub(crate) use limit::{Domain, limit, rising, whole_limit};
pub(crate) use literal::number;
pub(crate) use network::network;
pub(crate) use zone::zone;

use bounded_regex::bounded_regex;
use draft::pattern;
use expression::deeper;
use filter::term;
use token::{Token, TokenKind, tokens};

/// The longest query, in bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 16 * 1024;

/// What a query says.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) pattern: Pattern,
    /// Zero for `every_match`.
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) suppress: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) lateness: Option<Duration>,
    pub(crate) regexes: usize,
    pub(crate) warnings: Vec<Fault>,
}

/// Words of other languages, and the stage that does what they do.
const ELSEWHERE: [(&str, &str); 16] = [
    ("search", "where"),
    ("filter", "where"),
    ("stats", "count"),
    ("average", "avg"),
    ("mean", "avg"),
    ("distinct", "count_distinct"),
    ("dcount", "count_distinct"),
    ("cardinality", "count_distinct"),
    ("bucket", "window"),
    ("tumbling", "window"),
    ("timeframe", "window"),
    ("maxspan", "within"),
    ("dedup", "suppress"),
    ("throttle", "suppress"),
    ("absence", "without"),
    ("new_terms", "new value"),
];

/// Reads a query.
///
/// # Errors
/// Every fault that can be told at once.
pub(crate) fn parse(text: &str) -> Result<Query, Vec<Fault>> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(vec![Fault::new(
            0..1,
            format!("a query has at most {QUERY_BYTES_MAX} bytes, this one {}", text.len()),
        )]);
    }
    let tokens = tokens(text)?;
    let mut notes = Notes::default();
    let mut draft = Draft::default();
    let mut faults = Vec::new();
    for (number, part) in split_at_bars(&tokens, text.trim_end().len()).into_iter().enumerate() {
        let cursor = Cursor::new(part.tokens, part.end, &mut notes);
        // A sequence has a filter for each step, and needs none before.
        let read = if number == 0 && !cursor.is_at_call("sequence") {
            filter(cursor, &mut draft)
        } else {
            stage(cursor, &mut draft)
        };
        faults.extend(read.err());
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let pattern = pattern(&draft, text.trim_end().len())?;
    notes.warnings.extend(draft.idle_knob(&pattern));
    let (keep_alive, suppress) = draft.episode_spans();
    Ok(Query {
        pattern,
        keep_alive,
        suppress,
        grace: draft.grace.map(|given| given.value),
        lateness: draft.lateness.map(|given| given.value),
        regexes: notes.regexes,
        warnings: notes.warnings,
    })
}

struct Part<'t> {
    tokens: &'t [Token],
    end: usize,
}

/// The tokens between the bars that stand outside parentheses; each part ends where its bar, or the query, does.
fn split_at_bars(tokens: &[Token], end: usize) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Pipe if depth == 0 => {
                parts.push(Part {
                    tokens: &tokens[start..index],
                    end: token.at.start,
                });
                start = index + 1;
            }
            TokenKind::Pipe
            | TokenKind::Word(_)
            | TokenKind::Phrase(_)
            | TokenKind::Compare(_)
            | TokenKind::Tilde
            | TokenKind::NotTilde
            | TokenKind::Comma => {}
        }
    }
    parts.push(Part {
        tokens: &tokens[start..],
        end,
    });
    parts
}

fn filter(mut cursor: Cursor, draft: &mut Draft) -> Result<(), Fault> {
    if cursor.peek().is_none() {
        let message = "a query begins with a filter, as in `security_event:login_failed | where …`";
        return Err(Fault::new(cursor.here(), message));
    }
    let read = expression(&mut cursor, &term)?;
    cursor.finish("`AND`, `OR` or `|`")?;
    draft.conditions.push(read);
    Ok(())
}

fn stage(mut cursor: Cursor, draft: &mut Draft) -> Result<(), Fault> {
    if cursor.peek().is_none() {
        return Err(Fault::new(
            cursor.here(),
            "a stage is missing here; alternatives are written with `OR`",
        ));
    }
    let (word, at) = cursor.word("a stage")?;
    let found = STAGES
        .iter()
        .find(|stage| stage.spelled().split(' ').next() == Some(word));
    let Some(stage) = found else {
        return Err(Fault::new(at, unknown_stage(word)));
    };
    stage.parse(&mut cursor, at, draft)?;
    cursor.finish("`|` or the end of the query")
}

fn unknown_stage(word: &str) -> String {
    let known: Vec<_> = STAGES.iter().map(|stage| stage.spelled()).collect();
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == word);
    if let (Some((_, ours)), None) = (elsewhere, nearest(word, known.iter().copied())) {
        return format!("unknown stage {}: here that is `{ours}`", quoted(word));
    }
    format!("unknown stage {}{}", quoted(word), suggestion(word, &known))
}

/// All of these; one alone is itself, and nested ones are unfolded.
pub(crate) fn all_of(parts: impl IntoIterator<Item = Predicate>) -> Predicate {
    let mut flat = Vec::new();
    for part in parts {
        if let Predicate::All(inner) = part {
            flat.extend(inner);
        } else {
            flat.push(part);
        }
    }
    if flat.len() == 1 {
        flat.remove(0)
    } else {
        Predicate::All(flat)
    }
}

/// At least one of these; one alone is itself, and nested ones are unfolded.
pub(crate) fn any_of(parts: impl IntoIterator<Item = Predicate>) -> Predicate {
    let mut flat = Vec::new();
    for part in parts {
        if let Predicate::Any(inner) = part {
            flat.extend(inner);
        } else {
            flat.push(part);
        }
    }
    if flat.len() == 1 {
        flat.remove(0)
    } else {
        Predicate::Any(flat)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
