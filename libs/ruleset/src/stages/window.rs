use std::ops::Range;

use super::{Stage, bare_span};
use crate::error::{Fault, Given};
use crate::query::{Cursor, Draft, WINDOW};

/// Takes the events within a span together: at any time, at times with equal distances, or one span after the other.
pub(crate) struct Window;

/// In how many windows an event may be: a day, begun anew every minute.
const OVERLAP_MAX: u128 = 24 * 60;

impl Stage for Window {
    fn spelled(&self) -> &'static str {
        "window"
    }

    fn usage(&self) -> &'static str {
        "window 5m"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        let span = bare_span(cursor, self, &WINDOW)?;
        let value = if cursor.keyword("tumbling") {
            crate::Window::Hopping { span, every: span }
        } else if cursor.keyword("every") {
            let every_at = cursor.here();
            let every = bare_span(cursor, self, &WINDOW)?;
            if every > span {
                let message = "events between two windows would be in none: `every` is at most as long as the window";
                return Err(Fault::new(every_at, message));
            }
            if span.as_millis().div_ceil(every.as_millis()) > OVERLAP_MAX {
                let message = format!("each event would be in more than {OVERLAP_MAX} windows: take a longer `every`");
                return Err(Fault::new(every_at, message));
            }
            crate::Window::Hopping { span, every }
        } else {
            crate::Window::Sliding(span)
        };
        cursor.finish("`every 1m`, `tumbling` or `|`")?;
        draft.keep_window(Given { value, at }, self.spelled())
    }
}
