use std::ops::Range;

use super::Stage;
use crate::Aggregate;
use crate::error::{Fault, quoted};
use crate::query::{Computed, Cursor, Domain, Draft, field_name, limit, number};

/// Fires when so many percent of a field's values in one window are below, and the next one is so large.
pub(crate) struct Percentile;

impl Stage for Percentile {
    fn spelled(&self) -> &'static str {
        "percentile"
    }

    fn usage(&self) -> &'static str {
        "percentile(duration_ms, 95) > 500"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        cursor.open(&format!("`(` and a field, as in `{}`", self.usage()))?;
        let (name, name_at) = cursor.word("a field")?;
        let field = field_name(name, &name_at)?;
        if !cursor.comma() {
            return Err(cursor.expected(&format!("`,` and a percentage, as in `{}`", self.usage())));
        }
        let (word, word_at) = cursor.word("a percentage from 0 to 100")?;
        let percent = number(word, &word_at)?;
        if !(0.0..=100.0).contains(&percent) {
            let message = format!("{} is not a percentage from 0 to 100", quoted(word));
            return Err(Fault::new(word_at, message));
        }
        cursor.close()?;
        let computed = Computed {
            name: self.spelled(),
            aggregate: Aggregate::Percentile { field, percent },
            limit: limit(cursor, self.usage(), Domain::Any)?,
            threshold: None,
        };
        draft.compute(computed, at)
    }
}
