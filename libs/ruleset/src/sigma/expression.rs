//! The extended condition of a temporal correlation: `a and (b or c)`, `a and not b`.

use super::condition::words;
use crate::error::{Fault, Given, quoted};

/// Rules, one of which must be there, or none.
pub(super) struct Term {
    pub(super) is_negated: bool,
    pub(super) any: Vec<String>,
}

/// The terms that are joined by `and`. Places are those of the whole condition.
///
/// # Errors
/// What is none, and what cannot be said of several kinds of events: `or` around `and`, `not` around `or`.
pub(super) fn terms(written: &Given<String>, is_ordered: bool) -> Result<Vec<Term>, Fault> {
    let words = words(&written.value);
    let mut words: Vec<&str> = words.iter().map(|word| word.value.as_str()).collect();
    words.reverse();
    let fault = |message: &str| Fault::new(written.at.clone(), message);
    let mut terms = Vec::new();
    loop {
        terms.push(term(&mut words, written)?);
        match words.pop() {
            None => break,
            Some(word) if word.eq_ignore_ascii_case("and") => {}
            Some(word) if word.eq_ignore_ascii_case("or") && terms.len() == 1 && !is_ordered => {
                let last = terms.last_mut().expect("one was just read");
                last.any.extend(alternatives(&mut words, written)?);
                if !words.is_empty() {
                    return Err(fault(
                        "write `and` around `or`, and not the other way round: `(a or b) and c`",
                    ));
                }
                break;
            }
            Some(word) => {
                let message = format!("`and` is expected here, not {}", quoted(word));
                return Err(fault(&message));
            }
        }
    }
    Ok(terms)
}

/// The names that a condition mentions, each once, in order.
pub(super) fn mentioned(written: &Given<String>) -> Vec<Given<String>> {
    let mut names: Vec<Given<String>> = Vec::new();
    for word in words(&written.value) {
        let is_name = !["and", "or", "not", "(", ")"]
            .iter()
            .any(|other| word.value.eq_ignore_ascii_case(other));
        if is_name && !names.iter().any(|name| name.value == word.value) {
            names.push(Given {
                value: word.value,
                at: written.at.clone(),
            });
        }
    }
    names
}

/// `a`, `not a`, `(a or b)`.
fn term(words: &mut Vec<&str>, written: &Given<String>) -> Result<Term, Fault> {
    let is_negated = words.last().is_some_and(|word| word.eq_ignore_ascii_case("not"));
    if is_negated {
        words.pop();
    }
    let any = if words.last() == Some(&"(") {
        words.pop();
        let any = alternatives(words, written)?;
        if words.pop() != Some(")") {
            let message = "within parentheses are names of rules, joined by `or`";
            return Err(Fault::new(written.at.clone(), message));
        }
        any
    } else {
        vec![name(words, written)?]
    };
    Ok(Term { is_negated, any })
}

/// `a or b or c`.
fn alternatives(words: &mut Vec<&str>, written: &Given<String>) -> Result<Vec<String>, Fault> {
    let mut names = vec![name(words, written)?];
    while words.last().is_some_and(|word| word.eq_ignore_ascii_case("or")) {
        words.pop();
        names.push(name(words, written)?);
    }
    Ok(names)
}

fn name(words: &mut Vec<&str>, written: &Given<String>) -> Result<String, Fault> {
    match words.pop() {
        Some(word)
            if !["and", "or", "not", "(", ")", "|"]
                .iter()
                .any(|other| word.eq_ignore_ascii_case(other)) =>
        {
            Ok(word.to_owned())
        }
        other => {
            let message = format!(
                "the name of a rule is expected, not {}",
                quoted(other.unwrap_or("the end"))
            );
            Err(Fault::new(written.at.clone(), message))
        }
    }
}
