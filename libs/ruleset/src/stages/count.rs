use std::ops::Range;

use super::Stage;
use crate::error::Fault;
use crate::query::{Computed, Cursor, Draft, rising, whole_limit};
use crate::{Aggregate, Limit};

/// Fires when the events of one group within one window are so many.
pub(crate) struct Count;

impl Stage for Count {
    fn spelled(&self) -> &'static str {
        "count"
    }

    fn usage(&self) -> &'static str {
        "count > 10"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        if cursor.is_at_open() {
            let message =
                "`count` counts events, as in `count > 10`; different values are counted by `count_distinct(field)`";
            return Err(Fault::new(cursor.here(), message));
        }
        let (comparison, number) = whole_limit(cursor, self.usage())?;
        let computed = Computed {
            name: self.spelled(),
            aggregate: Aggregate::Count,
            limit: Limit {
                comparison,
                value: f64::from(number),
            },
            threshold: rising(comparison, number),
        };
        draft.compute(computed, at)
    }
}
