use std::ops::Range;

use regex::RegexBuilder;

use super::Notes;
use crate::error::Fault;
use crate::{RegexPattern, Test};

/// The longest regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 4096;
/// The compiled size, in bytes, of a regular expression and of its lazy automaton.
const REGEX_SIZE_MAX: usize = 1024 * 1024;
const REGEX_NEST_MAX: u32 = 50;
/// How many regular expressions one rule has.
const REGEX_COUNT_MAX: usize = 20;

/// The test for a match of this regular expression, within what one may cost.
pub(crate) fn bounded_regex(notes: &mut Notes, text: &str, at: Range<usize>) -> Result<Test, Fault> {
    notes.regexes += 1;
    if notes.regexes > REGEX_COUNT_MAX {
        let message = format!("a rule has at most {REGEX_COUNT_MAX} regular expressions");
        return Err(Fault::new(at, message));
    }
    if text.len() > REGEX_BYTES_MAX {
        let message = format!("a regular expression has at most {REGEX_BYTES_MAX} bytes");
        return Err(Fault::new(at, message));
    }
    let mut builder = RegexBuilder::new(text);
    builder
        .size_limit(REGEX_SIZE_MAX)
        .dfa_size_limit(REGEX_SIZE_MAX)
        .nest_limit(REGEX_NEST_MAX);
    let compiled = builder.build().map_err(|error| Fault::new(at, regex_fault(&error)))?;
    Ok(Test::Regex(RegexPattern(compiled)))
}

fn regex_fault(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(limit) = error {
        return format!("this regular expression needs more than {limit} bytes");
    }
    let told = error.to_string();
    let last = told.lines().last().unwrap_or_default();
    format!(
        "this is not a regular expression: {}",
        last.trim_start_matches("error: ")
    )
}
