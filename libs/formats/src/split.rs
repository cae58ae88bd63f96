//! Cuts a request's body into entries.
//!
//! Each entry is a slice of the body as it came, so an event keeps exactly its own bytes, and an entry that cannot
//! be read says nothing about its neighbours.

use event::Reason;

use crate::json::{end_of_value, members, skip_space, start};
use crate::{Limits, Rejection};

/// How a body holds its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An object, a list of objects, `{"logs":[…]}`, a list of those, or any of these on each line.
    Json,
    /// One entry a line.
    Lines,
}

impl Framing {
    /// By the look of the body; for a request that does not say.
    pub fn of(body: &[u8]) -> Self {
        let first = start(body);
        let second = skip_space(body, first + 1);
        match (body.get(first), body.get(second)) {
            (Some(b'{'), _) => Self::Json,
            // A line of text may begin with a bracket too: `[::1]`, `[error]`.
            (Some(b'['), Some(b'{' | b'[' | b']')) => Self::Json,
            _ => Self::Lines,
        }
    }
}

/// The entries of `body`, in order. White space between them is no entry; a list may be empty.
///
/// # Errors
/// If the body as a whole cannot be taken: it is empty, holds more entries than the limit, or is JSON that is cut off.
pub fn split<'a>(body: &'a [u8], framing: Framing, limits: &Limits) -> Result<Vec<&'a [u8]>, Rejection> {
    if body.trim_ascii().is_empty() {
        return Err(Rejection::new(Reason::Empty, "the body is empty"));
    }
    let mut entries = Entries {
        list: Vec::new(),
        limit: limits.entries,
    };
    match framing {
        Framing::Lines => entries.lines(body)?,
        Framing::Json => entries.json(body)?,
    }
    Ok(entries.list)
}

struct Entries<'a> {
    list: Vec<&'a [u8]>,
    limit: usize,
}

impl<'a> Entries<'a> {
    fn push(&mut self, entry: &'a [u8]) -> Result<(), Rejection> {
        if self.list.len() == self.limit {
            return Err(Rejection::new(
                Reason::TooLarge,
                format!("more than {} entries", self.limit),
            ));
        }
        self.list.push(entry);
        Ok(())
    }

    fn json(&mut self, body: &'a [u8]) -> Result<(), Rejection> {
        let begin = start(body);
        match end_of_value(body, begin) {
            Some(end) if skip_space(body, end) == body.len() => self.value(&body[begin..end], begin),
            Some(_) => self.lines(body),
            None if is_lines(body) => self.lines(body),
            None => Err(Rejection::new(
                Reason::Malformed,
                format!("the JSON that begins at byte {begin} is cut off"),
            )),
        }
    }

    fn lines(&mut self, body: &'a [u8]) -> Result<(), Rejection> {
        for line in body.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let begin = start(line);
            let kept = self.list.len();
            let is_list =
                Framing::of(line) == Framing::Json && end_of_value(line, begin) == Some(line.trim_ascii_end().len());
            if !is_list {
                self.push(line)?;
            } else if let Err(rejection) = self.value(&line[begin..], begin) {
                // A list that does not hold together is one bad line, but too many entries are too many.
                if rejection.reason == Reason::TooLarge {
                    return Err(rejection);
                }
                self.list.truncate(kept);
                self.push(line)?;
            }
        }
        Ok(())
    }

    /// The entries of one JSON value that stands at the byte `at` of the body.
    fn value(&mut self, value: &'a [u8], at: usize) -> Result<(), Rejection> {
        if value.first() != Some(&b'[') {
            return self.object(value, at);
        }
        elements(value, at, |element| self.object(element, at))
    }

    /// The entries of an envelope; or the one entry that it is.
    fn object(&mut self, value: &'a [u8], at: usize) -> Result<(), Rejection> {
        match logs(value)? {
            Some(logs) => elements(logs, at, |entry| self.push(entry)),
            None => self.push(value),
        }
    }
}

/// The list of `{"logs":[…]}`. An object that says something itself is an event that has a field `logs`.
fn logs(value: &[u8]) -> Result<Option<&[u8]>, Rejection> {
    if value.first() != Some(&b'{') {
        return Ok(None);
    }
    let mut found = None;
    for (name, member) in members(value, 0) {
        match name {
            b"logs" if found.is_some() => {
                return Err(Rejection::new(Reason::Invalid, "the field `logs` is there twice"));
            }
            b"logs" if member.starts_with(b"[") => found = Some(member),
            b"message" | b"service" | b"security_event" => return Ok(None),
            _ => {}
        }
    }
    Ok(found)
}

/// Gives every element of the list, which stands about the byte `at` of the body, to `each`.
fn elements<'a>(
    list: &'a [u8],
    at: usize,
    mut each: impl FnMut(&'a [u8]) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    let broken = |place: usize, what: &str| {
        let detail = format!("the list that begins at byte {at}: expected {what} {place} bytes later");
        Rejection::new(Reason::Malformed, detail)
    };
    let mut place = skip_space(list, 1);
    if list.get(place) == Some(&b']') {
        return Ok(());
    }
    loop {
        let end = end_of_value(list, place).ok_or_else(|| broken(place, "an entry"))?;
        each(&list[place..end])?;
        place = skip_space(list, end);
        match list.get(place) {
            Some(b',') => place = skip_space(list, place + 1),
            Some(b']') => return Ok(()),
            _ => return Err(broken(place, "`,` or `]`")),
        }
    }
}

/// Whether JSON that does not end is lines of which one is cut off, rather than one value over several lines.
fn is_lines(body: &[u8]) -> bool {
    let mut lines = body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let opens = lines
        .next()
        .is_some_and(|first| matches!(first.last(), Some(b'{' | b'[' | b',')));
    !opens && lines.any(|line| line.starts_with(b"{") && end_of_value(line, 0) == Some(line.len()))
}

#[cfg(test)]
mod tests;
