//! A selection of a detection (field, modifiers, values) to a [`Predicate`].

use std::ops::Range;

use ipnet::IpNet;
use serde_json::Number;

use super::encode::{DASHES_MAX, Encoding, dash_count, dashed_expression, encode};
use super::mapping::Mapping;
use super::modifiers::{Chain, Kind, Position};
use super::placeholders::Placeholders;
use super::reader::Reader;
use super::text::{pieces, plain};
use crate::error::{Fault, Given, quoted};
use crate::query::{all_of, any_of};
use crate::rule_file::{Content, Node};
use crate::{CalendarPart, Comparison, Literal, Piece, Predicate, RegexPattern, Relation, Test, TextPattern};

/// The most tests of one rule, after its values were expanded.
const TESTS_MAX: usize = 20_000;

/// The most regular expressions of one rule.
const REGEX_COUNT_MAX: usize = 100;

/// The longest name of a field, in bytes.
const FIELD_BYTES_MAX: usize = 200;

/// Whole numbers up to here are told apart by a number of the rule language; longer ones are compared as text.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads the selections of one rule, and counts what they cost.
pub(super) struct Compiler<'a> {
    mapping: &'a Mapping,
    placeholders: &'a Placeholders,
    tests: usize,
    pub(super) regexes: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(mapping: &'a Mapping, placeholders: &'a Placeholders) -> Self {
        Self {
            mapping,
            placeholders,
            tests: 0,
            regexes: 0,
        }
    }

    /// A selection: a mapping of fields to values, all of which hold; or a list of mappings and keywords, one of which
    /// does. `None` if the reader has kept an error.
    pub(super) fn selection(&mut self, reader: &mut Reader, name: &str, node: Node) -> Option<Predicate> {
        let at = node.at.clone();
        let read = match node.content {
            Content::Mapping(entries) => self.fields(reader, name, entries, &at)?,
            Content::List(items) if items.is_empty() => {
                reader.refuse(&Fault::new(at, format!("{} selects nothing", quoted(name))));
                return None;
            }
            Content::List(items) => {
                let before = reader.errors.len();
                let mut parts = Vec::new();
                for item in items {
                    let at = item.at.clone();
                    parts.extend(match item.content {
                        Content::Mapping(entries) => self.fields(reader, name, entries, &at),
                        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::List(_) => {
                            self.values(reader, &Chain::keywords(), vec![item])
                        }
                    });
                }
                if reader.errors.len() > before {
                    return None;
                }
                any_of(parts)
            }
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => {
                self.values(reader, &Chain::keywords(), vec![node])?
            }
        };
        Some(read)
    }

    /// The fields of a mapping: all of them hold.
    fn fields(
        &mut self,
        reader: &mut Reader,
        name: &str,
        entries: Vec<(Given<String>, Node)>,
        at: &Range<usize>,
    ) -> Option<Predicate> {
        if entries.is_empty() {
            reader.refuse(&Fault::new(at.clone(), format!("{} selects nothing", quoted(name))));
            return None;
        }
        let before = reader.errors.len();
        let mut parts = Vec::new();
        for (key, value) in entries {
            parts.extend(self.field(reader, &key, value));
        }
        (reader.errors.len() == before).then(|| all_of(parts))
    }

    /// One field with its modifiers and values.
    fn field(&mut self, reader: &mut Reader, key: &Given<String>, value: Node) -> Option<Predicate> {
        let chain = Chain::parse(&key.value).map_err(|fault| reader.within(key, &fault));
        let chain = reader.keep(chain)?;
        if chain.field.len() > FIELD_BYTES_MAX || chain.field.chars().any(char::is_control) {
            let message = format!("a field name has at most {FIELD_BYTES_MAX} bytes and no control characters");
            reader.refuse(&Fault::new(key.at.clone(), message));
            return None;
        }
        if chain.field.is_empty() && !matches!(chain.kind, Kind::Text(_) | Kind::Expression) {
            let message = "keywords are searched for in the whole event: this modifier needs a field";
            reader.refuse(&Fault::new(key.at.clone(), message));
            return None;
        }
        let at = value.at.clone();
        let values = match value.content {
            Content::List(items) => items,
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) | Content::Mapping(_) => {
                vec![value]
            }
        };
        if values.is_empty() {
            reader.refuse(&Fault::new(at, format!("{} has no values", quoted(&key.value))));
            return None;
        }
        if chain.needs_all && values.len() == 1 {
            let message = "`all` has no effect on a single value";
            reader.warn(&Fault::new(key.at.clone(), message));
        }
        self.values(reader, &chain, values)
    }

    /// The values of a field: one of them fits, or with `all` every one.
    fn values(&mut self, reader: &mut Reader, chain: &Chain, values: Vec<Node>) -> Option<Predicate> {
        let before = reader.errors.len();
        let mut parts = Vec::new();
        let mut numbers = Vec::new();
        let gathers = chain.kind == Kind::Text(Position::Whole) && chain.encodings.is_empty() && !chain.needs_all;
        for value in values {
            if let (true, Content::Number(number)) = (gathers, &value.content)
                && let Some(number) = exact(number)
            {
                numbers.push(Literal::Number(number));
                continue;
            }
            let read = self.value(reader, chain, &value);
            parts.extend(reader.keep(read));
        }
        let at_numbers = match numbers.len() {
            0 => None,
            1 => Some(Test::Compare(Comparison::Equal, numbers.swap_remove(0))),
            _ => Some(Test::In(numbers)),
        };
        parts.extend(at_numbers.map(|test| self.on_field(chain, &test)));
        if reader.errors.len() > before {
            return None;
        }
        let linked = if chain.needs_all { all_of(parts) } else { any_of(parts) };
        Some(if chain.is_negated {
            Predicate::Unless(Box::new(linked))
        } else {
            linked
        })
    }

    /// What one value demands.
    fn value(&mut self, reader: &mut Reader, chain: &Chain, value: &Node) -> Result<Predicate, Fault> {
        let fault = |message: String| Fault::new(value.at.clone(), message);
        if matches!(value.content, Content::Null) {
            if chain.field.is_empty() {
                return Err(fault("a keyword is text".to_owned()));
            }
            if chain.kind != Kind::Text(Position::Whole) || !chain.encodings.is_empty() {
                return Err(fault(
                    "null is the absence of the field, and takes no modifier".to_owned(),
                ));
            }
            return Ok(self.absent(chain));
        }
        let tests = match chain.kind {
            Kind::Text(position) => self.text(reader, chain, position, value)?,
            Kind::Expression => self.expressions(reader, chain, value)?,
            Kind::Network => {
                let written = self.written(reader, chain, value)?;
                vec![network(reader, &written, value)?]
            }
            Kind::Order(comparison) => vec![Test::Compare(comparison, Literal::Number(number(value)?))],
            Kind::Part(part, comparison) => vec![Test::Calendar(part, comparison, calendar(part, value)?)],
            Kind::Exists => return self.exists(chain, value),
            Kind::Reference(relation) => self.references(relation, value)?,
        };
        self.spend(tests.len(), &value.at)?;
        Ok(any_of(tests.iter().map(|test| self.on_field(chain, test))))
    }

    fn spend(&mut self, tests: usize, at: &Range<usize>) -> Result<(), Fault> {
        self.tests += tests;
        if self.tests > TESTS_MAX {
            let message = format!("with the variants of this value the rule has more than {TESTS_MAX} tests");
            return Err(Fault::new(at.clone(), message));
        }
        Ok(())
    }

    fn count_regex(&mut self, at: &Range<usize>) -> Result<(), Fault> {
        self.regexes += 1;
        if self.regexes > REGEX_COUNT_MAX {
            let message = format!("a rule has at most {REGEX_COUNT_MAX} regular expressions");
            return Err(Fault::new(at.clone(), message));
        }
        Ok(())
    }

    /// The test of the field, under each of its names.
    fn on_field(&self, chain: &Chain, test: &Test) -> Predicate {
        if chain.field.is_empty() {
            return Predicate::Anywhere(test.clone());
        }
        let named = |name: &str| Predicate::Field {
            name: name.to_owned(),
            test: test.clone(),
        };
        any_of(self.mapping.names(&chain.field).into_iter().map(named))
    }

    fn absent(&self, chain: &Chain) -> Predicate {
        Predicate::Unless(Box::new(self.on_field(chain, &Test::Exists)))
    }

    fn exists(&self, chain: &Chain, value: &Node) -> Result<Predicate, Fault> {
        match value.content {
            Content::Bool(true) => Ok(self.on_field(chain, &Test::Exists)),
            Content::Bool(false) => Ok(self.absent(chain)),
            Content::Null | Content::Number(_) | Content::Text(_) | Content::List(_) | Content::Mapping(_) => {
                let message = format!("`exists` is true or false, not {}", value.described());
                Err(Fault::new(value.at.clone(), message))
            }
        }
    }

    /// The texts that a value stands for: itself, or with `expand` one for each value of its placeholders.
    fn texts(&self, reader: &mut Reader, chain: &Chain, value: &Node) -> Result<Vec<Vec<Piece>>, Fault> {
        let text = scalar(value)?;
        if !chain.expands {
            return Ok(vec![pieces(&text)]);
        }
        self.placeholders.expand(reader, &text, &value.at)
    }

    fn text(
        &mut self,
        reader: &mut Reader,
        chain: &Chain,
        position: Position,
        value: &Node,
    ) -> Result<Vec<Test>, Fault> {
        let mut tests = Vec::new();
        for pieces in self.texts(reader, chain, value)? {
            if chain.field.is_empty() && pieces.is_empty() {
                return Err(Fault::new(value.at.clone(), "an empty keyword is in every event"));
            }
            if chain.encodings == [Encoding::Windash] && dash_count(&pieces) > DASHES_MAX {
                self.count_regex(&value.at)?;
                tests.push(many_dashes(&pieces, position, chain.is_cased, &value.at)?);
                continue;
            }
            let encoded = encode(pieces, &chain.encodings).map_err(|reason| Fault::new(value.at.clone(), reason))?;
            tests.extend(
                encoded
                    .into_iter()
                    .map(|pieces| placed(pieces, position, chain.is_cased)),
            );
        }
        Ok(tests)
    }

    fn expressions(&mut self, reader: &mut Reader, chain: &Chain, value: &Node) -> Result<Vec<Test>, Fault> {
        let written = scalar(value)?;
        let sources = if chain.expands {
            self.placeholders.expand_escaped(reader, &written, &value.at)?
        } else {
            vec![written]
        };
        let mut tests = Vec::new();
        for source in sources {
            self.count_regex(&value.at)?;
            let flagged = if chain.flags.is_empty() {
                source
            } else {
                format!("(?{}){source}", chain.flags)
            };
            tests.push(expression(&flagged, &value.at)?);
        }
        Ok(tests)
    }

    /// The text of a value without wildcards.
    fn written(&self, reader: &mut Reader, chain: &Chain, value: &Node) -> Result<Vec<String>, Fault> {
        let texts = self.texts(reader, chain, value)?;
        let text = |pieces: Vec<Piece>| {
            plain(&pieces)
                .map(str::to_owned)
                .ok_or_else(|| Fault::new(value.at.clone(), "no wildcards here"))
        };
        texts.into_iter().map(text).collect()
    }

    /// The test against another field, under each of its names.
    fn references(&self, relation: Relation, value: &Node) -> Result<Vec<Test>, Fault> {
        let other = scalar(value)?;
        if other.is_empty() || other.contains(['*', '?']) {
            let message = "`fieldref` takes the name of a field, without wildcards";
            return Err(Fault::new(value.at.clone(), message));
        }
        let named = |name: &str| Test::Relates(relation, name.to_owned());
        Ok(self.mapping.names(&other).into_iter().map(named).collect())
    }
}

/// A value as text.
pub(super) fn scalar(value: &Node) -> Result<String, Fault> {
    match &value.content {
        Content::Text(text) => Ok(text.clone()),
        Content::Number(number) => Ok(number.to_string()),
        Content::Bool(flag) => Ok(flag.to_string()),
        Content::Null | Content::List(_) | Content::Mapping(_) => {
            let message = format!("a value is text, a number, true or false, not {}", value.described());
            Err(Fault::new(value.at.clone(), message))
        }
    }
}

/// The number, if a comparison as a number tells it apart from its neighbours.
fn exact(number: &Number) -> Option<f64> {
    number.as_f64().filter(|value| value.abs() < EXACT_MAX)
}

pub(super) fn number(value: &Node) -> Result<f64, Fault> {
    let written = scalar(value)?;
    let read = written.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    read.ok_or_else(|| Fault::new(value.at.clone(), format!("{} is not a number", quoted(&written))))
}

fn calendar(part: CalendarPart, value: &Node) -> Result<i64, Fault> {
    let bounds = match part {
        CalendarPart::Minute => 0..=59,
        CalendarPart::Hour => 0..=23,
        CalendarPart::Day => 1..=31,
        CalendarPart::Week => 1..=53,
        CalendarPart::Month => 1..=12,
        CalendarPart::Year => 0..=9999,
    };
    let written = scalar(value)?;
    let read = written.parse().ok().filter(|number| bounds.contains(number));
    read.ok_or_else(|| {
        let message = format!(
            "{} is not a whole number from {} to {}",
            quoted(&written),
            bounds.start(),
            bounds.end()
        );
        Fault::new(value.at.clone(), message)
    })
}

fn network(reader: &mut Reader, written: &[String], value: &Node) -> Result<Test, Fault> {
    let [written] = written else {
        return Err(Fault::new(value.at.clone(), "write each network by itself"));
    };
    let alone = || {
        written
            .parse()
            .ok()
            .map(|address: std::net::IpAddr| IpNet::from(address).to_string())
    };
    let read = crate::query::network(written).or_else(|| crate::query::network(&alone()?));
    let Some(network) = read else {
        let message = format!("{} is not a network such as 10.0.0.0/8 or fd00::/8", quoted(written));
        return Err(Fault::new(value.at.clone(), message));
    };
    if written.parse::<IpNet>().is_ok_and(|written| written.trunc() != written) {
        let message = format!("{} is read as {network}", quoted(written));
        reader.warn(&Fault::new(value.at.clone(), message));
    }
    Ok(Test::Network(network))
}

fn expression(source: &str, at: &Range<usize>) -> Result<Test, Fault> {
    let compiled = RegexPattern::compile(source).map_err(|reason| Fault::new(at.clone(), reason))?;
    Ok(Test::Regex(compiled))
}

/// The value where the modifiers want it.
fn placed(mut pieces: Vec<Piece>, position: Position, is_cased: bool) -> Test {
    if matches!(position, Position::Anywhere | Position::End) {
        pieces.insert(0, Piece::Many);
    }
    if matches!(position, Position::Anywhere | Position::Start) {
        pieces.push(Piece::Many);
    }
    let pattern = TextPattern::new(pieces);
    Test::Matches(if is_cased { pattern.cased() } else { pattern })
}

/// The same for a value with many dashes.
fn many_dashes(pieces: &[Piece], position: Position, is_cased: bool, at: &Range<usize>) -> Result<Test, Fault> {
    let flags = if is_cased { "s" } else { "is" };
    let (start, end) = match position {
        Position::Whole => ("^", "$"),
        Position::Anywhere => ("", ""),
        Position::Start => ("^", ""),
        Position::End => ("", "$"),
    };
    expression(&format!("(?{flags}){start}(?:{}){end}", dashed_expression(pieces)), at)
}
