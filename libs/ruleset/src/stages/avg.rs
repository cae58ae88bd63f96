use std::ops::Range;

use super::{Stage, computed_of_field};
use crate::Aggregate;
use crate::error::Fault;
use crate::query::{Cursor, Domain, Draft};

/// Fires when the mean of a field's values in one window is so large.
pub(crate) struct Avg;

impl Stage for Avg {
    fn spelled(&self) -> &'static str {
        "avg"
    }

    fn usage(&self) -> &'static str {
        "avg(duration_ms) >= 250.5"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let computed = computed_of_field(cursor, self, Domain::Any, Aggregate::Average)?;
        draft.compute(computed, at)
    }
}
