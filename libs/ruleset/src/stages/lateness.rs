use std::ops::Range;

use super::{Stage, span};
use crate::error::Fault;
use crate::query::{Cursor, Draft, LATENESS};

/// How old an event may be, against the watermark, and still count.
pub(crate) struct Lateness;

impl Stage for Lateness {
    fn spelled(&self) -> &'static str {
        "lateness"
    }

    fn usage(&self) -> &'static str {
        "lateness 2h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let given = span(cursor, at, self, &LATENESS)?;
        Draft::keep(&mut draft.lateness, given, self.spelled())
    }
}
