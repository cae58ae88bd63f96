use super::yaml::{Content, Node, locate};
use crate::error::{Fault, Given, RuleError, RuleWarning, Source, quoted, suggestion};

/// How many errors, and how many warnings, are told of one file.
const TOLD_MAX: usize = 100;

/// Collects what is wrong with a file while it is read.
pub(crate) struct Reader<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) errors: Vec<RuleError>,
    pub(crate) warnings: Vec<RuleWarning>,
}

/// The entries of a mapping that have not been taken yet.
pub(crate) struct Entries {
    left: Vec<(Given<String>, Node)>,
    /// Where the mapping begins.
    pub(crate) at: std::ops::Range<usize>,
}

impl Entries {
    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        let found = self.left.iter().position(|(known, _)| known.value == key)?;
        Some(self.left.remove(found).1)
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Keeps an error. Of very many the rest is not told: to place each costs a walk through the file.
    pub(crate) fn refuse(&mut self, fault: &Fault) {
        if self.errors.len() < TOLD_MAX {
            self.errors.push(self.source.error(fault));
        }
    }

    pub(crate) fn warn(&mut self, fault: &Fault) {
        if self.warnings.len() < TOLD_MAX {
            self.warnings.push(self.source.warning(fault));
        }
    }

    /// Whether so much is wrong that reading on tells nobody anything.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() >= TOLD_MAX
    }

    /// The value, or its fault is kept.
    pub(crate) fn keep<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.refuse(&fault)).ok()
    }

    /// A fault at a place within a scalar's value, as one in the file.
    pub(crate) fn within(&self, scalar: &Given<String>, fault: &Fault) -> Fault {
        Fault::new(locate(self.source.text, scalar, &fault.at), fault.message.clone())
    }

    fn unexpected(&mut self, node: &Node, name: &str, expected: &str) {
        let message = format!("{} is {expected}, not {}", quoted(name), node.described());
        self.refuse(&Fault::new(node.at.clone(), message));
    }

    /// The entries of a mapping, all of which must be `known`.
    pub(crate) fn mapping(&mut self, node: Node, name: &str, known: &[&str]) -> Option<Entries> {
        let Content::Mapping(entries) = node.content else {
            self.unexpected(&node, name, "a mapping");
            return None;
        };
        let unknown = entries.iter().filter(|(key, _)| !known.contains(&key.value.as_str()));
        for (key, _) in unknown.take(TOLD_MAX) {
            let message = format!("unknown key {}{}", quoted(&key.value), suggestion(&key.value, known));
            self.refuse(&Fault::new(key.at.clone(), message));
        }
        Some(Entries {
            left: entries,
            at: node.at,
        })
    }

    pub(crate) fn list(&mut self, node: Node, name: &str) -> Option<Vec<Node>> {
        let Content::List(items) = node.content else {
            self.unexpected(&node, name, "a list");
            return None;
        };
        Some(items)
    }

    /// Text of 1 to `bytes_max` bytes without control characters; a folded scalar's last line end is not part of it.
    pub(crate) fn text(&mut self, node: Node, name: &str, bytes_max: usize) -> Option<Given<String>> {
        let given = self.any_text(node, name, bytes_max)?;
        if given.value.chars().any(char::is_control) {
            let message = format!("{} is one line without control characters", quoted(name));
            self.refuse(&Fault::new(given.at, message));
            return None;
        }
        Some(given)
    }

    /// Text of 1 to `bytes_max` bytes, of any number of lines.
    pub(crate) fn any_text(&mut self, node: Node, name: &str, bytes_max: usize) -> Option<Given<String>> {
        let Content::Text(text) = &node.content else {
            let expected = match node.content {
                Content::Number(_) | Content::Bool(_) => "text (in quotes, if it looks like something else)",
                Content::Null | Content::Text(_) | Content::List(_) | Content::Mapping(_) => "text",
            };
            self.unexpected(&node, name, expected);
            return None;
        };
        let value = text.trim_end().to_owned();
        let message = match value.len() {
            0 => format!("{} is empty", quoted(name)),
            length if length > bytes_max => {
                format!("{} has at most {bytes_max} bytes, this one {length}", quoted(name))
            }
            _ => return Some(Given { value, at: node.at }),
        };
        self.refuse(&Fault::new(node.at, message));
        None
    }

    /// The required entry `key`.
    pub(crate) fn require(&mut self, entries: &mut Entries, key: &str) -> Option<Node> {
        let found = entries.take(key);
        if found.is_none() {
            let at = entries.at.start..entries.at.start + 1;
            self.refuse(&Fault::new(at, format!("{} is missing", quoted(key))));
        }
        found
    }
}
