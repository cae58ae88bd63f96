//! Sigma: rules, correlations, filters and placeholders as the Sigma specification 2.1 has them, to the typed form.
//!
//! Documents of all files are read first, because they refer to each other by id or name across files; then filters
//! are laid upon the rules they reach, and correlations take in the rules they refer to. What a rule says and this does
//! not understand is refused with its place; only keys at the top of a document, which Sigma leaves to everybody, are
//! passed over. How log sources and fields are ours is data: `sigma/logsources.yml` and `sigma/fields.yml`.

mod compiler;
mod condition;
mod correlation;
mod detection;
mod document;
mod encode;
mod expression;
mod filter;
mod mapping;
mod modifiers;
mod placeholders;
mod plain;
mod reader;
mod resolve;
mod shape;
mod text;

use std::collections::BTreeMap;

use crate::error::{Fault, RuleError, RuleWarning, Source};
use crate::query::{Query, all_of};
use crate::rule_file::{Content, Located, Node};
use crate::{Pattern, Predicate};

use compiler::Compiler;
use correlation::Correlation;
use mapping::{Logsource, MAPPINGS};
pub(crate) use placeholders::Placeholders;
use plain::Plain;
use reader::{Reader, begin};
use resolve::Resolver;

/// The longest chain of correlations that is followed; how many levels may be is checked of all rules together.
const CHAIN_MAX: usize = 8;

/// What kind of Sigma document this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rule,
    Correlation,
    Filter,
    Placeholders,
    /// Sigma 1 merged documents by this key.
    Action,
}

impl Kind {
    /// The kind of a document, or `None` if it is not Sigma's: one with `query` or `sigma` is a rule of our own.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        let Content::Mapping(entries) = &node.content else {
            return None;
        };
        let has = |wanted: &str| entries.iter().any(|(key, _)| key.value == wanted);
        let is_action = || {
            entries.iter().any(|(key, node)| {
                let Content::Text(action) = &node.content else {
                    return false;
                };
                key.value == "action" && matches!(action.as_str(), "global" | "repeat" | "reset")
            })
        };
        if has("query") || has("sigma") {
            None
        } else if is_action() {
            Some(Self::Action)
        } else if has("correlation") {
            Some(Self::Correlation)
        } else if has("filter") {
            Some(Self::Filter)
        } else if has("detection") || has("logsource") {
            Some(Self::Rule)
        } else if has("placeholders") {
            Some(Self::Placeholders)
        } else {
            None
        }
    }
}

/// The Sigma documents of all files, before they are read.
pub(crate) struct Documents<'a> {
    readers: Vec<Reader<'a>>,
    placeholders: Placeholders,
    waiting: Vec<(usize, Kind, Node)>,
}

/// What the documents make.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) located: Vec<Located>,
    pub(crate) errors: Vec<RuleError>,
    pub(crate) warnings: Vec<RuleWarning>,
}

impl<'a> Documents<'a> {
    /// Takes the Sigma documents out of those of all files.
    pub(crate) fn take(files: &mut [(Source<'a>, Vec<Node>)]) -> Self {
        let mut taken = Self {
            readers: files.iter().map(|(source, _)| Reader::new(*source)).collect(),
            placeholders: Placeholders::default(),
            waiting: Vec::new(),
        };
        for (file, (_, documents)) in files.iter_mut().enumerate() {
            for node in std::mem::take(documents) {
                match Kind::of(&node) {
                    None => documents.push(node),
                    Some(Kind::Placeholders) => taken.placeholders.add(&mut taken.readers[file], node),
                    Some(kind) => taken.waiting.push((file, kind, node)),
                }
            }
        }
        taken
    }

    /// What placeholders stand for, in every document of every file.
    pub(crate) fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// The rules that all documents together make. At most `regexes_max` regular expressions.
    pub(crate) fn make(self, regexes_max: usize, ours: &[Located]) -> Made {
        let Self {
            mut readers,
            placeholders,
            waiting,
        } = self;
        let (mut plains, mut filters, mut correlations) = (Vec::new(), Vec::new(), Vec::new());
        let mut regexes = 0;
        for (file, kind, node) in waiting {
            let reader = &mut readers[file];
            if reader.is_full() {
                continue;
            }
            let at = begin(&node.at);
            regexes += match kind {
                Kind::Rule => added(&mut plains, plain::read(reader, file, node, &placeholders)),
                Kind::Filter => added(&mut filters, filter::read(reader, file, node, &placeholders)),
                Kind::Correlation => {
                    correlations.extend(correlation::read(reader, file, node));
                    0
                }
                Kind::Action => {
                    let message = "`action` joined documents in Sigma 1: write each rule out by itself";
                    reader.refuse(&Fault::new(at.clone(), message));
                    0
                }
                Kind::Placeholders => 0,
            };
            if regexes > regexes_max {
                let message = format!("with this rule there are more than {regexes_max} regular expressions");
                reader.refuse(&Fault::new(at, message));
                break;
            }
        }
        for filter in &filters {
            filter.apply(&mut readers, &mut plains);
        }
        let located = joined(&mut readers, plains, correlations, ours);
        let mut made = Made {
            located,
            ..Made::default()
        };
        for mut reader in readers {
            made.errors.append(&mut reader.errors);
            made.warnings.append(&mut reader.warnings());
        }
        made
    }
}

/// The rules of correlations, and those rules with `detection` that have alerts of their own.
fn joined(
    readers: &mut [Reader],
    plains: Vec<Plain>,
    correlations: Vec<Correlation>,
    ours: &[Located],
) -> Vec<Located> {
    // A rule is left out if correlations refer to it, unless one of them wants its alerts, too.
    let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
    for correlation in &correlations {
        for rule in correlation.references() {
            *wanted.entry(rule.value).or_default() |= correlation.generate;
        }
    }
    let is_kept = |plain: &Plain| {
        let names = [Some(&plain.head.id), plain.head.name.as_ref()];
        let mut wanted = names
            .into_iter()
            .flatten()
            .filter_map(|name| wanted.get(name))
            .peekable();
        wanted.peek().is_none() || wanted.any(|is_wanted| *is_wanted)
    };
    let kept: Vec<bool> = plains.iter().map(is_kept).collect();
    let mut resolver = Resolver {
        plains: Resolver::index(&plains),
        ours,
        made: BTreeMap::new(),
    };
    let mut waiting = correlations;
    for _ in 0..CHAIN_MAX {
        let is_ready: Vec<bool> = waiting.iter().map(|one| resolver.is_ready(one, &waiting)).collect();
        let mut flags = is_ready.into_iter();
        let ready: Vec<_> = waiting.extract_if(.., |_| flags.next().unwrap_or(false)).collect();
        for correlation in ready {
            let reader = &mut readers[correlation.head.file];
            resolver.make(reader, correlation);
        }
    }
    for correlation in waiting {
        let message =
            format!("correlations refer to each other in a circle here, or in a chain of more than {CHAIN_MAX}");
        readers[correlation.head.file].refuse(&Fault::new(correlation.at, message));
    }
    let made = resolver.made.into_values();
    let mut located: Vec<Located> = made
        .map(|mut made| {
            made.located.rule.generates = made.is_wanted || !made.is_silenced;
            made.located
        })
        .collect();
    let plains = plains.into_iter().zip(kept).filter(|(_, is_kept)| *is_kept);
    located.extend(plains.map(|(plain, _)| plain.located(readers)));
    located
}

/// Keeps what was read, and says how many regular expressions it has.
fn added<T: HasRegexes>(kept: &mut Vec<T>, read: Option<T>) -> usize {
    let regexes = read.as_ref().map_or(0, T::regexes);
    kept.extend(read);
    regexes
}

/// A document that may have regular expressions.
trait HasRegexes {
    fn regexes(&self) -> usize;
}

/// Reads what stands under `sigma:` in a rule of our own: `detection`, and where it is known `logsource` and `taxonomy`.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn detected(source: Source, node: Node, placeholders: &Placeholders) -> Result<Query, Vec<RuleError>> {
    let mut reader = Reader::new(source);
    match detected_by(&mut reader, node, placeholders) {
        Some((predicate, regexes)) if reader.errors.is_empty() => Ok(Query {
            pattern: Pattern::Each(predicate),
            keep_alive: None,
            suppress: None,
            grace: None,
            lateness: None,
            regexes,
            warnings: reader.doubts,
        }),
        _ => Err(std::mem::take(&mut reader.errors)),
    }
}

fn detected_by(reader: &mut Reader, node: Node, placeholders: &Placeholders) -> Option<(Predicate, usize)> {
    let mut entries = reader.mapping(node, "sigma", &["logsource", "detection", "taxonomy"])?;
    let taxonomy = entries
        .take("taxonomy")
        .and_then(|node| reader.line(&node, "taxonomy", 200));
    let taxonomy = taxonomy.map_or_else(|| "sigma".to_owned(), |given| given.value);
    let events = entries.take("logsource").and_then(|node| events(reader, node));
    let events = events.map_or_else(|| Predicate::All(Vec::new()), |(_, events)| events);
    let detection = reader.require(&mut entries, "detection")?;
    let entries = reader.any_mapping(detection, "detection")?;
    let mut compiler = Compiler::new(MAPPINGS.of_taxonomy(&taxonomy), placeholders);
    let detection = detection::detection(reader, entries, &mut compiler)?;
    Some((all_of([events, detection]), compiler.regexes))
}

/// Reads a `logsource`, and says which events it means.
fn events(reader: &mut Reader, node: Node) -> Option<(Logsource, Predicate)> {
    let at = begin(&node.at);
    let logsource = Logsource::read(reader, node)?;
    let (events, warning) = MAPPINGS.events(&logsource);
    if let Some(warning) = warning {
        reader.warn(&Fault::new(at, warning));
    }
    Some((logsource, events))
}

#[cfg(test)]
mod tests;
