use std::ops::Range;

use super::{Stage, inner_within};
use crate::Order;
use crate::error::Fault;
use crate::query::{Cursor, Draft, Relation, inner, pairs};

/// Fires when an event of the filter and one of another kind are near each other in time and equal in some fields.
pub(crate) struct Join;

impl Stage for Join {
    fn spelled(&self) -> &'static str {
        "join"
    }

    fn usage(&self) -> &'static str {
        "join (security_event:password_reset_requested) before on user_id = target_id within 24h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let right = inner(cursor, self.spelled())?;
        let order = if cursor.keyword("before") {
            Order::RightFirst
        } else if cursor.keyword("after") || cursor.keyword("then") {
            Order::LeftFirst
        } else {
            Order::Any
        };
        if !cursor.keyword("on") {
            return Err(cursor.expected("`before`, `after`, `then` or `on` after the parentheses"));
        }
        let on = pairs(cursor, "the join")?;
        inner_within(cursor, draft, "`,`, `within` or `|`")?;
        draft.relate(Relation::Join { right, order, on }, at)
    }
}
