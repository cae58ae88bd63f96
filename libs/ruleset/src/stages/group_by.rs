use std::ops::Range;

use super::Stage;
use crate::error::{Fault, Given, quoted};
use crate::query::{Cursor, Draft, KEY_FIELDS_MAX, field_name};

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
        let mut fields: Vec<String> = Vec::new();
        loop {
            let (name, name_at) = cursor.word("a field to group by")?;
            let name = field_name(name, &name_at, cursor.notes)?;
            if fields.contains(&name) {
                return Err(Fault::new(
                    name_at,
                    format!("{} is already in the group", quoted(&name)),
                ));
            }
            fields.push(name);
            if fields.len() > KEY_FIELDS_MAX {
                return Err(Fault::new(
                    name_at,
                    format!("a group has at most {KEY_FIELDS_MAX} fields"),
                ));
            }
            if !cursor.comma() {
                break;
            }
        }
        if draft.count.is_some() {
            return Err(Fault::new(at, "`group by` comes before `count`"));
        }
        Draft::keep(&mut draft.group_by, Given { value: fields, at }, self.spelled())
    }
}
