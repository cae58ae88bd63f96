use std::ops::Range;

use super::{Stage, span};
use crate::error::Fault;
use crate::query::{Cursor, Draft, WINDOW};

/// How far apart the first and the last of the counted events may be, both ends included.
pub(crate) struct Window;

impl Stage for Window {
    fn spelled(&self) -> &'static str {
        "window"
    }

    fn usage(&self) -> &'static str {
        "window 5m"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let given = span(cursor, at, self, &WINDOW)?;
        cursor.finish("the end of the stage (`every` and `tumbling` are not supported yet)")?;
        Draft::keep(&mut draft.window, given, self.spelled())
    }
}
