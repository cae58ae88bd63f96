use std::ops::Range;

use crate::Comparison;
use crate::error::{Fault, quoted, suggestion};

/// A piece of a query and the bytes it stands at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// Anything without spaces, quotes and signs: `login_failed`, `service:security`, `5m`.
    Word(String),
    /// Text between double quotes.
    Phrase(String),
    Compare(Comparison),
    Tilde,
    NotTilde,
    Open,
    Close,
    Comma,
    Pipe,
}

/// Every operator, as it is written.
const OPERATORS: [(&str, TokenKind); 8] = [
    ("=", TokenKind::Compare(Comparison::Equal)),
    ("!=", TokenKind::Compare(Comparison::NotEqual)),
    ("<", TokenKind::Compare(Comparison::Less)),
    ("<=", TokenKind::Compare(Comparison::LessOrEqual)),
    (">", TokenKind::Compare(Comparison::Greater)),
    (">=", TokenKind::Compare(Comparison::GreaterOrEqual)),
    ("~", TokenKind::Tilde),
    ("!~", TokenKind::NotTilde),
];

/// Splits a query into tokens.
///
/// # Errors
/// All unknown operators and wrong quotes at once; an open quote ends the list.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Vec<Fault>> {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        match token(text, at, first) {
            Ok(token) => {
                at = token.at.end;
                found.push(token);
            }
            Err(fault) => {
                at = fault.at.end;
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn token(text: &str, at: usize, first: char) -> Result<Token, Fault> {
    let single = |kind| {
        Ok(Token {
            kind,
            at: at..at + first.len_utf8(),
        })
    };
    match first {
        '(' => single(TokenKind::Open),
        ')' => single(TokenKind::Close),
        ',' => single(TokenKind::Comma),
        '|' => single(TokenKind::Pipe),
        '"' => phrase(text, at),
        _ if is_operator(first) => operator(text, at),
        _ => word(text, at),
    }
}

fn is_operator(character: char) -> bool {
    matches!(character, '=' | '!' | '<' | '>' | '~' | '&')
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || "()|\",".contains(character) || is_operator(character)
}

/// How long the regular expression `/…/` is that a text begins with, its slashes included. Any sign but white space may
/// stand in it, and a slash as `\/`. What goes on after the second slash is a path.
pub(crate) fn regex_length(text: &str) -> Option<usize> {
    let mut characters = text.strip_prefix('/')?.char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            '/' => {
                let length = offset + 2;
                let is_over = text[length..].chars().next().is_none_or(ends_word);
                return (is_over && length > 2).then_some(length);
            }
            '\\' => drop(characters.next()),
            other if other.is_whitespace() => return None,
            _ => {}
        }
    }
    None
}

fn operator(text: &str, at: usize) -> Result<Token, Fault> {
    let length = text[at..]
        .find(|character| !is_operator(character))
        .unwrap_or(text.len() - at);
    let (written, at) = (&text[at..at + length], at..at + length);
    if let Some((_, kind)) = OPERATORS.iter().find(|(known, _)| *known == written) {
        return Ok(Token { kind: kind.clone(), at });
    }
    let meant = match written {
        "!" => ": did you mean `NOT`?".to_owned(),
        "&" | "&&" => ": did you mean `AND`?".to_owned(),
        "=<" => ": did you mean `<=`?".to_owned(),
        "=>" => ": did you mean `>=`?".to_owned(),
        "<>" => ": did you mean `!=`?".to_owned(),
        "=~" => ": did you mean `~`?".to_owned(),
        _ => suggestion(written, &OPERATORS.each_ref().map(|(known, _)| *known)),
    };
    Err(Fault::new(at, format!("unknown operator {}{meant}", quoted(written))))
}

/// Between quotes `\"` is a quote and `\\` a backslash; before any other character a backslash stands for itself,
/// so that `"\d+"` is what it looks like.
fn phrase(text: &str, at: usize) -> Result<Token, Fault> {
    let mut inside = String::new();
    let mut rest = text[at + 1..].char_indices().peekable();
    while let Some((offset, character)) = rest.next() {
        match character {
            '"' => {
                return Ok(Token {
                    kind: TokenKind::Phrase(inside),
                    at: at..at + offset + 2,
                });
            }
            '\\' => match rest.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => inside.push(escaped),
                None => inside.push('\\'),
            },
            other => inside.push(other),
        }
    }
    Err(Fault::new(at..text.len(), "this quote is never closed"))
}

fn word(text: &str, at: usize) -> Result<Token, Fault> {
    let rest = &text[at..];
    let length = rest.find(ends_word).unwrap_or(rest.len());
    if let Some(value) = rest[..length].find(':').map(|colon| colon + 1)
        && let Some(regex) = regex_length(&rest[value..])
    {
        return Ok(Token {
            kind: TokenKind::Word(rest[..value + regex].to_owned()),
            at: at..at + value + regex,
        });
    }
    let (written, at) = (&rest[..length], at..at + length);
    if let Some(quote) = written.chars().find(|character| "'`“”„‘’«»".contains(*character)) {
        return Err(Fault::new(
            at,
            format!("{quote} does not quote here: text goes in double quotes, as \"text\""),
        ));
    }
    Ok(Token {
        kind: TokenKind::Word(written.to_owned()),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text)
            .expect("it is well formed")
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn words_phrases_and_operators() {
        use TokenKind::{Close, Comma, Compare, Open, Phrase, Pipe, Tilde, Word};
        let word = |text: &str| Word(text.to_owned());
        assert_eq!(
            kinds(r#"a:b* | where x>=5(y~"\d\"\\",z)"#),
            [
                word("a:b*"),
                Pipe,
                word("where"),
                word("x"),
                Compare(Comparison::GreaterOrEqual),
                word("5"),
                Open,
                word("y"),
                Tilde,
                Phrase(r#"\d"\"#.to_owned()),
                Comma,
                word("z"),
                Close
            ]
        );
        assert_eq!(kinds("source_ip:2001:db8::1"), [word("source_ip:2001:db8::1")]);
    }

    #[test]
    fn every_bad_token_is_told_at_its_place() {
        let faults = tokens("a == 'b' && \"c").expect_err("three of them are wrong");
        let told: Vec<_> = faults
            .iter()
            .map(|fault| (fault.at.start, fault.message.as_str()))
            .collect();
        assert_eq!(told[0], (2, "unknown operator `==`: did you mean `=`?"));
        assert_eq!(told[1].0, 5);
        assert_eq!(told[2], (9, "unknown operator `&&`: did you mean `AND`?"));
        assert_eq!(told[3], (12, "this quote is never closed"));
    }
}
