use std::ops::Range;

use super::Stage;
use crate::Order;
use crate::error::{Fault, Given};
use crate::query::{self, Cursor, Draft, KEY_FIELDS_MAX, all_of, condition, expression, field_name, term};

/// Fires when an event of the filter and one of another kind are near each other in time and equal in some fields.
pub(crate) struct Join;

impl Stage for Join {
    fn spelled(&self) -> &'static str {
        "join"
    }

    fn usage(&self) -> &'static str {
        "join (security_event:password_reset_requested) before on user_id = target_id"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        cursor.open("`(` after `join`, as in `join (security_event:login_success) on user_id`")?;
        let mut conditions = vec![expression(cursor, term)?];
        while cursor.bar() {
            if !cursor.keyword("where") {
                return Err(cursor.expected("`where`: no other stage stands inside a join"));
            }
            conditions.push(expression(cursor, condition)?);
        }
        cursor.close()?;
        let order = order(cursor);
        if !cursor.keyword("on") {
            return Err(cursor.expected("`before`, `after`, `then` or `on` after the parentheses"));
        }
        let on = pairs(cursor)?;
        let join = query::Join {
            right: all_of(conditions),
            order,
            on,
        };
        Draft::keep(&mut draft.join, Given { value: join, at }, self.spelled())
    }
}

/// Which side comes first, if that is said.
fn order(cursor: &mut Cursor) -> Order {
    if cursor.keyword("before") {
        Order::RightFirst
    } else if cursor.keyword("after") || cursor.keyword("then") {
        Order::LeftFirst
    } else {
        Order::Any
    }
}

/// `a, b = c`: one name is the field of both sides, two are the filter's and the joined events'.
fn pairs(cursor: &mut Cursor) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    loop {
        let (left, at) = cursor.word("a field that both sides have, as in `on user_id`")?;
        let left = field_name(left, &at, cursor.notes)?;
        let right = if cursor.equals() {
            let (right, at) = cursor.word("the field of the joined events")?;
            field_name(right, &at, cursor.notes)?
        } else {
            left.clone()
        };
        let pair = (left, right);
        if pairs.contains(&pair) {
            return Err(Fault::new(at, "this pair of fields is already there"));
        }
        pairs.push(pair);
        if pairs.len() > KEY_FIELDS_MAX {
            return Err(Fault::new(
                at,
                format!("a join is on at most {KEY_FIELDS_MAX} pairs of fields"),
            ));
        }
        if !cursor.comma() {
            return Ok(pairs);
        }
    }
}
