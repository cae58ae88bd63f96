use std::ops::Range;

use super::{Stage, inner_within};
use crate::Order;
use crate::error::Fault;
use crate::query::{Cursor, Draft, Relation, inner, pairs};

/// Fires when an event of the filter has no event of another kind near it in time and equal in some fields.
pub(crate) struct Without;

impl Stage for Without {
    fn spelled(&self) -> &'static str {
        "without"
    }

    fn usage(&self) -> &'static str {
        "without (security_event:mfa_success) on user_id within 10m"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let right = inner(cursor, self.spelled())?;
        let order = if cursor.keyword("before") {
            Order::RightFirst
        } else if cursor.keyword("around") {
            Order::Any
        } else {
            // What is missing is missed afterwards, unless it is said.
            cursor.keyword("after");
            Order::LeftFirst
        };
        let on = if cursor.keyword("on") {
            pairs(cursor, "the absence")?
        } else {
            Vec::new()
        };
        inner_within(cursor, draft, "`before`, `after`, `around`, `on`, `within` or `|`")?;
        draft.relate(Relation::Without { right, order, on }, at)
    }
}
