//! One key on its way from what is written to what is true.

use std::ops::RangeInclusive;

use super::kind::Kind;
use super::problem::Origin;
use super::reader::Reader;
use super::report::{Entry, Form, Shown};

/// A key that has been named; what it is when nothing is written ends the sentence.
#[must_use = "a key is read by `default`, `required` or `optional`"]
pub struct Key<'r, 'a, T> {
    reader: &'r mut Reader<'a>,
    name: String,
    purpose: &'static str,
    kind: Kind<T>,
    accept: Vec<Accept<T>>,
    example: Option<T>,
    depends: Option<String>,
}

/// Says what is wrong with a value that has the right type.
type Accept<T> = Box<dyn Fn(&T) -> Result<(), String>>;

impl<'a> Reader<'a> {
    pub(super) fn key<T>(&mut self, name: &str, purpose: &'static str, kind: Kind<T>) -> Key<'_, 'a, T> {
        Key {
            reader: self,
            name: name.to_owned(),
            purpose,
            kind,
            accept: Vec::new(),
            example: None,
            depends: None,
        }
    }
}

impl<T: 'static> Key<'_, '_, T> {
    /// Refuses what lies outside, both ends being allowed.
    pub fn range(mut self, range: RangeInclusive<T>) -> Self
    where
        T: PartialOrd,
    {
        let show = &self.kind.show;
        let bounds = format!("from {} to {}", show(range.start()), show(range.end()));
        self.kind.name = format!("{} {bounds}", self.kind.name);
        self.accept(move |value| {
            if range.contains(value) {
                Ok(())
            } else {
                Err(format!("must be {bounds}"))
            }
        })
    }

    /// Refuses what the given function finds wrong; its message begins with a lowercase letter.
    pub fn accept(mut self, accept: impl Fn(&T) -> Result<(), String> + 'static) -> Self {
        self.accept.push(Box::new(accept));
        self
    }

    /// What the reference shows as something to write, where there is no default or it says little.
    ///
    /// # Panics
    /// When the key is read, if the example would be refused, had the operator written it.
    pub fn example(mut self, example: impl Into<T>) -> Self {
        self.example = Some(example.into());
        self
    }

    /// What the reference says of a default that other keys decide.
    pub fn depends(mut self, depends: impl Into<String>) -> Self {
        self.depends = Some(depends.into());
        self
    }

    /// The value, or the given one when nothing is written.
    ///
    /// # Panics
    /// If the default would be refused, had the operator written it.
    pub fn default(self, default: impl Into<T>) -> T {
        let default = default.into();
        self.must_be_right("default", &default);
        let shown = (self.kind.show)(&default);
        let found = self.read(Some(shown), false);
        found.value.unwrap_or(default)
    }

    /// The value; it is a mistake to write none.
    pub fn required(self) -> T {
        let found = self.read(None, true);
        found.value.unwrap_or(found.stand_in)
    }

    /// The value, if one is written.
    pub fn optional(self) -> Option<T> {
        self.read(None, false).value
    }

    fn refusal(&self, value: &T) -> Option<String> {
        self.accept.iter().find_map(|accept| accept(value).err())
    }

    fn must_be_right(&self, role: &str, value: &T) {
        if let Some(refusal) = self.refusal(value) {
            panic!("the {role} of {} {refusal}", self.reader.path_of(&self.name));
        }
    }

    fn read(self, default: Option<String>, required: bool) -> Found<T> {
        if let Some(example) = &self.example {
            self.must_be_right("example", example);
        }
        let node = self.reader.ask(&self.name);
        let value = node.and_then(|node| {
            let checked = match (self.kind.parse)(&node.written) {
                Err(expected) => Err(format!("expected {expected}, found {}", node.written.found())),
                Ok(value) => match self.refusal(&value) {
                    Some(refusal) => Err(format!("{refusal}, found {}", node.written.found())),
                    None => Ok(value),
                },
            };
            checked.map_err(|message| self.reader.problem(&self.name, message)).ok()
        });
        if node.is_none() && required {
            self.reader.missing(&self.name, None);
        }
        let shown = match (&value, &default) {
            (Some(value), _) => Shown::Value((self.kind.show)(value)),
            (None, Some(default)) => Shown::Value(default.clone()),
            (None, None) => Shown::Unset,
        };
        let origin = node.map_or(Origin::Default, |node| node.origin.clone());
        let example = self.example.as_ref().map(|example| (self.kind.show)(example));
        self.reader.book.entries.push(Entry {
            default,
            depends: self.depends,
            example,
            required,
            origin,
            ..self
                .reader
                .entry(self.name, Form::Key, self.purpose.into(), self.kind.name, shown)
        });
        Found {
            value,
            stand_in: self.kind.stand_in,
        }
    }
}

impl Key<'_, '_, String> {
    /// Refuses every other word. For words that are known only when the program runs; else there is
    /// [`Reader::choice`].
    pub fn one_of(mut self, words: &[&str]) -> Self {
        let expected = format!("one of {}", words.join(", "));
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.kind.name.clone_from(&expected);
        self.accept(move |word| {
            if words.contains(word) {
                Ok(())
            } else {
                Err(format!("must be {expected}"))
            }
        })
    }
}

impl Key<'_, '_, Vec<String>> {
    /// Refuses a list with any other word.
    pub fn each_of(mut self, words: &[&str]) -> Self {
        let known = words.join(", ");
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.kind.name = format!("list of some of {known}");
        self.accept(move |list| match list.iter().find(|word| !words.contains(word)) {
            None => Ok(()),
            Some(word) => Err(format!("`{word}` is not one of {known}")),
        })
    }
}

struct Found<T> {
    value: Option<T>,
    stand_in: T,
}
