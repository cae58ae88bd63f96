use super::token::TokenKind;
use super::{Cursor, all_of, any_of};
use crate::Predicate;
use crate::error::Fault;

/// How deep parentheses and `NOT` nest. Reading them recurses, and so do the evaluation and the drop of what is read.
const DEPTH_MAX: usize = 50;

/// Reads one condition: a term of a filter, or a comparison of a `where`.
type Leaf = fn(&mut Cursor) -> Result<Predicate, Fault>;

/// Conditions with `NOT`, `AND`, `OR` and parentheses; the first binds tightest.
pub(crate) fn expression(cursor: &mut Cursor, leaf: Leaf) -> Result<Predicate, Fault> {
    alternatives(cursor, leaf, 0)
}

fn alternatives(cursor: &mut Cursor, leaf: Leaf, depth: usize) -> Result<Predicate, Fault> {
    let mut parts = vec![conjunction(cursor, leaf, depth)?];
    while cursor.keyword("OR") {
        parts.push(conjunction(cursor, leaf, depth)?);
    }
    Ok(any_of(parts))
}

fn conjunction(cursor: &mut Cursor, leaf: Leaf, depth: usize) -> Result<Predicate, Fault> {
    let mut parts = vec![negation(cursor, leaf, depth)?];
    while cursor.keyword("AND") {
        parts.push(negation(cursor, leaf, depth)?);
    }
    Ok(all_of(parts))
}

fn negation(cursor: &mut Cursor, leaf: Leaf, depth: usize) -> Result<Predicate, Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::new(
            cursor.here(),
            format!("conditions nest at most {DEPTH_MAX} deep"),
        ));
    }
    if cursor.keyword("NOT") {
        let noted = cursor.notes.severities.len();
        let inner = negation(cursor, leaf, depth + 1)?;
        cursor.notes.severities.truncate(noted);
        return Ok(Predicate::Not(Box::new(inner)));
    }
    if cursor.take(&TokenKind::Open) {
        let inner = alternatives(cursor, leaf, depth + 1)?;
        cursor.close()?;
        return Ok(inner);
    }
    leaf(cursor)
}
