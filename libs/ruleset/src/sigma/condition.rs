//! The condition of a detection: `selection and not 1 of filter_*`.

use std::ops::Range;

use crate::Predicate;
use crate::error::{Fault, Given, quoted, suggestion};
use crate::query::{all_of, any_of};

/// The longest condition, in bytes.
const CONDITION_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of parentheses and `not`.
const DEPTH_MAX: usize = 64;
/// The most conditions that the selections of a rule amount to, each counted wherever it is named.
const SIZE_MAX: usize = 100_000;

/// The selections of a detection, and which of them were asked for.
pub(super) struct Selections {
    named: Vec<Selection>,
    size: usize,
}

struct Selection {
    name: Given<String>,
    predicate: Predicate,
    size: usize,
    is_used: bool,
}

impl Selections {
    pub(super) fn new() -> Self {
        Self {
            named: Vec::new(),
            size: 0,
        }
    }

    pub(super) fn add(&mut self, name: Given<String>, predicate: Predicate) {
        let mut size = 0;
        predicate.walk(&mut |_| size += 1);
        self.named.push(Selection {
            name,
            predicate,
            size,
            is_used: false,
        });
    }

    /// Those that no condition asks for.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Given<String>> {
        let unused = self.named.iter().filter(|selection| !selection.is_used);
        unused.map(|selection| &selection.name)
    }

    /// The selections whose names fit; none is a fault.
    fn take(&mut self, at: &Range<usize>, fits: impl Fn(&str) -> bool) -> Result<Vec<Predicate>, Fault> {
        let mut taken = Vec::new();
        for selection in self.named.iter_mut().filter(|selection| fits(&selection.name.value)) {
            selection.is_used = true;
            self.size += selection.size;
            if self.size > SIZE_MAX {
                let message = format!("with this the rule has more than {SIZE_MAX} conditions");
                return Err(Fault::new(at.clone(), message));
            }
            taken.push(selection.predicate.clone());
        }
        Ok(taken)
    }

    fn names(&self) -> Vec<&str> {
        self.named
            .iter()
            .map(|selection| selection.name.value.as_str())
            .collect()
    }
}

/// Reads a condition. Places are within its text.
///
/// # Errors
/// The first thing that is none, or names nothing.
pub(super) fn condition(text: &str, selections: &mut Selections) -> Result<Predicate, Fault> {
    if text.len() > CONDITION_BYTES_MAX {
        let message = format!("a condition has at most {CONDITION_BYTES_MAX} bytes");
        return Err(Fault::new(0..1, message));
    }
    let words = words(text);
    if let Some(bar) = words.iter().find(|word| word.value.starts_with('|')) {
        return Err(Fault::new(
            bar.at.clone(),
            "aggregations in a condition are of Sigma 1: write a second document with `correlation:` (`event_count` for \
             `count()`, `value_count` for `count(field)`), which names this rule",
        ));
    }
    if let Some(near) = words.iter().find(|word| word.value == "near") {
        let message = "`near` is of Sigma 1: write a second document with `correlation:` of type `temporal`";
        return Err(Fault::new(near.at.clone(), message));
    }
    let mut parser = Parser {
        words: &words,
        end: text.trim_end().len(),
        selections,
    };
    let read = parser.any(0)?;
    match parser.words.first() {
        None => Ok(read),
        Some(word) => {
            let message = format!(
                "`and`, `or` or the end of the condition is expected here, not {}",
                quoted(&word.value)
            );
            Err(Fault::new(word.at.clone(), message))
        }
    }
}

/// Words, and parentheses and bars by themselves.
pub(super) fn words(text: &str) -> Vec<Given<String>> {
    let mut words: Vec<Given<String>> = Vec::new();
    let mut is_word = false;
    for (at, character) in text.char_indices() {
        let alone = matches!(character, '(' | ')' | '|');
        if character.is_whitespace() {
            is_word = false;
            continue;
        }
        let end = at + character.len_utf8();
        match words.last_mut() {
            Some(word) if is_word && !alone => {
                word.value.push(character);
                word.at.end = end;
            }
            _ => words.push(Given {
                value: character.to_string(),
                at: at..end,
            }),
        }
        is_word = !alone;
    }
    words
}

struct Parser<'w, 's> {
    words: &'w [Given<String>],
    end: usize,
    selections: &'s mut Selections,
}

impl Parser<'_, '_> {
    /// Takes the next word if it is this one.
    fn takes(&mut self, wanted: &str) -> bool {
        let is_next = self
            .words
            .first()
            .is_some_and(|word| word.value.eq_ignore_ascii_case(wanted));
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    fn here(&self) -> Range<usize> {
        let end = self.end..self.end + 1;
        self.words.first().map_or(end, |word| word.at.clone())
    }

    fn any(&mut self, depth: usize) -> Result<Predicate, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("or") {
            parts.push(self.all(depth)?);
        }
        Ok(any_of(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Predicate, Fault> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(all_of(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Predicate, Fault> {
        if depth > DEPTH_MAX {
            let message = format!("conditions are nested at most {DEPTH_MAX} deep");
            return Err(Fault::new(self.here(), message));
        }
        if self.takes("not") {
            return Ok(Predicate::Unless(Box::new(self.one(depth + 1)?)));
        }
        let open = self.here();
        if self.takes("(") {
            let inside = self.any(depth + 1)?;
            if !self.takes(")") {
                return Err(Fault::new(open, "this parenthesis is never closed"));
            }
            return Ok(inside);
        }
        self.named()
    }

    /// A selection by its name, or several by a pattern.
    fn named(&mut self) -> Result<Predicate, Fault> {
        let at = self.here();
        let Some((word, rest)) = self.words.split_first() else {
            return Err(Fault::new(at, "the name of a selection is missing here"));
        };
        let is_keyword = ["and", "or", "of", "(", ")"]
            .iter()
            .any(|keyword| word.value.eq_ignore_ascii_case(keyword));
        if is_keyword {
            let message = format!("the name of a selection is expected here, not {}", quoted(&word.value));
            return Err(Fault::new(at, message));
        }
        self.words = rest;
        if rest.first().is_some_and(|next| next.value.eq_ignore_ascii_case("of")) {
            return self.quantified(word);
        }
        let taken = self.selections.take(&at, |name| name == word.value)?;
        if taken.is_empty() {
            let names = self.selections.names();
            let message = format!(
                "there is no selection {}{}",
                quoted(&word.value),
                suggestion(&word.value, &names)
            );
            return Err(Fault::new(at, message));
        }
        Ok(all_of(taken))
    }

    /// `1 of them`, `all of selection_*`.
    fn quantified(&mut self, quantifier: &Given<String>) -> Result<Predicate, Fault> {
        self.takes("of");
        let join: fn(Vec<Predicate>) -> Predicate = match quantifier.value.to_ascii_lowercase().as_str() {
            "1" | "any" => any_of,
            "all" => all_of,
            _ => {
                let message = format!("`1 of` or `all of`: {} is neither", quoted(&quantifier.value));
                return Err(Fault::new(quantifier.at.clone(), message));
            }
        };
        let at = self.here();
        let Some((pattern, rest)) = self.words.split_first() else {
            return Err(Fault::new(
                at,
                "`them` or a pattern such as `selection_*` is missing here",
            ));
        };
        self.words = rest;
        let taken = if pattern.value.eq_ignore_ascii_case("them") {
            self.selections.take(&at, |name| !name.starts_with('_'))?
        } else {
            self.selections.take(&at, |name| fits(&pattern.value, name))?
        };
        if taken.is_empty() {
            let message = format!("no selection is named like {}", quoted(&pattern.value));
            return Err(Fault::new(at, message));
        }
        Ok(join(taken))
    }
}

/// Whether a name fits a pattern in which `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = rest.split('*').collect();
    let (last, middle) = parts.split_last().expect("split gives at least one");
    for part in middle {
        let Some(found) = left.find(part) else { return false };
        left = &left[found + part.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_names_with_stars_anywhere() {
        for (pattern, name, expected) in [
            ("sel*", "selection", true),
            ("sel*", "other", false),
            ("*_x", "a_x", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*a", "a", false),
            ("a", "a", true),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
