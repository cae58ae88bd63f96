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
