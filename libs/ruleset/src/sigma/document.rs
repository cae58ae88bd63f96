//! What every Sigma document says to people: title, id, level and the like. Keys that Sigma does not know are legal.

use std::ops::Range;

use event::Severity;

use super::mapping::{MAPPINGS, Mapping};
use super::reader::{Entries, Reader, begin, items};
use crate::error::{Fault, nearest, quoted, suggestion};
use crate::rule_file::{Content, Node};
use crate::{Message, MessagePart};

const TITLE_BYTES_MAX: usize = 1_000;
const ID_BYTES_MAX: usize = 128;
/// Sigma's own bound is 65,535 characters.
const DESCRIPTION_BYTES_MAX: usize = 256 * 1024;
const LIST_MAX: usize = 1_000;
/// How many fields the message of a rule names.
const FIELDS_MAX: usize = 8;

/// The keys of the specification; a key that is nearly one of these is probably meant to be it.
const KEYS: [&str; 22] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "filter",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "generate",
];

const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
const SEVERITIES: [Severity; 5] = [
    Severity::Low,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// The head of a document.
pub(super) struct Head {
    /// Which of the files it is in.
    pub(super) file: usize,
    pub(super) title: String,
    pub(super) id: String,
    pub(super) id_at: Range<usize>,
    /// What other documents may call it, too.
    pub(super) name: Option<String>,
    pub(super) description: String,
    pub(super) severity: Option<Severity>,
    pub(super) tags: Vec<String>,
    pub(super) references: Vec<String>,
    pub(super) fields: Vec<String>,
    pub(super) taxonomy: String,
}

impl Head {
    /// Reads the head; what else the specification knows is taken out of `entries`, and what it does not is passed over.
    pub(super) fn read(reader: &mut Reader, file: usize, entries: &mut Entries) -> Option<Self> {
        let before = reader.errors.len();
        warn_of_misspelt(reader, entries);
        let start = begin(&entries.at);
        let title = reader
            .require(entries, "title")
            .and_then(|node| line(reader, &node, "title"));
        let id = entries.take("id").and_then(|node| id(reader, node));
        let name = entries.take("name").and_then(|node| line(reader, &node, "name"));
        let (id, id_at) = match (id, &name, &title) {
            (Some(id), _, _) => id,
            (None, Some((name, at)), _) => (derived(reader, name, at)?, at.clone()),
            (None, None, Some((title, at))) => {
                let id = derived(reader, title, at)?;
                let message = format!(
                    "there is no `id`: {} is derived from the title, and changes with it",
                    quoted(&id)
                );
                reader.warn(&Fault::new(at.clone(), message));
                (id, at.clone())
            }
            (None, None, None) => (String::new(), start.clone()),
        };
        let severity = entries.take("level").and_then(|node| level(reader, node));
        status(reader, entries.take("status"));
        let taxonomy = taxonomy(reader, entries);
        let description = entries
            .take("description")
            .filter(|node| !matches!(node.content, Content::Null));
        let description = description.and_then(|node| reader.text(&node, "description", DESCRIPTION_BYTES_MAX));
        let mut list = |key| entries.take(key).map_or_else(Vec::new, |node| lines(reader, node, key));
        let (tags, references, fields) = (list("tags"), list("references"), list("fields"));
        (reader.errors.len() == before).then_some(())?;
        Some(Self {
            file,
            title: title?.0,
            id,
            id_at,
            name: name.map(|(name, _)| name),
            description: description.map(|given| given.value).unwrap_or_default(),
            severity,
            tags,
            references,
            fields,
            taxonomy,
        })
    }

    /// The names of fields as this document writes them.
    pub(super) fn mapping(&self) -> &'static Mapping {
        MAPPINGS.of_taxonomy(&self.taxonomy)
    }

    /// Whether others may mean this document by `reference`.
    pub(super) fn is_called(&self, reference: &str) -> bool {
        self.id == reference || self.name.as_deref() == Some(reference)
    }

    /// The title, and the values of these fields: written name, name in our events.
    pub(super) fn message(&self, fields: &[(String, String)]) -> Message {
        let mut parts = vec![MessagePart::Text(self.title.clone())];
        for (index, (written, ours)) in fields.iter().take(FIELDS_MAX).enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            parts.push(MessagePart::Text(format!("{before}{written} ")));
            parts.push(MessagePart::Field(ours.clone()));
        }
        Message { parts }
    }
}

/// The names in which a document speaks of fields.
pub(super) fn taxonomy(reader: &mut Reader, entries: &mut Entries) -> String {
    let Some((name, at)) = entries
        .take("taxonomy")
        .and_then(|node| line(reader, &node, "taxonomy"))
    else {
        return "sigma".to_owned();
    };
    let name = name.to_lowercase();
    if !MAPPINGS.knows(&name) {
        let message = format!(
            "the taxonomy {} is not known: fields are taken by the names that stand here",
            quoted(&name)
        );
        reader.warn(&Fault::new(at, message));
    }
    name
}

fn warn_of_misspelt(reader: &mut Reader, entries: &Entries) {
    for key in entries.keys().filter(|key| !KEYS.contains(&key.value.as_str())) {
        if let Some(known) = nearest(&key.value, KEYS) {
            let message = format!("the key {} is passed over: did you mean `{known}`?", quoted(&key.value));
            reader.warn(&Fault::new(key.at.clone(), message));
        }
    }
}

/// A scalar of one line.
fn line(reader: &mut Reader, node: &Node, name: &str) -> Option<(String, Range<usize>)> {
    let given = reader.line(node, name, TITLE_BYTES_MAX)?;
    Some((given.value, given.at))
}

fn id(reader: &mut Reader, node: Node) -> Option<(String, Range<usize>)> {
    let (id, at) = line(reader, &node, "id")?;
    if id.len() > ID_BYTES_MAX || !id.chars().all(is_of_an_id) {
        let message = format!(
            "{} is not an id: a UUID, or ASCII letters, digits, `_`, `-` and `.`",
            quoted(&id)
        );
        reader.refuse(&Fault::new(at, message));
        return None;
    }
    Some((id, at))
}

fn is_of_an_id(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

/// An id made of a name or a title.
fn derived(reader: &mut Reader, text: &str, at: &Range<usize>) -> Option<String> {
    if text.len() <= ID_BYTES_MAX && text.chars().all(is_of_an_id) {
        return Some(text.to_owned());
    }
    let lower = text.to_lowercase();
    let words: Vec<_> = lower
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut id = words.join("_");
    id.truncate(ID_BYTES_MAX);
    if id.is_empty() {
        reader.refuse(&Fault::new(
            at.clone(),
            "there is no `id`, and none can be derived from this",
        ));
        return None;
    }
    Some(id)
}

fn level(reader: &mut Reader, node: Node) -> Option<Severity> {
    let (level, at) = line(reader, &node, "level")?;
    let known = LEVELS.iter().position(|known| level.eq_ignore_ascii_case(known));
    let read = known.map(|index| SEVERITIES[index]).ok_or_else(|| {
        let message = format!("{} is not a level{}", quoted(&level), suggestion(&level, &LEVELS));
        Fault::new(at, message)
    });
    reader.keep(read)
}

fn status(reader: &mut Reader, node: Option<Node>) {
    let Some(node) = node else { return };
    if let Content::Text(status) = &node.content
        && matches!(status.as_str(), "deprecated" | "unsupported")
    {
        let message = format!("this rule says of itself that it is {status}; it runs");
        reader.warn(&Fault::new(node.at, message));
    }
}

/// A list of lines, or one alone.
fn lines(reader: &mut Reader, node: Node, name: &str) -> Vec<String> {
    let at = node.at.clone();
    let nodes = items(node);
    if nodes.len() > LIST_MAX {
        reader.refuse(&Fault::new(at, format!("`{name}` has at most {LIST_MAX} entries")));
        return Vec::new();
    }
    let lines = nodes.iter().filter_map(|node| line(reader, node, name));
    lines.map(|(text, _)| text).collect()
}
