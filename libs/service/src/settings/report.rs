//! What was read, for people: the settings in force and the reference of all keys.

use std::fmt::Write;

use super::problem::Origin;

/// One key, or the head of a section, in the order in which it was read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) depth: usize,
    pub(super) purpose: &'static str,
    pub(super) kind: String,
    pub(super) default: Option<String>,
    pub(super) required: bool,
    pub(super) origin: Origin,
    pub(super) shown: Shown,
}

/// What a listing prints of an entry.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    Section,
    Value(String),
    Secret,
    Unset,
}

/// A key as the reference describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// As `kafka.brokers`; `NAME` where the operator chooses the name, `[0]` for an item of a list.
    pub path: String,
    /// What it takes, with its bounds: `duration from 10ms to 1m`; `section` for a section.
    pub kind: String,
    /// What holds when nothing is written, as the file would write it.
    pub default: Option<String>,
    /// Whether something must be written.
    pub required: bool,
    /// What it is for, in one line.
    pub purpose: &'static str,
}

impl From<Entry> for KeyDescription {
    fn from(entry: Entry) -> Self {
        Self {
            path: entry.path,
            kind: entry.kind,
            default: entry.default,
            required: entry.required,
            purpose: entry.purpose,
        }
    }
}

/// The settings in force as YAML, each with the place it comes from; secrets are `***`.
pub(super) fn effective(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (index, entry) in entries.iter().enumerate() {
        let indent = "  ".repeat(entry.depth);
        let Entry { name, origin, .. } = entry;
        let empty = entries.get(index + 1).is_none_or(|next| next.depth <= entry.depth);
        let result = match &entry.shown {
            Shown::Section if name == "-" => writeln!(text, "{indent}-"),
            Shown::Section if empty => writeln!(text, "{indent}# {name}: (empty)"),
            Shown::Section => writeln!(text, "{indent}{name}:"),
            Shown::Value(value) => writeln!(text, "{indent}{name}: {value}  # {origin}"),
            Shown::Secret => writeln!(text, "{indent}{name}: '***'  # {origin}"),
            Shown::Unset => writeln!(text, "{indent}# {name}: (not set)"),
        };
        result.expect("a string grows as it needs to");
    }
    text
}
