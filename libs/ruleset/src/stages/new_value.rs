use std::ops::Range;

use super::{Stage, inner_within};
use crate::error::{Fault, quoted};
use crate::query::{Cursor, Draft, Relation, field_name, names};

/// Fires when a field has a value that its group did not have within a span before.
pub(crate) struct NewValue;

impl Stage for NewValue {
    fn spelled(&self) -> &'static str {
        "new value"
    }

    fn usage(&self) -> &'static str {
        "new value of country by user_id within 30d"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        if !(cursor.keyword("value") && cursor.keyword("of")) {
            return Err(cursor.expected(&format!("`value of` and a field, as in `{}`", self.usage())));
        }
        let (name, name_at) = cursor.word("a field")?;
        let field = field_name(name, &name_at)?;
        let group_by = if cursor.keyword("by") {
            names(cursor, "the group")?
        } else {
            Vec::new()
        };
        if group_by.contains(&field) {
            let message = format!(
                "{} is the same for all events of its group: nothing would be new",
                quoted(&field)
            );
            return Err(Fault::new(name_at, message));
        }
        inner_within(cursor, draft, "`by`, `within` or `|`")?;
        draft.relate(Relation::NewValue { field, group_by }, at)
    }
}
