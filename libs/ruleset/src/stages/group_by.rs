use std::ops::Range;

use super::Stage;
use crate::error::{Fault, Given};
use crate::query::{Cursor, Draft, names};

/// Counts the events of each combination of values by itself. An event that lacks one of the fields counts nowhere.
pub(crate) struct GroupBy;

impl Stage for GroupBy {
    fn spelled(&self) -> &'static str {
        "group by"
    }

    fn usage(&self) -> &'static str {
        "group by source_ip, user_id"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        if !cursor.keyword("by") {
            return Err(cursor.expected("`by` after `group`"));
        }
        let value = names(cursor, "the group")?;
        if let Some(computed) = &draft.computed {
            let message = format!("`group by` comes before `{}`", computed.value.name);
            return Err(Fault::new(at, message));
        }
        Draft::keep(&mut draft.group_by, Given { value, at }, self.spelled())
    }
}
