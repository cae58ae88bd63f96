//! YAML to nodes that know where they stand, within limits that no honest rule file meets.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Error, Spanned};

use crate::error::{Fault, Given, Source, quoted};

/// The largest rule file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// The deepest nesting; reading and dropping recurse.
const DEPTH_MAX: usize = 32;
const NODES_MAX: usize = 100_000;
const DOCUMENTS_MAX: usize = 1_000;
const ANCHORS_MAX: usize = 100;
/// How often anchors are used, and how many parser events that may repeat.
const ALIASES_MAX: usize = 2_000;
const REPEATED_EVENTS_MAX: usize = 50_000;

/// A node of a YAML document and the bytes it stands at; of a list or a mapping, where it begins.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) at: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(Given<String>, Node)>),
}

/// The documents of a file. Empty ones are skipped.
///
/// # Errors
/// The first thing that is not YAML, stands twice, or is too much. Of all the rest nothing can be said then.
pub(crate) fn documents(source: Source) -> Result<Vec<Node>, Fault> {
    if source.text.len() > FILE_BYTES_MAX {
        let message = format!("a rule file has at most {FILE_BYTES_MAX} bytes, and this one has more");
        return Err(Fault::new(0..1, message));
    }
    serde_saphyr::from_multiple_with_options(source.text, options()).map_err(|error: Error| {
        let at = error.location().map_or(0, |location| {
            source.offset(as_index(location.line()), as_index(location.column()))
        });
        Fault::new(at..at + 1, reason(&error))
    })
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // `mode: off` is a word, and `no` is Norway.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_documents: DOCUMENTS_MAX,
            max_anchors: ANCHORS_MAX,
            max_aliases: ALIASES_MAX,
            max_recorded_anchor_events: REPEATED_EVENTS_MAX,
            max_merge_keys: ALIASES_MAX,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPEATED_EVENTS_MAX,
            max_replay_stack_depth: 8,
        },
    }
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of a hundred reasons a few are told in other words"
)]
fn reason(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {} stands here a second time", quoted(key))
        }
        Error::AliasError { error, .. } => reason(error),
        Error::Budget { breach, .. } => format!("this is larger or deeper than a rule file may be ({breach:?})"),
        other => {
            let told = other.to_string();
            // The place is told apart from the reason.
            let reason = told
                .rsplit_once(" at line ")
                .map_or(told.as_str(), |(reason, _)| reason);
            format!("this cannot be read as YAML: {reason}")
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            at: bytes(&spanned),
            content: spanned.value,
        })
    }
}

fn bytes<T>(spanned: &Spanned<T>) -> Range<usize> {
    let span = spanned.defined.span();
    let start = as_index(span.byte_offset().unwrap_or(0));
    start..start + as_index(span.byte_len().unwrap_or(0))
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        Number::from_f64(value)
            .map(Content::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Node>()? {
            entries.push((
                Given {
                    at: bytes(&key),
                    value: key.value,
                },
                value,
            ));
        }
        Ok(Content::Mapping(entries))
    }
}

impl Node {
    /// What it is, for a message that something else was expected.
    pub(crate) fn described(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "text",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }

    /// The same value as JSON.
    pub(crate) fn into_json(self) -> Value {
        match self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(value),
            Content::Number(value) => Value::Number(value),
            Content::Text(value) => Value::String(value),
            Content::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Content::Mapping(entries) => Value::Object(json_object(entries)),
        }
    }
}

pub(crate) fn json_object(entries: Vec<(Given<String>, Node)>) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|(key, node)| (key.value, node.into_json()))
        .collect()
}

/// Where in the file a range of bytes of a scalar's value was written.
///
/// Quotes, escapes, folding and indentation lie between the two. The characters of the value that are no space stand
/// in the file in the same order, so each is found after the one before it; an escaped one (`\u0041`) is passed over.
pub(crate) fn locate(source: &str, scalar: &Given<String>, inside: &Range<usize>) -> Range<usize> {
    let written = source.get(scalar.at.clone()).unwrap_or_default();
    let (mut from, mut start) = (0, None);
    for (at, character) in scalar
        .value
        .char_indices()
        .filter(|(_, character)| !character.is_whitespace())
    {
        if at >= inside.end {
            break;
        }
        let Some(found) = written[from..].find(character) else {
            continue;
        };
        if at >= inside.start && start.is_none() {
            start = Some(from + found);
        }
        from += found + character.len_utf8();
    }
    let start = start.unwrap_or(from);
    scalar.at.start + start..scalar.at.start + from.max(start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Node>, (usize, String)> {
        let source = Source { file: "f", text };
        documents(source).map_err(|fault| (source.place(&fault.at).line, fault.message))
    }

    /// Where `needle` of the value of `q` is found in the file.
    fn located(text: &str, needle: &str) -> String {
        let documents = read(text).expect("it is YAML");
        let Content::Mapping(entries) = &documents[0].content else {
            panic!("it is a mapping")
        };
        let Content::Text(value) = &entries[0].1.content else {
            panic!("it is text")
        };
        let start = value.find(needle).expect("it is in the value");
        let scalar = Given {
            value: value.clone(),
            at: entries[0].1.at.clone(),
        };
        let at = locate(text, &scalar, &(start..start + needle.len()));
        format!("{}:{}", at.start, &text[at.clone()])
    }

    #[test]
    fn a_place_in_a_value_is_found_in_every_style_of_scalar() {
        assert_eq!(located("q: aa bb | cc\n", "cc"), "11:cc");
        assert_eq!(located("q: 'it''s | cc'\n", "cc"), "12:cc");
        assert_eq!(located("q: \"a \\\"b\\\" | cc\"\n", "cc"), "14:cc");
        assert_eq!(located("q: |\n  aa\n  bb | cc\n", "cc"), "17:cc");
        assert_eq!(located("q: >-\n  aa\n\n  bb | cc\n", "bb | cc"), "14:bb | cc");
        assert_eq!(located("q: aa\n  bb | cc\n", "cc"), "13:cc");
        assert_eq!(located("q: ü bb\n", "bb"), "6:bb");
    }

    #[test]
    fn words_that_look_like_something_else_stay_words() {
        let documents = read("[no, off, yes, 007, 1_000, 2026-01-01T00:00:00Z, 1.5, true]").expect("it is YAML");
        let json: Vec<_> = documents.into_iter().map(Node::into_json).collect();
        assert_eq!(
            json,
            [serde_json::json!([
                "no",
                "off",
                "yes",
                "007",
                "1_000",
                "2026-01-01T00:00:00Z",
                1.5,
                true
            ])]
        );
    }

    #[test]
    fn what_is_no_honest_yaml_is_refused_at_its_line() {
        let deep = "[".repeat(40);
        let huge = "a".repeat(FILE_BYTES_MAX + 1);
        let laughs = bomb(9);
        let cases = [
            ("a: 1\na: 2\n", 2, "the key `a` stands here a second time"),
            ("a:\n\tb: 1\n", 2, "tabs"),
            ("a: &x [1]\nb: *x\n---\nc: *x\n", 4, "unknown anchor"),
            ("a: &a [*a]\n", 1, "recursive"),
            ("a: !!python/object:os.system x\n", 1, "tag"),
            ("a: \"unclosed\n", 2, "quoted scalar"),
            ("[a]: y\n", 1, "string scalar"),
            ("a: .nan\n", 1, "finite"),
            (&deep, 1, "recursion limit"),
            (&huge, 1, "at most 1048576 bytes"),
            (&laughs, 6, "larger or deeper"),
        ];
        for (text, line, reason) in cases {
            let (found, message) = read(text).expect_err(reason);
            assert_eq!(found, line, "{message}");
            assert!(
                message.to_lowercase().contains(reason),
                "{message} does not say {reason}"
            );
        }
    }

    /// Ten aliases of ten aliases of …, `levels` deep.
    fn bomb(levels: usize) -> String {
        let mut text = "a0: &a0 lol\n".to_owned();
        for level in 1..=levels {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        }
        text
    }
}
