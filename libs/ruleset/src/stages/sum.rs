use std::ops::Range;

use super::{Stage, computed_of_field};
use crate::Aggregate;
use crate::error::Fault;
use crate::query::{Cursor, Domain, Draft};

/// Fires when a field's values in one window add up to so much.
pub(crate) struct Sum;

impl Stage for Sum {
    fn spelled(&self) -> &'static str {
        "sum"
    }

    fn usage(&self) -> &'static str {
        "sum(bytes) > 1000000"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let computed = computed_of_field(cursor, self, Domain::NotNegative, Aggregate::Sum)?;
        draft.compute(computed, at)
    }
}
