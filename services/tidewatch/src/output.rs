//! What the command line prints. Services log instead.

use std::fmt::Display;
use std::io::{self, Write as _};

/// A line on standard output. A reader that has gone away is not an error.
pub(crate) fn say(line: &str) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}

/// A line on standard error.
pub(crate) fn complain(what: &dyn Display) {
    drop(writeln!(io::stderr().lock(), "{what}"));
}

/// Text that an attacker may have written, safe for a terminal.
pub(crate) fn printable(text: &str) -> String {
    let visible = |character: char| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    text.chars().map(visible).collect()
}

/// A number of things: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
