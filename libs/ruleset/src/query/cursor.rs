use std::ops::Range;

use super::token::{Token, TokenKind};
use crate::Comparison;
use crate::error::{Fault, nearest, quoted};

/// Reads the tokens of one part of a query, left to right.
pub(crate) struct Cursor<'t, 'n> {
    tokens: &'t [Token],
    end: usize,
    /// How deep in parentheses and `NOT` it is.
    pub(crate) depth: usize,
    pub(crate) notes: &'n mut Notes,
}

/// A word or a phrase.
pub(crate) struct Text<'t> {
    pub(crate) text: &'t str,
    pub(crate) is_quoted: bool,
    pub(crate) at: Range<usize>,
}

/// What is noticed while reading, and judged when everything has been read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<Fault>,
    /// How many regular expressions there are.
    pub(crate) regexes: usize,
}

impl<'t, 'n> Cursor<'t, 'n> {
    pub(crate) fn new(tokens: &'t [Token], end: usize, notes: &'n mut Notes) -> Self {
        Self {
            tokens,
            end,
            depth: 0,
            notes,
        }
    }

    pub(crate) fn peek(&self) -> Option<&'t TokenKind> {
        self.tokens.first().map(|token| &token.kind)
    }

    /// The place of the next token, or the end.
    pub(crate) fn here(&self) -> Range<usize> {
        self.tokens
            .first()
            .map_or(self.end..self.end + 1, |token| token.at.clone())
    }

    /// Steps over `kind` if it is next.
    pub(crate) fn take(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == Some(kind);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    pub(crate) fn bar(&mut self) -> bool {
        self.take(&TokenKind::Pipe)
    }

    pub(crate) fn is_at_open(&self) -> bool {
        self.peek() == Some(&TokenKind::Open)
    }

    pub(crate) fn comma(&mut self) -> bool {
        self.take(&TokenKind::Comma)
    }

    pub(crate) fn equals(&mut self) -> bool {
        self.take(&TokenKind::Compare(Comparison::Equal))
    }

    /// Steps over a comparison, if it is next.
    pub(crate) fn comparison(&mut self) -> Option<Comparison> {
        let Some(TokenKind::Compare(comparison)) = self.peek() else {
            return None;
        };
        self.tokens = &self.tokens[1..];
        Some(*comparison)
    }

    /// Steps over a word of the language, in either case, if it is next.
    pub(crate) fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(TokenKind::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    /// Whether `AND`, `OR` or `NOT` is next.
    pub(crate) fn is_at_keyword(&self) -> bool {
        let keywords = ["AND", "OR", "NOT"];
        matches!(self.peek(), Some(TokenKind::Word(word)) if keywords.iter().any(|known| known.eq_ignore_ascii_case(word)))
    }

    /// The next token, if it is a word.
    pub(crate) fn word(&mut self, expected: &str) -> Result<(&'t str, Range<usize>), Fault> {
        match self.tokens.split_first() {
            Some((
                Token {
                    kind: TokenKind::Word(word),
                    at,
                },
                rest,
            )) => {
                self.tokens = rest;
                Ok((word, at.clone()))
            }
            _ => Err(self.expected(expected)),
        }
    }

    /// The next token, if it is a word or a phrase.
    pub(crate) fn text(&mut self, expected: &str) -> Result<Text<'t>, Fault> {
        let (text, is_quoted) = match self.peek() {
            Some(TokenKind::Word(word)) => (word, false),
            Some(TokenKind::Phrase(phrase)) => (phrase, true),
            Some(
                TokenKind::Compare(_)
                | TokenKind::Tilde
                | TokenKind::NotTilde
                | TokenKind::Open
                | TokenKind::Close
                | TokenKind::Comma
                | TokenKind::Pipe,
            )
            | None => return Err(self.expected(expected)),
        };
        let at = self.here();
        self.tokens = &self.tokens[1..];
        Ok(Text { text, is_quoted, at })
    }

    /// Whether `name (` is next.
    pub(crate) fn is_at_call(&self, name: &str) -> bool {
        let [word, open, ..] = self.tokens else {
            return false;
        };
        word.kind == TokenKind::Word(name.to_owned()) && open.kind == TokenKind::Open
    }

    /// Steps over `name (`, if it is next.
    pub(crate) fn call(&mut self, name: &str) -> bool {
        let found = self.is_at_call(name);
        if found {
            self.tokens = &self.tokens[2..];
        }
        found
    }

    pub(crate) fn open(&mut self, expected: &str) -> Result<(), Fault> {
        if self.take(&TokenKind::Open) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    pub(crate) fn close(&mut self) -> Result<(), Fault> {
        self.close_or("`)`")
    }

    /// A parenthesis closes here, where `expected` could stand as well.
    pub(crate) fn close_or(&mut self, expected: &str) -> Result<(), Fault> {
        if self.take(&TokenKind::Close) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self, expected: &str) -> Result<(), Fault> {
        if self.tokens.is_empty() {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    /// The fault that something else stands here.
    pub(crate) fn expected(&self, expected: &str) -> Fault {
        let message = match self.peek() {
            None => format!("expected {expected}"),
            Some(kind) => format!("expected {expected}, found {}{}", described(kind), hint(kind, expected)),
        };
        Fault::new(self.here(), message)
    }
}

fn described(kind: &TokenKind) -> String {
    match kind {
        TokenKind::Word(word) => quoted(word),
        TokenKind::Phrase(phrase) => quoted(&format!("\"{phrase}\"")),
        TokenKind::Compare(_) => "a comparison".to_owned(),
        TokenKind::Tilde => "`~`".to_owned(),
        TokenKind::NotTilde => "`!~`".to_owned(),
        TokenKind::Open => "`(`".to_owned(),
        TokenKind::Close => "`)`".to_owned(),
        TokenKind::Comma => "`,`".to_owned(),
        TokenKind::Pipe => "`|`".to_owned(),
    }
}

/// What may have been meant.
fn hint(kind: &TokenKind, expected: &str) -> String {
    match kind {
        TokenKind::Word(word) => {
            let shown = expected.split('`').skip(1).step_by(2);
            let words = shown.filter_map(|shown| shown.split(' ').next());
            match nearest(word, words.filter(|known| known.chars().all(char::is_alphabetic))) {
                Some(known) => format!(": did you mean `{known}`?"),
                None => String::new(),
            }
        }
        TokenKind::Compare(_) | TokenKind::Tilde | TokenKind::NotTilde => {
            ": comparisons go in a stage, `| where field = value`; a value with such a sign in it goes in quotes"
                .to_owned()
        }
        TokenKind::Phrase(_) | TokenKind::Open | TokenKind::Close | TokenKind::Comma | TokenKind::Pipe => String::new(),
    }
}
