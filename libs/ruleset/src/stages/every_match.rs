use std::ops::Range;

use super::Stage;
use crate::error::{Fault, Given};
use crate::query::{Cursor, Draft};

/// Makes every match an alert of its own.
pub(crate) struct EveryMatch;

impl Stage for EveryMatch {
    fn spelled(&self) -> &'static str {
        "every_match"
    }

    fn usage(&self) -> &'static str {
        "every_match"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        cursor.finish("`|` or the end of the query")?;
        Draft::keep(&mut draft.every_match, Given { value: (), at }, self.spelled())
    }
}
