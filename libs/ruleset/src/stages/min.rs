use std::ops::Range;

use super::{Stage, computed_of_field};
use crate::Aggregate;
use crate::error::Fault;
use crate::query::{Cursor, Domain, Draft};

/// Fires when the least value of a field in one window is so small.
pub(crate) struct Min;

impl Stage for Min {
    fn spelled(&self) -> &'static str {
        "min"
    }

    fn usage(&self) -> &'static str {
        "min(score) < -3"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let computed = computed_of_field(cursor, self, Domain::Any, Aggregate::Minimum)?;
        draft.compute(computed, at)
    }
}
