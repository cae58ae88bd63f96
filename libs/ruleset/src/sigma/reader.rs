use std::ops::{Deref, DerefMut, Range};

use super::compiler::scalar;
use crate::error::{Fault, Given, RuleWarning, Source, quoted, suggestion};
use crate::lints::DOUBTFUL_QUERY;
use crate::rule_file::{self, Content, Node, TOLD_MAX};

/// Collects what is wrong with the Sigma documents of a file.
pub(crate) struct Reader<'a> {
    /// As of every rule file.
    file: rule_file::Reader<'a>,
    /// What is likely a mistake.
    pub(super) doubts: Vec<Fault>,
}

impl<'a> Deref for Reader<'a> {
    type Target = rule_file::Reader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.file
    }
}

impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.file
    }
}

/// The entries of a mapping that have not been taken yet.
pub(super) struct Entries {
    left: Vec<(Given<String>, Node)>,
    /// Where the mapping begins.
    pub(super) at: Range<usize>,
}

impl Entries {
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let found = self.left.iter().position(|(known, _)| known.value == key)?;
        Some(self.left.remove(found).1)
    }

    /// The keys that were not taken yet.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Given<String>> {
        self.left.iter().map(|(key, _)| key)
    }

    /// What was not taken.
    pub(super) fn rest(self) -> Vec<(Given<String>, Node)> {
        self.left
    }
}

/// The first byte of a range: enough to say where a list or a mapping begins.
pub(super) fn begin(at: &Range<usize>) -> Range<usize> {
    at.start..at.start + 1
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            file: rule_file::Reader::new(source),
            doubts: Vec::new(),
        }
    }

    pub(super) fn warn(&mut self, fault: &Fault) {
        if self.doubts.len() < TOLD_MAX {
            self.doubts.push(fault.clone());
        }
    }

    /// What was warned of, each with its place.
    pub(super) fn warnings(&self) -> Vec<RuleWarning> {
        let doubts = self.doubts.iter();
        doubts.map(|fault| self.source.warning(DOUBTFUL_QUERY, fault)).collect()
    }

    /// The entries of a mapping, whatever they are.
    pub(super) fn any_mapping(&mut self, node: Node, name: &str) -> Option<Entries> {
        let Content::Mapping(left) = node.content else {
            let message = format!("{} is a mapping, not {}", quoted(name), node.described());
            self.refuse(&Fault::new(node.at, message));
            return None;
        };
        Some(Entries { left, at: node.at })
    }

    /// The entries of a mapping, all of which must be `known`.
    pub(super) fn mapping(&mut self, node: Node, name: &str, known: &[&str]) -> Option<Entries> {
        let entries = self.any_mapping(node, name)?;
        for key in entries.keys().filter(|key| !known.contains(&key.value.as_str())) {
            let message = format!("unknown key {}{}", quoted(&key.value), suggestion(&key.value, known));
            self.refuse(&Fault::new(key.at.clone(), message));
        }
        Some(entries)
    }

    /// The required entry `key`.
    pub(super) fn require(&mut self, entries: &mut Entries, key: &str) -> Option<Node> {
        let found = entries.take(key);
        if found.is_none() {
            self.refuse(&Fault::new(begin(&entries.at), format!("{} is missing", quoted(key))));
        }
        found
    }

    /// A scalar as one line of at most `bytes_max` bytes.
    pub(super) fn line(&mut self, node: &Node, name: &str, bytes_max: usize) -> Option<Given<String>> {
        let given = self.text(node, name, bytes_max)?;
        if given.value.chars().any(char::is_control) {
            let message = format!("{} is one line without control characters", quoted(name));
            self.refuse(&Fault::new(given.at, message));
            return None;
        }
        Some(given)
    }

    /// A scalar as text of 1 to `bytes_max` bytes.
    pub(super) fn text(&mut self, node: &Node, name: &str, bytes_max: usize) -> Option<Given<String>> {
        let read = scalar(node).and_then(|text| {
            let value = text.trim_end().to_owned();
            if value.is_empty() || value.len() > bytes_max {
                let message = format!("{} has 1 to {bytes_max} bytes, this one {}", quoted(name), value.len());
                return Err(Fault::new(node.at.clone(), message));
            }
            Ok(Given {
                value,
                at: node.at.clone(),
            })
        });
        self.keep(read)
    }
}

/// The items of a list, or what stands alone as the only one; of nothing, none.
pub(super) fn items(node: Node) -> Vec<Node> {
    match node.content {
        Content::Null => Vec::new(),
        Content::List(items) => items,
        Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::Mapping(_) => vec![node],
    }
}
