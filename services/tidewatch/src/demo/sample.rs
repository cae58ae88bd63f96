//! The sample that is part of the program: three logs of one invented company.

use std::io::Cursor;

use formats::Choice;

use super::replay::Log;

/// The year that auth.log does not name.
const YEAR: i16 = 2026;

const LOGS: [(&str, &str); 3] = [
    ("auth.log", include_str!("../../sample/auth.log")),
    ("access.log", include_str!("../../sample/access.log")),
    ("security.jsonl", include_str!("../../sample/security.jsonl")),
];

/// The logs, and how many bytes they have.
pub(super) fn logs() -> (Vec<Log>, u64) {
    let bytes = LOGS.iter().map(|(_, text)| text.len() as u64).sum();
    let log = |(name, text): (&str, &'static str)| Log {
        name: name.to_owned(),
        reader: Box::new(Cursor::new(text)),
        format: Choice::Auto,
        year: Some(YEAR),
    };
    (LOGS.into_iter().map(log).collect(), bytes)
}
