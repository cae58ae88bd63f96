use super::limit::{rising, whole_limit};
use super::{Cursor, all_of, condition, expression, term};
use crate::error::{Fault, quoted};
use crate::{Predicate, Threshold};

/// `(filter | where …)`: the events of another kind, in the parentheses after the word of a stage.
pub(crate) fn inner(cursor: &mut Cursor, stage: &str) -> Result<Predicate, Fault> {
    let (filter, _) = parenthesis(cursor, stage, false)?;
    Ok(filter)
}

/// `(filter | where … | count >= 5)`: the events of a step, and how many it needs.
pub(crate) fn inner_step(cursor: &mut Cursor) -> Result<(Predicate, Threshold), Fault> {
    parenthesis(cursor, "sequence", true)
}

fn parenthesis(cursor: &mut Cursor, stage: &str, counts: bool) -> Result<(Predicate, Threshold), Fault> {
    cursor.open(&format!(
        "`(` and a filter, as in `{stage} (security_event:login_success)`"
    ))?;
    let mut conditions = vec![expression(cursor, &term)?];
    let mut needed = None;
    while cursor.bar() {
        let at = cursor.here();
        if needed.is_none() && cursor.keyword("where") {
            conditions.push(expression(cursor, &condition)?);
        } else if counts && needed.is_none() && cursor.keyword("count") {
            needed = Some(enough(cursor)?);
        } else {
            let known = if counts {
                "`where` or, at its end, `count >= N`"
            } else {
                "`where`"
            };
            let message = format!(
                "inside the parentheses of {} stands no stage but {known}",
                quoted(stage)
            );
            return Err(Fault::new(at, message));
        }
    }
    cursor.close_or("`AND`, `OR`, `|` or `)`")?;
    let needed = needed.unwrap_or(Threshold { at_least: 1 });
    Ok((all_of(conditions), needed))
}

/// `> N`, `>= N`: what more events can only confirm.
fn enough(cursor: &mut Cursor) -> Result<Threshold, Fault> {
    let at = cursor.here();
    let (comparison, number) = whole_limit(cursor, "count >= 5")?;
    rising(comparison, number).ok_or_else(|| {
        let message = "a step of a sequence takes `count > N` or `count >= N`: it is filled by enough events";
        Fault::new(at, message)
    })
}
