use super::token::TokenKind;
use super::{Cursor, all_of, any_of};
use crate::Predicate;
use crate::error::Fault;

/// How deep parentheses and `NOT` nest. Reading them recurses, and so do the evaluation and the drop of what is read.
const DEPTH_MAX: usize = 50;

/// Reads one condition: a term of a filter, or a comparison of a `where`.
type Leaf<'a> = &'a dyn Fn(&mut Cursor) -> Result<Predicate, Fault>;

/// Conditions with `NOT`, `AND`, `OR` and parentheses; the first binds tightest.
pub(crate) fn expression(cursor: &mut Cursor, leaf: Leaf) -> Result<Predicate, Fault> {
    let mut parts = vec![conjunction(cursor, leaf)?];
    while cursor.keyword("OR") {
        parts.push(conjunction(cursor, leaf)?);
    }
    Ok(any_of(parts))
}

fn conjunction(cursor: &mut Cursor, leaf: Leaf) -> Result<Predicate, Fault> {
    let mut parts = vec![negation(cursor, leaf)?];
    while cursor.keyword("AND") {
        parts.push(negation(cursor, leaf)?);
    }
    Ok(all_of(parts))
}

fn negation(cursor: &mut Cursor, leaf: Leaf) -> Result<Predicate, Fault> {
    if cursor.depth > DEPTH_MAX {
        return Err(Fault::new(
            cursor.here(),
            format!("conditions nest at most {DEPTH_MAX} deep"),
        ));
    }
    if cursor.keyword("NOT") {
        let inner = deeper(cursor, |cursor| negation(cursor, leaf))?;
        return Ok(Predicate::Not(Box::new(inner)));
    }
    if cursor.take(&TokenKind::Open) {
        let inner = deeper(cursor, |cursor| expression(cursor, leaf))?;
        cursor.close()?;
        return Ok(inner);
    }
    leaf(cursor)
}

/// Reads something one level further in. A fault ends the reading, so the depth matters only where there is none.
pub(crate) fn deeper<'t, 'n>(
    cursor: &mut Cursor<'t, 'n>,
    read: impl FnOnce(&mut Cursor<'t, 'n>) -> Result<Predicate, Fault>,
) -> Result<Predicate, Fault> {
    cursor.depth += 1;
    let read = read(cursor)?;
    cursor.depth -= 1;
    Ok(read)
}
