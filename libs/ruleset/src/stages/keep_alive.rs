use std::ops::Range;

use super::{Stage, span};
use crate::error::Fault;
use crate::query::{Cursor, Draft, KEEP_ALIVE};

/// How long after its last true moment an episode still goes on.
pub(crate) struct KeepAlive;

impl Stage for KeepAlive {
    fn spelled(&self) -> &'static str {
        "keep_alive"
    }

    fn usage(&self) -> &'static str {
        "keep_alive 1h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let given = span(cursor, at, self, &KEEP_ALIVE)?;
        Draft::keep(&mut draft.keep_alive, given, self.spelled())
    }
}
