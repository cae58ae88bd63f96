use event::{Level, Severity};

use super::clock::Clock;
use super::cursor::Text;
use super::field::CANONICAL;
use super::literal::literal;
use super::network::is_network_like;
use super::token::TokenKind;
use super::{Cursor, any_of, bounded_regex, field_name, network};
use crate::error::{Fault, Given, nearest, quoted};
use crate::{Comparison, Literal, Predicate, Relation, Test, TextPattern};

/// The operators of a `where`, for messages.
const OPERATORS: &str = "= != > >= < <= ~ !~ in like exists";

/// The word that makes a field of what is compared with: `user_id != field(target_id)`.
const FIELD: &str = "field";

/// One condition of a `where`: `field = value`, `field = field(other)`, `field in (a, b)`, `field like pattern`,
/// `field ~ regex`, `field exists`, `hour >= 22`, `weekday = sun`.
pub(crate) fn condition(cursor: &mut Cursor) -> Result<Predicate, Fault> {
    let (name, at) = cursor.word("a field")?;
    if let Some(clock) = Clock::from_name(name) {
        return clock.condition(cursor);
    }
    if let Some((field, value)) = name.split_once(':') {
        let message = format!("a `where` compares with an operator: `{field} = \"{value}\"`");
        return Err(Fault::new(at, message));
    }
    let name = field_name(name, &at)?;
    if cursor.keyword("NOT") {
        let found =
            tested_by_word(cursor, &name)?.ok_or_else(|| cursor.expected("`in`, `like` or `exists` after `not`"))?;
        return Ok(Predicate::Not(Box::new(found)));
    }
    if let Some(found) = tested_by_word(cursor, &name)? {
        return Ok(found);
    }
    tested_by_sign(cursor, &name)
}

fn field(name: &str, test: Test) -> Predicate {
    Predicate::Field {
        name: name.to_owned(),
        test,
    }
}

/// What a word asks of the field: the operators that `not` may stand before.
fn tested_by_word(cursor: &mut Cursor, name: &str) -> Result<Option<Predicate>, Fault> {
    Ok(if cursor.keyword("in") {
        Some(one_of(cursor, name)?)
    } else if cursor.keyword("like") {
        Some(field(name, like(cursor)?))
    } else if cursor.keyword("exists") {
        Some(field(name, Test::Exists))
    } else {
        None
    })
}

fn tested_by_sign(cursor: &mut Cursor, name: &str) -> Result<Predicate, Fault> {
    if cursor.take(&TokenKind::Tilde) {
        return Ok(field(name, quoted_regex(cursor)?));
    }
    if cursor.take(&TokenKind::NotTilde) {
        return Ok(Predicate::Not(Box::new(field(name, quoted_regex(cursor)?))));
    }
    if let Some(comparison) = cursor.comparison() {
        if cursor.call(FIELD) {
            return related(cursor, name, comparison);
        }
        let value = literal(cursor, name)?;
        warn_of_other_meanings(cursor, &value);
        return Ok(field(name, compare(name, comparison, value)?));
    }
    match cursor.peek() {
        Some(TokenKind::Word(word)) => Err(Fault::new(cursor.here(), unknown_operator(word))),
        _ => Err(cursor.expected(&format!("an operator after {}: {OPERATORS}", quoted(name)))),
    }
}

/// `field(other)`, after its parenthesis.
fn related(cursor: &mut Cursor, name: &str, comparison: Comparison) -> Result<Predicate, Fault> {
    let (other, at) = cursor.word("the other field")?;
    let other = field_name(other, &at)?;
    cursor.close()?;
    if other == name {
        return Err(Fault::new(at, format!("{} is compared with itself", quoted(name))));
    }
    Ok(field(name, Test::Relates(Relation::Compares(comparison), other)))
}

/// `in (a, b)`; networks may be among them.
fn one_of(cursor: &mut Cursor, name: &str) -> Result<Predicate, Fault> {
    let items = list(cursor, |cursor| item(cursor, name))?;
    let mut values = Vec::new();
    let mut tests = Vec::new();
    for item in items {
        match item {
            Item::Value(value) => values.push(value),
            Item::Network(test) => tests.push(field(name, test)),
        }
    }
    if !values.is_empty() {
        tests.insert(0, field(name, Test::In(values)));
    }
    Ok(any_of(tests))
}

enum Item {
    Value(Literal),
    Network(Test),
}

fn item(cursor: &mut Cursor, name: &str) -> Result<Item, Fault> {
    let written = match cursor.peek() {
        Some(TokenKind::Word(word)) => Some(word),
        // In quotes it is text, but an address is never that.
        Some(TokenKind::Phrase(phrase)) if name == "source_ip" => Some(phrase),
        _ => None,
    };
    if let Some(network) = written.and_then(|word| network(word)) {
        cursor.text("a network")?;
        return Ok(Item::Network(Test::Network(network)));
    }
    let value = literal(cursor, name)?;
    Ok(Item::Value(value.value))
}

/// A word without quotes that is the name of a field, or a network, is taken for a text here.
fn warn_of_other_meanings(cursor: &mut Cursor, value: &Given<Literal>) {
    let Given {
        value: Literal::Text(text),
        at,
    } = value
    else {
        return;
    };
    let is_quoted = at.len() > text.len();
    if is_quoted {
        return;
    }
    let meant = if text.contains('_') && (CANONICAL.contains(&text.as_str()) || text.ends_with("_id")) {
        format!("for the field write `{FIELD}({text})`")
    } else if is_network_like(text) {
        format!("for the network write `in ({text})`")
    } else {
        return;
    };
    let message = format!("this compares with the text {}: {meant}", quoted(text));
    cursor.notes.warnings.push(Fault::new(at.clone(), message));
}

fn unknown_operator(word: &str) -> String {
    let meant = match nearest(word, ["in", "like", "exists"]) {
        Some(known) => format!(": did you mean `{known}`?"),
        None => format!(": they are {OPERATORS}"),
    };
    format!("unknown operator {}{meant}", quoted(word))
}

/// `(a, b, …)`
pub(crate) fn list<T>(cursor: &mut Cursor, item: impl Fn(&mut Cursor) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    cursor.open("a list as in `in (a, b)`")?;
    let mut items = vec![item(cursor)?];
    while cursor.comma() {
        items.push(item(cursor)?);
    }
    cursor.close_or("`,` or `)`")?;
    Ok(items)
}

fn like(cursor: &mut Cursor) -> Result<Test, Fault> {
    let Text { text, at, .. } = cursor.text("a pattern after `like`, as in `like \"adm*\"`")?;
    if !text.contains(['*', '?']) && text.contains('%') {
        let message = "`%` stands for itself here: `*` is any text and `?` any one character";
        cursor.notes.warnings.push(Fault::new(at, message));
    }
    Ok(Test::Matches(TextPattern::glob(text)))
}

fn quoted_regex(cursor: &mut Cursor) -> Result<Test, Fault> {
    let Text { text, at, .. } = cursor.text("a regular expression in quotes after `~`")?;
    bounded_regex(cursor.notes, text, at)
}

/// A comparison. Severities and levels are ordered by how bad they are, not by their letters; other texts have no
/// order that a rule could rely on (`"9" > "10"`).
pub(crate) fn compare(name: &str, comparison: Comparison, value: Given<Literal>) -> Result<Test, Fault> {
    let Given { value, at } = value;
    let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    match &value {
        Literal::Text(word) if ordered => {
            let fitting = match name {
                "severity" => words_that(&Severity::ALL, comparison, word, Severity::as_str),
                "level" => words_that(&Level::ALL, comparison, word, Level::as_str),
                _ => {
                    let message = format!("{} is text, and text has no order: compare with a number", quoted(word));
                    return Err(Fault::new(at, message));
                }
            };
            if fitting.is_empty() {
                return Err(Fault::new(at, format!("no {name} is that")));
            }
            Ok(Test::In(fitting))
        }
        Literal::Bool(_) if ordered => Err(Fault::new(at, "true and false have no order")),
        Literal::Text(_) | Literal::Number(_) | Literal::Bool(_) => Ok(Test::Compare(comparison, value)),
    }
}

fn words_that<T: Copy + Ord>(
    all: &[T],
    comparison: Comparison,
    word: &str,
    name: fn(T) -> &'static str,
) -> Vec<Literal> {
    let Some(given) = all.iter().find(|candidate| name(**candidate) == word) else {
        return Vec::new();
    };
    let fitting = all
        .iter()
        .filter(|candidate| comparison.accepts((*candidate).cmp(given)));
    fitting
        .map(|candidate| Literal::Text(name(*candidate).to_owned()))
        .collect()
}
