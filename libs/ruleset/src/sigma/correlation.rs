//! A document with `correlation`: how it is written. What it means is in `resolve.rs`.

use std::ops::Range;
use std::time::Duration;

use super::document::Head;
use super::expression::mentioned;
use super::filter::references;
use super::reader::{Entries, Reader, begin, items};
use crate::error::{Fault, Given, quoted, suggestion};
use crate::query::{KEY_FIELDS_MAX, WINDOW, duration};
use crate::rule_file::{Content, Node};
use crate::{Comparison, Limit};

/// The most rules that one correlation refers to.
const RULES_MAX: usize = 100;
/// The most fields whose values are counted together.
const VALUE_FIELDS_MAX: usize = 8;

const KEYS: [&str; 7] = [
    "type",
    "rules",
    "group-by",
    "timespan",
    "condition",
    "aliases",
    "generate",
];

/// The types, and what each does.
const TYPES: [(&str, Type); 8] = [
    ("event_count", Type::EventCount),
    ("value_count", Type::ValueCount),
    ("temporal", Type::Temporal),
    ("temporal_ordered", Type::TemporalOrdered),
    ("value_sum", Type::Sum),
    ("value_avg", Type::Average),
    ("value_percentile", Type::Percentile),
    ("value_median", Type::Median),
];

const COMPARISONS: [(&str, Comparison); 6] = [
    ("gt", Comparison::Greater),
    ("gte", Comparison::GreaterOrEqual),
    ("lt", Comparison::Less),
    ("lte", Comparison::LessOrEqual),
    ("eq", Comparison::Equal),
    ("neq", Comparison::NotEqual),
];

/// What a correlation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    Sum,
    Average,
    Percentile,
    Median,
}

/// When a correlation holds.
#[derive(Default)]
pub(super) struct Condition {
    pub(super) limits: Vec<Limit>,
    pub(super) fields: Vec<Given<String>>,
    pub(super) percentile: Option<f64>,
    /// Of a temporal one: which of its rules, `a and not b`.
    pub(super) expression: Option<Given<String>>,
}

/// Another name of a field, which stands for a field of each rule.
pub(super) struct Alias {
    pub(super) name: Given<String>,
    /// Rule, and the field in its events.
    pub(super) fields: Vec<(Given<String>, String)>,
}

/// A correlation, as it was read.
pub(super) struct Correlation {
    pub(super) head: Head,
    pub(super) kind: Given<Type>,
    pub(super) rules: Vec<Given<String>>,
    pub(super) group_by: Vec<Given<String>>,
    pub(super) timespan: Duration,
    pub(super) condition: Condition,
    pub(super) condition_at: Range<usize>,
    pub(super) aliases: Vec<Alias>,
    /// Whether the rules it refers to have alerts of their own.
    pub(super) generate: bool,
    pub(super) at: Range<usize>,
}

impl Correlation {
    /// The rules it is about, as it names them.
    pub(super) fn references(&self) -> Vec<Given<String>> {
        match &self.condition.expression {
            Some(expression) => mentioned(expression),
            None => self.rules.clone(),
        }
    }
}

/// Reads a correlation. `None` if the reader has kept an error.
pub(super) fn read(reader: &mut Reader, file: usize, node: Node) -> Option<Correlation> {
    let before = reader.errors.len();
    let mut entries = reader.any_mapping(node, "a correlation")?;
    let written = entries.take("correlation")?;
    let outer = entries.take("generate").is_some_and(|node| flag(reader, &node));
    let head = Head::read(reader, file, &mut entries);
    let at = begin(&written.at);
    let mut written = reader.mapping(written, "correlation", &KEYS)?;
    let kind = reader
        .require(&mut written, "type")
        .and_then(|node| kind(reader, &node));
    let timespan = reader.require(&mut written, "timespan");
    let timespan = timespan.and_then(|node| timespan_of(reader, &node));
    let group_by = written
        .take("group-by")
        .map(|node| lines(reader, node, "group-by", KEY_FIELDS_MAX));
    let aliases = written.take("aliases").map(|node| aliases(reader, node));
    let (condition_at, condition) = match written.take("condition") {
        Some(node) => (begin(&node.at), Some(condition(reader, node))),
        None => (at.clone(), None),
    };
    let generate = written.take("generate").is_some_and(|node| flag(reader, &node));
    let kind = kind?;
    let rules = rules(reader, &mut written, condition.as_ref());
    if condition.is_none() && !matches!(kind.value, Type::Temporal | Type::TemporalOrdered) {
        reader.refuse(&Fault::new(at.clone(), "`condition` is missing"));
    }
    (reader.errors.len() == before).then_some(())?;
    Some(Correlation {
        head: head?,
        kind,
        rules: rules?,
        group_by: group_by.unwrap_or_default(),
        timespan: timespan?,
        condition: condition.unwrap_or_default(),
        condition_at,
        aliases: aliases.unwrap_or_default(),
        generate: generate || outer,
        at,
    })
}

/// The rules it refers to; an extended condition names them itself.
fn rules(reader: &mut Reader, written: &mut Entries, condition: Option<&Condition>) -> Option<Vec<Given<String>>> {
    let at = begin(&written.at);
    let Some(node) = written.take("rules") else {
        if condition.is_some_and(|condition| condition.expression.is_some()) {
            return Some(Vec::new());
        }
        reader.refuse(&Fault::new(at, "`rules` is missing"));
        return None;
    };
    let at = begin(&node.at);
    let rules = references(reader, node, RULES_MAX)?;
    if rules.is_empty() {
        reader.refuse(&Fault::new(at, "`rules` names no rule"));
        return None;
    }
    for (index, rule) in rules.iter().enumerate() {
        if rules[..index].iter().any(|before| before.value == rule.value) {
            let message = format!("{} stands here a second time", quoted(&rule.value));
            reader.refuse(&Fault::new(rule.at.clone(), message));
        }
    }
    Some(rules)
}

fn flag(reader: &mut Reader, node: &Node) -> bool {
    if let Content::Bool(flag) = node.content {
        return flag;
    }
    let message = format!("`generate` is true or false, not {}", node.described());
    reader.refuse(&Fault::new(node.at.clone(), message));
    false
}

fn kind(reader: &mut Reader, node: &Node) -> Option<Given<Type>> {
    let Given { value: name, at } = reader.line(node, "type", 100)?;
    let found = TYPES.iter().find(|(known, _)| *known == name);
    let names = TYPES.map(|(name, _)| name);
    let read = found
        .map(|(_, kind)| Given {
            value: *kind,
            at: at.clone(),
        })
        .ok_or_else(|| {
            let message = format!(
                "{} is not a type of correlation{}",
                quoted(&name),
                suggestion(&name, &names)
            );
            Fault::new(at, message)
        });
    reader.keep(read)
}

/// `5m`; weeks are written as such by some tools.
fn timespan_of(reader: &mut Reader, node: &Node) -> Option<Duration> {
    let Given { value, at } = reader.line(node, "timespan", 100)?;
    let weeks = value.strip_suffix('w').and_then(|weeks| weeks.parse::<u32>().ok());
    let in_days = weeks.map(|weeks| format!("{}d", u64::from(weeks) * 7));
    let read = duration(in_days.as_ref().unwrap_or(&value), &at, &WINDOW);
    reader.keep(read)
}

/// Names of fields: a list, or one alone.
fn lines(reader: &mut Reader, node: Node, name: &str, most: usize) -> Vec<Given<String>> {
    let at = begin(&node.at);
    let nodes = items(node);
    if nodes.len() > most {
        reader.refuse(&Fault::new(at, format!("`{name}` has at most {most} fields")));
        return Vec::new();
    }
    nodes.iter().filter_map(|node| reader.line(node, name, 200)).collect()
}

fn aliases(reader: &mut Reader, node: Node) -> Vec<Alias> {
    let Some(entries) = reader.any_mapping(node, "aliases") else {
        return Vec::new();
    };
    let mut read = Vec::new();
    for (name, node) in entries.rest() {
        let Some(rules) = reader.any_mapping(node, &name.value) else {
            continue;
        };
        let field = |(rule, node): (Given<String>, Node)| Some((rule, reader.line(&node, "field", 200)?.value));
        let fields = rules.rest().into_iter().filter_map(field).collect();
        read.push(Alias { name, fields });
    }
    read
}

fn condition(reader: &mut Reader, node: Node) -> Condition {
    if matches!(node.content, Content::Text(_)) {
        return Condition {
            expression: reader.line(&node, "condition", 4_096),
            ..Condition::default()
        };
    }
    let known: Vec<&str> = COMPARISONS
        .iter()
        .map(|(name, _)| *name)
        .chain(["field", "percentile"])
        .collect();
    let at = begin(&node.at);
    let Some(mut entries) = reader.mapping(node, "condition", &known) else {
        return Condition::default();
    };
    let fields = entries
        .take("field")
        .map(|node| lines(reader, node, "field", VALUE_FIELDS_MAX));
    let percentile = entries.take("percentile").and_then(|node| number(reader, &node));
    let mut limits = Vec::new();
    for (name, comparison) in COMPARISONS {
        let value = entries.take(name).and_then(|node| number(reader, &node));
        limits.extend(value.map(|value| Limit { comparison, value }));
    }
    if limits.is_empty() {
        let message = "a condition compares by one of gt, gte, lt, lte, eq, neq";
        reader.refuse(&Fault::new(at, message));
    }
    Condition {
        limits,
        fields: fields.unwrap_or_default(),
        percentile,
        expression: None,
    }
}

fn number(reader: &mut Reader, node: &Node) -> Option<f64> {
    let read = super::compiler::number(node);
    reader.keep(read)
}
