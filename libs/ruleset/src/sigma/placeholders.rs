//! `placeholders:`, a document that says what `%name%` stands for, and `expand`, which puts it in.

use std::collections::BTreeMap;
use std::ops::Range;

use super::compiler::scalar;
use super::reader::{Reader, items};
use super::text::pieces;
use crate::Piece;
use crate::error::{Fault, Given, nearest, quoted};
use crate::rule_file::Node;

/// The most values that one value becomes.
const EXPANDED_MAX: usize = 10_000;

/// What each placeholder of all files stands for.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    values: BTreeMap<String, Vec<String>>,
}

/// How a value is read: what lies between its placeholders, and what stands for them.
struct Reading<T> {
    text: fn(&str) -> T,
    value: fn(&str) -> T,
}

/// A piece of a value before it is expanded.
enum Part<'a> {
    Text(String),
    Name(&'a str),
}

impl Placeholders {
    /// Takes in a document.
    pub(crate) fn add(&mut self, reader: &mut Reader, node: Node) {
        let Some(mut entries) = reader.mapping(
            node,
            "a document with placeholders",
            &["placeholders", "title", "description"],
        ) else {
            return;
        };
        let Some(node) = entries.take("placeholders") else {
            return;
        };
        let Some(entries) = reader.any_mapping(node, "placeholders") else {
            return;
        };
        for (name, node) in entries.rest() {
            let read = values(&name, node);
            let Some(values) = reader.keep(read) else { continue };
            if self.values.insert(name.value.clone(), values).is_some() {
                let message = format!("the placeholder {} has its values already", quoted(&name.value));
                reader.refuse(&Fault::new(name.at, message));
            }
        }
    }

    /// The values that `written` stands for; those of a placeholder may have wildcards.
    pub(super) fn expand(
        &self,
        reader: &mut Reader,
        written: &str,
        at: &Range<usize>,
    ) -> Result<Vec<Vec<Piece>>, Fault> {
        let join = |before: &Vec<Piece>, next: &Vec<Piece>| [before.as_slice(), next].concat();
        let read = Reading {
            text: pieces,
            value: pieces,
        };
        self.combine(reader, written, at, &read, join)
    }

    /// The same, where `written` is a regular expression and the values are plain text in it.
    pub(super) fn expand_escaped(
        &self,
        reader: &mut Reader,
        written: &str,
        at: &Range<usize>,
    ) -> Result<Vec<String>, Fault> {
        let join = |before: &String, next: &String| format!("{before}{next}");
        let read = Reading {
            text: str::to_owned,
            value: regex::escape,
        };
        self.combine(reader, written, at, &read, join)
    }

    /// Every combination of the placeholders' values.
    fn combine<T: Clone + Default>(
        &self,
        reader: &mut Reader,
        written: &str,
        at: &Range<usize>,
        read: &Reading<T>,
        join: impl Fn(&T, &T) -> T,
    ) -> Result<Vec<T>, Fault> {
        let parts = parts(written);
        if !parts.iter().any(|part| matches!(part, Part::Name(_))) {
            reader.warn(&Fault::new(
                at.clone(),
                "`expand`, and there is no `%placeholder%` in this value",
            ));
        }
        let mut expanded = vec![T::default()];
        for part in parts {
            let next: Vec<T> = match part {
                Part::Text(text) => vec![(read.text)(&text)],
                Part::Name(name) => self.of(name, at)?.iter().map(|value| (read.value)(value)).collect(),
            };
            if expanded.len() * next.len() > EXPANDED_MAX {
                let message = format!("the placeholders of this value have more than {EXPANDED_MAX} combinations");
                return Err(Fault::new(at.clone(), message));
            }
            expanded = expanded
                .iter()
                .flat_map(|before| next.iter().map(|next| join(before, next)))
                .collect();
        }
        Ok(expanded)
    }

    fn of(&self, name: &str, at: &Range<usize>) -> Result<&[String], Fault> {
        self.values.get(name).map(Vec::as_slice).ok_or_else(|| {
            let meant = match nearest(name, self.values.keys().map(String::as_str)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "a document with `placeholders:` gives it a list of values".to_owned(),
            };
            Fault::new(at.clone(), format!("there is no placeholder {}: {meant}", quoted(name)))
        })
    }
}

/// The values of a placeholder: a list, or one alone.
fn values(name: &Given<String>, node: Node) -> Result<Vec<String>, Fault> {
    if name.value.is_empty() || !name.value.chars().all(is_of_a_name) {
        let message = format!("{} is no name: letters, digits, `_`, `-` and `.`", quoted(&name.value));
        return Err(Fault::new(name.at.clone(), message));
    }
    let at = node.at.clone();
    let items = items(node);
    if items.is_empty() {
        return Err(Fault::new(
            at,
            format!("the placeholder {} has no values", quoted(&name.value)),
        ));
    }
    items.iter().map(scalar).collect()
}

fn is_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

/// What of a value is text and what a placeholder. `\%` is a percent sign.
fn parts(written: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        let name = rest.strip_prefix('%').and_then(|inside| {
            let (name, _) = inside.split_once('%')?;
            (!name.is_empty() && name.chars().all(is_of_a_name)).then_some(name)
        });
        if let Some(after) = rest.strip_prefix("\\%") {
            text.push('%');
            rest = after;
        } else if let Some(name) = name {
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Name(name));
            rest = &rest[name.len() + 2..];
        } else {
            text.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    parts.push(Part::Text(text));
    parts
}
