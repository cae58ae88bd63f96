use std::ops::Range;

use super::Stage;
use crate::error::Fault;
use crate::query::{Computed, Cursor, Draft, names, whole_limit};
use crate::{Aggregate, Limit};

/// Fires when the events of one group within one window have so many different values of some fields together.
pub(crate) struct CountDistinct;

impl Stage for CountDistinct {
    fn spelled(&self) -> &'static str {
        "count_distinct"
    }

    fn usage(&self) -> &'static str {
        "count_distinct(user_id) >= 5"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        cursor.open(&format!("`(` and a field, as in `{}`", self.usage()))?;
        let fields = names(cursor, "`count_distinct`")?;
        cursor.close_or("`,` or `)`")?;
        let (comparison, number) = whole_limit(cursor, self.usage())?;
        let computed = Computed {
            name: self.spelled(),
            aggregate: Aggregate::Distinct(fields),
            limit: Limit {
                comparison,
                value: f64::from(number),
            },
            threshold: None,
        };
        draft.compute(computed, at)
    }
}
