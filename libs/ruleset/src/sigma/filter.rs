//! A document with `filter`: a condition more for the rules it names.

use std::ops::Range;

use super::compiler::Compiler;
use super::document::taxonomy;
use super::mapping::{Logsource, MAPPINGS};
use super::placeholders::Placeholders;
use super::plain::Plain;
use super::reader::{Reader, begin, items};
use super::{HasRegexes, compiler, detection};
use crate::Predicate;
use crate::error::{Fault, Given, quoted};
use crate::query::all_of;
use crate::rule_file::{Content, Node};

/// The most rules that one filter names.
const RULES_MAX: usize = 1_000;

/// A filter, as it was read.
pub(super) struct Filter {
    file: usize,
    logsource: Logsource,
    /// `None`: every rule that fits the log source.
    rules: Option<Vec<Given<String>>>,
    condition: Predicate,
    regexes: usize,
    at: Range<usize>,
}

/// Reads a filter. `None` if the reader has kept an error.
pub(super) fn read(reader: &mut Reader, file: usize, node: Node, placeholders: &Placeholders) -> Option<Filter> {
    let before = reader.errors.len();
    let mut entries = reader.any_mapping(node, "a filter")?;
    let logsource = reader.require(&mut entries, "logsource");
    let logsource = logsource.and_then(|node| Logsource::read(reader, node));
    let written = entries.take("filter")?;
    let taxonomy = taxonomy(reader, &mut entries);
    reader.require(&mut entries, "title");
    let at = begin(&written.at);
    let mut written = reader.any_mapping(written, "filter")?;
    let rules = reader.require(&mut written, "rules").map(|node| rules(reader, node));
    let mut compiler = Compiler::new(MAPPINGS.of_taxonomy(&taxonomy), placeholders);
    let condition = detection::detection(reader, written, &mut compiler)?;
    (reader.errors.len() == before).then_some(())?;
    let mut denies = false;
    condition.walk(&mut |part| denies |= matches!(part, Predicate::Unless(_)));
    if !denies {
        let message = "without `not` this filter keeps the events that its condition takes and drops all others: to drop \
                       these, write `not selection`";
        reader.warn(&Fault::new(at.clone(), message));
    }
    Some(Filter {
        file,
        logsource: logsource?,
        rules: rules?,
        condition,
        regexes: compiler.regexes,
        at,
    })
}

/// The rules it names; none for `any`.
fn rules(reader: &mut Reader, node: Node) -> Option<Vec<Given<String>>> {
    if let Content::Text(word) = &node.content
        && matches!(word.to_ascii_lowercase().as_str(), "any" | "all")
    {
        return None;
    }
    references(reader, node, RULES_MAX).filter(|rules| !rules.is_empty())
}

/// Ids or names of rules: a list, or one alone.
pub(super) fn references(reader: &mut Reader, node: Node, most: usize) -> Option<Vec<Given<String>>> {
    let at = node.at.clone();
    let nodes = items(node);
    if nodes.len() > most {
        reader.refuse(&Fault::new(at, format!("`rules` names at most {most} rules")));
        return None;
    }
    let mut read = Vec::new();
    for node in nodes {
        let value = compiler::scalar(&node);
        let value = reader.keep(value)?;
        read.push(Given { value, at: node.at });
    }
    Some(read)
}

impl HasRegexes for Filter {
    fn regexes(&self) -> usize {
        self.regexes
    }
}

impl Filter {
    /// Lays the condition upon every rule it reaches.
    pub(super) fn apply(&self, readers: &mut [Reader], plains: &mut [Plain]) {
        let reader = &mut readers[self.file];
        let mut reached = 0;
        for plain in plains.iter_mut() {
            let names = |rule: &Given<String>| plain.head.is_called(&rule.value);
            let is_named = self.rules.as_ref().is_none_or(|rules| rules.iter().any(names));
            if is_named && self.logsource.is_within(&plain.logsource) {
                plain.filter = all_of([plain.filter.clone(), self.condition.clone()]);
                reached += 1;
            }
        }
        for rule in self.rules.iter().flatten() {
            let named = plains.iter().find(|plain| plain.head.is_called(&rule.value));
            let message = match named {
                None => format!("there is no rule {}", quoted(&rule.value)),
                Some(plain) if !self.logsource.is_within(&plain.logsource) => {
                    format!(
                        "{} is of {}, and this filter of {}",
                        quoted(&rule.value),
                        plain.logsource,
                        self.logsource
                    )
                }
                Some(_) => continue,
            };
            reader.warn(&Fault::new(rule.at.clone(), message));
        }
        if reached == 0 {
            reader.warn(&Fault::new(self.at.clone(), "this filter reaches no rule"));
        }
    }
}
