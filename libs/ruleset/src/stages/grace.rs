use std::ops::Range;

use super::{Stage, span};
use crate::error::Fault;
use crate::query::{Cursor, Draft, GRACE};

/// How long a condition that is decided at the watermark waits for late events.
pub(crate) struct Grace;

impl Stage for Grace {
    fn spelled(&self) -> &'static str {
        "grace"
    }

    fn usage(&self) -> &'static str {
        "grace 10m"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let given = span(cursor, at, self, &GRACE)?;
        Draft::keep(&mut draft.grace, given, self.spelled())
    }
}
