//! What is written in the sources, as one tree in which every value knows where it stands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use config::{File, FileFormat, Source, Value, ValueKind};

use super::problem::{Origin, Problem, Problems};

/// What a variable's name begins with.
const PREFIX: &str = "TIDEWATCH_";
/// What stands between the levels of a key in a variable's name.
const LEVEL: &str = "__";
/// The largest configuration file: far above any that a person writes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Where the configuration is read from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The YAML file; it must exist.
    pub file: Option<PathBuf>,
    /// The environment. Variables without the prefix `TIDEWATCH_` are no concern of ours.
    pub variables: Vec<(OsString, OsString)>,
}

impl Sources {
    /// The given file, and the environment of this process.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self {
            file,
            variables: std::env::vars_os().collect(),
        }
    }
}

pub(super) type Table = BTreeMap<String, Node>;

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) written: Written,
}

/// A value as it was written, before anybody asked for a type.
#[derive(Clone)]
pub(super) enum Written {
    Nothing,
    Boolean(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    /// The content of a variable: whoever reads it decides on its type.
    Untyped(String),
    List(Vec<Node>),
    Table(Table),
}

/// The sources, read and laid over one another, not yet checked against what anybody expects.
#[derive(Clone)]
pub struct Tree {
    pub(super) root: Table,
    /// The place of a key that is written nowhere: the file, if there is one.
    pub(super) origin: Origin,
    /// Variables with our prefix that name no key: `TIDEWATCH_KAFKA_BROKERS`.
    pub(super) strays: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

impl Tree {
    /// Reads the sources. The later wins:
    ///
    /// 1. the defaults that are compiled in (each stands where its key is read)
    /// 2. the file
    /// 3. the environment: `TIDEWATCH_KAFKA__BROKERS` is `kafka.brokers`; an empty variable is
    ///    none, as a compose file writes `${BROKERS:-}`
    ///
    /// # Errors
    /// The file cannot be read, or is not YAML with a table at its top. Everything else is found
    /// by [`super::read`].
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let (root, origin) = match &sources.file {
            None => (Table::new(), Origin::Default),
            Some(path) => {
                let origin = Origin::File(path.to_string_lossy().into());
                let root = read_file(path, &origin).map_err(|message| {
                    Problems(vec![Problem {
                        origin: origin.clone(),
                        path: String::new(),
                        message,
                    }])
                })?;
                (root, origin)
            }
        };
        let mut tree = Self {
            root,
            origin,
            strays: Vec::new(),
            problems: Vec::new(),
        };
        let mut variables = sources.variables.clone();
        variables.sort();
        for (name, value) in variables {
            tree.overlay(&name.to_string_lossy(), value);
        }
        Ok(tree)
    }

    /// Whether anything is written of this section, in the file or in a variable.
    #[must_use]
    pub fn has_section(&self, name: &str) -> bool {
        self.root.contains_key(name)
    }

    fn overlay(&mut self, name: &str, value: OsString) {
        let Some(key) = name.strip_prefix(PREFIX) else {
            return;
        };
        if value.is_empty() {
            return;
        }
        if !key.contains(LEVEL) {
            self.strays.push(name.to_owned());
            return;
        }
        let origin = Origin::Variable(name.into());
        let path: Vec<String> = key.split(LEVEL).map(str::to_lowercase).collect();
        if let Ok(text) = value.into_string() {
            let written = Written::Untyped(text);
            insert(&mut self.root, &path, Node { origin, written });
        } else {
            self.problems.push(Problem {
                origin,
                path: path.join("."),
                message: "the value is not UTF-8".to_owned(),
            });
        }
    }
}

// Both may hold secrets, so neither shows its values.
impl fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Sources");
        shown.field("file", &self.file).finish_non_exhaustive()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Tree");
        shown.field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The variable that sets a key.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', LEVEL).to_uppercase())
}

/// The variable that somebody would write who does not know that levels take two underscores.
pub(super) fn stray_variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

/// Puts a variable at its place. Where the file has a plain value instead of a section the
/// variable is dropped: whoever reads the section reports the file, which is the mistake.
fn insert(table: &mut Table, path: &[String], node: Node) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.insert(name.clone(), node);
        return;
    }
    let inner = table.entry(name.clone()).or_insert_with(|| Node {
        origin: node.origin.clone(),
        written: Written::Nothing,
    });
    if matches!(inner.written, Written::Nothing) {
        inner.written = Written::Table(Table::new());
    }
    if let Written::Table(inner) = &mut inner.written {
        insert(inner, rest, node);
    }
}

fn read_file(path: &Path, origin: &Origin) -> Result<Table, String> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("larger than {FILE_BYTES_MAX} bytes"));
    }
    let values = File::from_str(&text, FileFormat::Yaml)
        .collect()
        .map_err(|error| format!("not a YAML table: {}", mistake_in(&error.to_string())))?;
    Ok(table_from(values, origin))
}

/// What the parser says, if it says where. Else it shows what it found: the whole file, where a secret was given in the
/// place of the configuration.
fn mistake_in(error: &str) -> &str {
    if error.contains(" at byte ") {
        error
    } else {
        "its top is something else, or holds a key or a number that cannot be read"
    }
}

fn table_from(values: impl IntoIterator<Item = (String, Value)>, origin: &Origin) -> Table {
    values
        .into_iter()
        .map(|(name, value)| (name, node_from(value, origin)))
        .collect()
}

fn node_from(value: Value, origin: &Origin) -> Node {
    let written = match value.kind {
        ValueKind::Nil => Written::Nothing,
        ValueKind::Boolean(value) => Written::Boolean(value),
        ValueKind::I64(value) => Written::Integer(value.into()),
        ValueKind::I128(value) => Written::Integer(value),
        ValueKind::U64(value) => Written::Integer(value.into()),
        // No key takes a number of that size; as text it is refused with its digits shown.
        ValueKind::U128(value) => Written::Text(value.to_string()),
        ValueKind::Float(value) => Written::Number(value),
        ValueKind::String(value) => Written::Text(value),
        ValueKind::Array(values) => Written::List(values.into_iter().map(|value| node_from(value, origin)).collect()),
        ValueKind::Table(values) => Written::Table(table_from(values, origin)),
    };
    Node {
        origin: origin.clone(),
        written,
    }
}

impl Written {
    /// A text, or the content of a variable when text is wanted.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            return Some(text);
        }
        self.untyped()
    }

    /// The content of a variable.
    pub(super) fn untyped(&self) -> Option<&str> {
        if let Self::Untyped(text) = self {
            return Some(text);
        }
        None
    }

    /// Whether quotes would make a text of it.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Boolean(_) | Self::Integer(_) | Self::Number(_))
    }

    /// What kind of thing stands there, without what it says.
    pub(super) fn form(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean(_) => "true or false",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Text(_) | Self::Untyped(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a section",
        }
    }

    /// What stands there, for an error message: short, and safe to print.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => format!("the text {}", excerpt(value)),
            Self::Untyped(value) => excerpt(value),
            Self::Nothing | Self::List(_) | Self::Table(_) => self.form().to_owned(),
        }
    }
}

/// The beginning of a text, quoted and with control characters escaped.
fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    if text.chars().count() <= CHARACTERS_MAX {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(CHARACTERS_MAX).collect();
    format!("{beginning:?} and more")
}
