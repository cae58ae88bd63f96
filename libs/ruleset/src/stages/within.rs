use std::ops::Range;

use super::{Stage, span};
use crate::error::Fault;
use crate::query::{Cursor, Draft, WINDOW};

/// How far apart the events of a join or a sequence may be, how near is near, or how far back a value is known.
pub(crate) struct Within;

impl Stage for Within {
    fn spelled(&self) -> &'static str {
        "within"
    }

    fn usage(&self) -> &'static str {
        "within 24h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let given = span(cursor, at, self, &WINDOW)?;
        Draft::keep(&mut draft.within, given, self.spelled())
    }
}
