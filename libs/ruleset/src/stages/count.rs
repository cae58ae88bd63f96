use std::ops::Range;

use super::Stage;
use crate::Comparison;
use crate::error::{Fault, Given, quoted};
use crate::query::{Cursor, Draft};

/// Fires when the events of one group within one window are so many.
pub(crate) struct Count;

/// The times of so many events are held for each group.
const THRESHOLD_MAX: u64 = 100_000;

impl Stage for Count {
    fn spelled(&self) -> &'static str {
        "count"
    }

    fn usage(&self) -> &'static str {
        "count > 10"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let comparison_at = cursor.here();
        let above = match cursor.comparison() {
            Some(Comparison::Greater) => 1,
            Some(Comparison::GreaterOrEqual) => 0,
            Some(Comparison::Equal | Comparison::NotEqual | Comparison::Less | Comparison::LessOrEqual) => {
                let message = "only `count > N` and `count >= N` are supported yet: any other count may still become \
                               untrue while its window is open";
                return Err(Fault::new(comparison_at, message));
            }
            None => return Err(cursor.expected("`>` or `>=` after `count`, as in `count > 10`")),
        };
        let (word, word_at) = cursor.word("a number, as in `count > 10`")?;
        let Ok(number) = word.parse::<u64>() else {
            return Err(Fault::new(
                word_at,
                format!("{} is not a whole number, as in `count > 10`", quoted(word)),
            ));
        };
        let at_least = number.saturating_add(above);
        if !(1..=THRESHOLD_MAX).contains(&at_least) {
            let message = format!("a count fires at 1 to {THRESHOLD_MAX} events, this one at {at_least}");
            return Err(Fault::new(word_at, message));
        }
        Draft::keep(&mut draft.count, Given { value: at_least, at }, self.spelled())
    }
}
