use std::ops::Range;

use super::Stage;
use crate::error::Fault;
use crate::query::{Cursor, Draft, condition, expression};

/// Keeps the events that fit a typed condition. Several are joined by `AND`.
pub(crate) struct Where;

impl Stage for Where {
    fn spelled(&self) -> &'static str {
        "where"
    }

    fn usage(&self) -> &'static str {
        "where hour >= 22 OR hour <= 6"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        if draft.is_past_events() {
            let message = "`where` speaks of single events, so it comes before `window`, `group by`, `count`, `join` and \
                           the like";
            return Err(Fault::new(at, message));
        }
        draft.conditions.push(expression(cursor, &condition)?);
        cursor.finish("`AND`, `OR` or `|`")
    }
}
