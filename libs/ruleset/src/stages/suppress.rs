use std::ops::Range;

use super::{Stage, span};
use crate::error::Fault;
use crate::query::{Cursor, Draft, SUPPRESS};

/// How long after its last true moment a new match still belongs to an alert that was closed, and nobody is told.
pub(crate) struct Suppress;

impl Stage for Suppress {
    fn spelled(&self) -> &'static str {
        "suppress"
    }

    fn usage(&self) -> &'static str {
        "suppress 4h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let given = span(cursor, at, self, &SUPPRESS)?;
        Draft::keep(&mut draft.suppress, given, self.spelled())
    }
}
