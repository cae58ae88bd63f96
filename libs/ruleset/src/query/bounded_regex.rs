use std::ops::Range;

use super::Notes;
use crate::error::Fault;
use crate::{RegexPattern, Test};

/// How many regular expressions one rule has.
const REGEX_COUNT_MAX: usize = 20;

/// The test for a match of this regular expression, within what one may cost.
pub(crate) fn bounded_regex(notes: &mut Notes, text: &str, at: Range<usize>) -> Result<Test, Fault> {
    notes.regexes += 1;
    if notes.regexes > REGEX_COUNT_MAX {
        let message = format!("a rule has at most {REGEX_COUNT_MAX} regular expressions");
        return Err(Fault::new(at, message));
    }
    let pattern = RegexPattern::compile(text).map_err(|reason| Fault::new(at, reason))?;
    Ok(Test::Regex(pattern))
}
