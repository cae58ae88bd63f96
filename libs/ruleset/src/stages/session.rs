use std::ops::Range;

use super::{Stage, bare_span};
use crate::Window;
use crate::error::{Fault, Given};
use crate::query::{Cursor, Draft, WINDOW};

/// Takes events with short gaps between them together, over a span at most.
pub(crate) struct Session;

impl Stage for Session {
    fn spelled(&self) -> &'static str {
        "session"
    }

    fn usage(&self) -> &'static str {
        "session gap 30m max 24h"
    }

    fn parse(&self, cursor: &mut Cursor, at: Range<usize>, draft: &mut Draft) -> Result<(), Fault> {
        if !cursor.keyword("gap") {
            return Err(cursor.expected(&format!("`gap` and a span of time, as in `{}`", self.usage())));
        }
        let gap = bare_span(cursor, self, &WINDOW)?;
        if !cursor.keyword("max") {
            return Err(cursor.expected(&format!("`max` and a span of time, as in `{}`", self.usage())));
        }
        let max_at = cursor.here();
        let max = bare_span(cursor, self, &WINDOW)?;
        if max < gap {
            return Err(Fault::new(max_at, "a session lasts at least as long as its gap"));
        }
        let value = Window::Session { gap, max };
        draft.keep_window(Given { value, at }, self.spelled())
    }
}
