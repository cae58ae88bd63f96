//! What the command line prints. Services log instead.

use std::fmt::Display;
use std::io::{self, Write as _};

/// A line on standard output. A reader that has gone away is not an error.
pub(crate) fn say(line: &str) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}

/// Text of several lines on standard output, as it is. A reader that has gone away is not an error.
pub(crate) fn print(text: &str) {
    drop(io::stdout().lock().write_all(text.as_bytes()));
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

/// The columns of a text that people read in a file.
const COLUMNS: usize = 120;

/// The text in lines that begin with `prefix`, each as long as it may be; nothing if there is no text.
pub(crate) fn wrapped(prefix: &str, text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(format!("{prefix}{word}")),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
