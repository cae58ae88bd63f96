//! A JSON reader for input that may be hostile.
//!
//! `serde_json::Value` keeps the last of two equal names, rounds long numbers, and reports limits as text. Here a
//! repeated name is refused, because which one wins is an evasion; a number that the value cannot hold exactly stays
//! the text it was; depth, fields, values and names are bounded while reading; and every refusal names its byte.

use event::Reason;
use memchr::memchr2;
use serde_json::{Map, Number, Value};

use super::scan::skip_space;
use crate::{Limits, Rejection};

/// Reads the one value that begins at `start`, and nothing after it.
pub(crate) fn parse(text: &str, start: usize, limits: &Limits) -> Result<Value, Rejection> {
    let mut parser = Parser {
        text,
        at: start,
        values: 0,
        limits,
    };
    let value = parser.value(1)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.expected("the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
    limits: &'a Limits,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        self.at = skip_space(self.text.as_bytes(), self.at);
    }

    fn reject(&self, reason: Reason, detail: impl std::fmt::Display) -> Rejection {
        Rejection::new(reason, format!("byte {}: {detail}", self.at))
    }

    fn expected(&self, what: &str) -> Rejection {
        match self.text[self.at..].chars().next() {
            Some(found) => self.reject(Reason::Malformed, format_args!("expected {what}, found {found:?}")),
            None => self.reject(Reason::Malformed, format_args!("expected {what}, but it is cut off")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Rejection> {
        self.space();
        self.values += 1;
        if self.values > self.limits.values {
            let limit = self.limits.values;
            return Err(self.reject(
                Reason::TooComplex,
                format_args!("more than {limit} values in one entry"),
            ));
        }
        match self.peek() {
            Some(b'{') => self.object(depth).map(Value::Object),
            Some(b'[') => self.list(depth).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Rejection> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// Steps into an object or a list.
    fn enter(&mut self, depth: usize) -> Result<(), Rejection> {
        if depth > self.limits.depth {
            let limit = self.limits.depth;
            return Err(self.reject(Reason::TooComplex, format_args!("nested deeper than {limit}")));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Steps over what follows a member: true if another comes.
    fn another(&mut self, close: u8) -> Result<bool, Rejection> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.expected(&format!("`,` or `{}`", char::from(close)))),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Rejection> {
        self.enter(depth)?;
        let mut list = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(list);
        }
        loop {
            list.push(self.value(depth + 1)?);
            if !self.another(b']')? {
                return Ok(list);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Map<String, Value>, Rejection> {
        self.enter(depth)?;
        let mut fields = Map::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(fields);
        }
        loop {
            let name = self.name(&fields)?;
            let value = self.value(depth + 1)?;
            fields.insert(name, value);
            if !self.another(b'}')? {
                return Ok(fields);
            }
        }
    }

    /// A field's name and its colon.
    fn name(&mut self, fields: &Map<String, Value>) -> Result<String, Rejection> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a field's name in quotes"));
        }
        let begin = self.at;
        let name = self.string()?;
        let end = std::mem::replace(&mut self.at, begin);
        if name.len() > self.limits.key {
            let limit = self.limits.key;
            return Err(self.reject(
                Reason::TooLarge,
                format_args!("a field's name is longer than {limit} bytes"),
            ));
        }
        if fields.contains_key(&name) {
            return Err(self.reject(
                Reason::Invalid,
                format_args!("the field `{}` is there twice", name.escape_debug()),
            ));
        }
        if fields.len() == self.limits.fields {
            let limit = self.limits.fields;
            return Err(self.reject(
                Reason::TooComplex,
                format_args!("more than {limit} fields in one object"),
            ));
        }
        self.at = end;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(name)
    }

    fn string(&mut self) -> Result<String, Rejection> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let length = memchr2(b'"', b'\\', rest.as_bytes()).unwrap_or(rest.len());
            let piece = &rest[..length];
            if let Some(control) = piece.bytes().position(|byte| byte < b' ') {
                self.at += control;
                return Err(self.expected("no control character in a text"));
            }
            string.push_str(piece);
            self.at += length;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(_) => string.push(self.escape()?),
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    /// The character that the escape at the current place stands for.
    fn escape(&mut self) -> Result<char, Rejection> {
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        let character = match letter {
            Some(b'u') => return self.unicode(),
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.expected("an escape that JSON knows")),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode(&mut self) -> Result<char, Rejection> {
        let first = self
            .code_unit(self.at)
            .ok_or_else(|| self.expected("`\\u` and four hexadecimal digits"))?;
        let second = self.code_unit(self.at + 6);
        let mut units = char::decode_utf16(std::iter::once(first).chain(second));
        match units.next() {
            Some(Ok(character)) => {
                self.at += 6 * character.len_utf16();
                Ok(character)
            }
            _ => Err(self.reject(Reason::NotText, "half of a surrogate pair is not a character")),
        }
    }

    fn code_unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits
            .bytes()
            .all(|digit| digit.is_ascii_hexdigit())
            .then(|| u16::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Result<Value, Rejection> {
        let begin = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let whole = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = self.text;
        Ok(exact(&text[begin..self.at], self.at == whole))
    }

    fn digits(&mut self) -> Result<(), Rejection> {
        let count = self.text.as_bytes()[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return Err(self.expected("a digit"));
        }
        self.at += count;
        Ok(())
    }
}

/// The number that `literal` is; as text where neither an integer nor a double is the same number. Rules compare
/// text that reads as a number like a number.
fn exact(literal: &str, whole: bool) -> Value {
    if whole && literal != "-0" {
        let integer = literal.parse::<i64>().map(Number::from);
        if let Ok(number) = integer.or_else(|_| literal.parse::<u64>().map(Number::from)) {
            return Value::Number(number);
        }
    }
    let double = literal.parse().ok().and_then(Number::from_f64);
    // Compared with what will be written of it, for two spellings of one double can be equally short.
    match double.filter(|double| decimal(literal).is_some_and(|number| Some(number) == decimal(&double.to_string()))) {
        Some(number) => Value::Number(number),
        None => Value::String(literal.to_owned()),
    }
}

/// Sign, significant digits and power of ten: equal for two literals of one number.
fn decimal(literal: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let (negative, mantissa) = mantissa
        .strip_prefix('-')
        .map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    let power = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let power = power.checked_add(i64::try_from(digits.len() - significant.len()).ok()?)?;
    let significant = significant.trim_start_matches('0');
    Some((
        negative,
        significant.to_owned(),
        if significant.is_empty() { 0 } else { power },
    ))
}

#[cfg(test)]
mod tests;
