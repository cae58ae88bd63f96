use std::ops::Range;

use super::{Stage, computed_of_field};
use crate::Aggregate;
use crate::error::Fault;
use crate::query::{Cursor, Domain, Draft};

/// Fires when the greatest value of a field in one window is so large.
pub(crate) struct Max;

impl Stage for Max {
    fn spelled(&self) -> &'static str {
        "max"
    }

    fn usage(&self) -> &'static str {
        "max(amount) > 10000"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let computed = computed_of_field(cursor, self, Domain::Any, Aggregate::Maximum)?;
        draft.compute(computed, at)
    }
}
