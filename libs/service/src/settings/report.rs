//! What was read, for people: the settings in force and the reference of all keys.

use std::borrow::Cow;
use std::fmt::Write;

use super::problem::Origin;
use super::tree::variable_of;

/// One key, or the head of a section, in the order in which it was read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) depth: usize,
    pub(super) form: Form,
    pub(super) purpose: Cow<'static, str>,
    pub(super) kind: String,
    pub(super) default: Option<String>,
    pub(super) depends: Option<String>,
    pub(super) example: Option<String>,
    pub(super) required: bool,
    pub(super) only_with: Option<&'static str>,
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

/// What stands at a place of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A value.
    Key,
    /// A value that is never shown; beside it stands the key `…_file`, the path of a file that holds it.
    Secret,
    /// A section whose keys have defaults, or are required.
    Section,
    /// A section whose presence means something.
    OptionalSection,
    /// Sections with names that the operator chooses; one of them is described, as `NAME`.
    NamedSections,
    /// A list of sections; one of them is described, as `[0]`.
    SectionList,
}

/// A key or section as the reference describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// As `kafka.brokers`; `NAME` where the operator chooses the name, `[0]` for an item of a list.
    pub path: String,
    /// Its last part, as it stands in the file: `brokers`, `NAME`, or `-` for an item of a list.
    pub name: String,
    /// How many sections it stands in.
    pub depth: usize,
    /// What stands there.
    pub form: Form,
    /// What it takes, with its bounds: `duration from 10ms to 1m`; `section` for a section.
    pub kind: String,
    /// What holds when nothing is written, as the file would write it.
    pub default: Option<String>,
    /// What decides on the default, where it is not always the same.
    pub depends: Option<String>,
    /// Something to write, as the file would write it: for a secret the path of its file, for sections with names and
    /// for lists what may stand in them, with `#` before what is left out.
    pub example: Option<String>,
    /// Whether something must be written.
    pub required: bool,
    /// When it counts, if not always: `kind: s3`.
    pub only_with: Option<&'static str>,
    /// The variable that sets it; none for a section, nor for what stands in a list.
    pub variable: Option<String>,
    /// What it is for.
    pub purpose: Cow<'static, str>,
}

impl From<Entry> for KeyDescription {
    fn from(entry: Entry) -> Self {
        let is_key = matches!(entry.form, Form::Key | Form::Secret);
        let variable = (is_key && !entry.path.contains('[')).then(|| variable_of(&entry.path));
        Self {
            path: entry.path,
            name: entry.name,
            depth: entry.depth,
            form: entry.form,
            kind: entry.kind,
            default: entry.default,
            depends: entry.depends,
            example: entry.example,
            required: entry.required,
            only_with: entry.only_with,
            variable,
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
            Shown::Unset => match &entry.depends {
                Some(instead) => writeln!(text, "{indent}# {name}: (not set: {instead})"),
                None => writeln!(text, "{indent}# {name}: (not set)"),
            },
        };
        result.expect("a string grows as it needs to");
    }
    text
}
