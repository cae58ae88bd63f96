use super::keys::{Key, Presence, Shape};
use super::yaml::{Content, Node, locate};
use crate::error::{Fault, Given, RuleError, Source, quoted, suggestion};
use crate::query::duration;

/// How many errors, and how many warnings, are told of one file.
pub(crate) const TOLD_MAX: usize = 100;

/// The longest text where the form of it says more than its length.
const WORD_BYTES_MAX: usize = 500;

/// Collects what is wrong with a file while it is read.
pub(crate) struct Reader<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) errors: Vec<RuleError>,
}

/// The entries of a mapping that have not been taken yet.
pub(crate) struct Entries {
    left: Vec<(Given<String>, Node)>,
    keys: &'static [Key],
}

/// What stands under a key, or is an item of the list there.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) shape: &'static Shape,
    pub(crate) node: Node,
}

impl Entries {
    pub(crate) fn take(&mut self, name: &str) -> Option<Entry> {
        let found = self.left.iter().position(|(given, _)| given.value == name)?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        Some(Entry {
            name: key.name,
            shape: &key.shape,
            node: self.left.remove(found).1,
        })
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            errors: Vec::new(),
        }
    }

    /// Keeps an error. Of very many the rest is not told: to place each costs a walk through the file.
    pub(crate) fn refuse(&mut self, fault: &Fault) {
        if self.errors.len() < TOLD_MAX {
            self.errors.push(self.source.error(fault));
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

    pub(crate) fn unexpected(&mut self, node: &Node, name: &str, expected: &str) {
        let message = format!("{} is {expected}, not {}", quoted(name), node.described());
        self.refuse(&Fault::new(node.at.clone(), message));
    }

    /// The entries of a mapping, all of which stand in `keys`; the required ones are there, or their lack is kept.
    pub(crate) fn mapping(&mut self, node: Node, name: &str, keys: &'static [Key]) -> Option<Entries> {
        let Content::Mapping(entries) = node.content else {
            self.unexpected(&node, name, "a mapping");
            return None;
        };
        let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
        let unknown = entries.iter().filter(|(key, _)| !known.contains(&key.value.as_str()));
        for (key, _) in unknown.take(TOLD_MAX) {
            let message = format!("unknown key {}{}", quoted(&key.value), suggestion(&key.value, &known));
            self.refuse(&Fault::new(key.at.clone(), message));
        }
        let begin = node.at.start..node.at.start + 1;
        for key in keys.iter().filter(|key| key.presence == Presence::Required) {
            if !entries.iter().any(|(given, _)| given.value == key.name) {
                self.refuse(&Fault::new(begin.clone(), format!("{} is missing", quoted(key.name))));
            }
        }
        Some(Entries { left: entries, keys })
    }

    /// The items of a list, at most as many as its shape says.
    pub(crate) fn list(&mut self, entry: Entry) -> Option<Vec<Entry>> {
        let Entry { name, shape, node } = entry;
        let Shape::List(of, most) = shape else {
            unreachable!("`{name}` is read as the list that the table says it is");
        };
        let Content::List(items) = node.content else {
            self.unexpected(&node, name, "a list");
            return None;
        };
        if items.len() > *most {
            self.refuse(&Fault::new(
                node.at,
                format!("{} has at most {most} entries", quoted(name)),
            ));
            return None;
        }
        let item = |node| Entry { name, shape: of, node };
        Some(items.into_iter().map(item).collect())
    }

    /// Text as long as the shape allows: one line without control characters, unless the shape is of several.
    pub(crate) fn text(&mut self, entry: Entry) -> Option<Given<String>> {
        if let Shape::Text(bytes_max) = entry.shape {
            self.any_text(entry.node, entry.name, *bytes_max)
        } else if let Shape::Line(bytes_max) = entry.shape {
            self.line(entry.node, entry.name, *bytes_max)
        } else {
            self.line(entry.node, entry.name, WORD_BYTES_MAX)
        }
    }

    /// Which of the words of its shape it is.
    pub(crate) fn one_of(&mut self, entry: Entry) -> Option<usize> {
        let name = entry.name;
        let Shape::OneOf(words) = entry.shape else {
            unreachable!("`{name}` is read as one of the words that the table has for it");
        };
        let given = self.text(entry)?;
        let found = words.iter().position(|word| *word == given.value);
        if found.is_none() {
            let message = format!(
                "{} is not a {name}{}",
                quoted(&given.value),
                suggestion(&given.value, words)
            );
            self.refuse(&Fault::new(given.at, message));
        }
        found
    }

    /// A span of time within the bounds of its shape.
    pub(crate) fn span(&mut self, entry: Entry) -> Option<Given<std::time::Duration>> {
        let Shape::Span(bounds) = entry.shape else {
            unreachable!("`{}` is read as the span that the table says it is", entry.name);
        };
        let Given { value, at } = self.text(entry)?;
        let read = duration(&value, &at, bounds);
        self.keep(read).map(|value| Given { value, at })
    }

    /// Text of 1 to `bytes_max` bytes without control characters; a folded scalar's last line end is not part of it.
    pub(crate) fn line(&mut self, node: Node, name: &str, bytes_max: usize) -> Option<Given<String>> {
        let given = self.any_text(node, name, bytes_max)?;
        if given.value.chars().any(char::is_control) {
            let message = format!("{} is one line without control characters", quoted(name));
            self.refuse(&Fault::new(given.at, message));
            return None;
        }
        Some(given)
    }

    /// Text of 1 to `bytes_max` bytes, of any number of lines.
    fn any_text(&mut self, node: Node, name: &str, bytes_max: usize) -> Option<Given<String>> {
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
}
