use std::fmt;
use std::ops::Range;

/// Why a rule file was refused, told as a compiler tells it: the place, the reason, the line and a caret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.place, "error", .message))]
pub struct RuleError {
    /// Where it went wrong.
    pub place: Place,
    /// What is wrong and, where it can be guessed, what was meant.
    pub message: String,
}

/// What in a rule file is allowed but likely a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleWarning {
    /// The lint that found it; in a rule, `lint_off` names it.
    pub lint: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What may be wrong.
    pub message: String,
}

/// A place in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the file, as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line, and under it carets below what is meant. Safe to print: control characters are gone.
    pub snippet: String,
}

impl fmt::Display for RuleWarning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = format!("{} [{}]", self.message, self.lint);
        out.write_str(&told(&self.place, "warning", &message))
    }
}

fn told(place: &Place, kind: &str, message: &str) -> String {
    let Place {
        file,
        line,
        column,
        snippet,
    } = place;
    format!("{file}:{line}:{column}: {kind}: {message}\n{snippet}")
}

/// Something wrong at a range of bytes of some text, before it is known in which file that text stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) at: Range<usize>,
}

/// The text of a rule file.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

/// How much of a long line is shown before and after the place.
const SHOWN_BEFORE: usize = 80;
const SHOWN_AFTER: usize = 60;

impl Source<'_> {
    /// The place of a range of bytes. A range beyond the text is taken as its end.
    pub(crate) fn place(&self, at: &Range<usize>) -> Place {
        let start = self.boundary(at.start);
        let end = self.boundary(at.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |newline| start + newline);
        let line = 1 + self.text[..start].matches('\n').count();
        let column = 1 + self.text[line_start..start].chars().count();
        let width = self.text[start..end.min(line_end)].chars().count();
        let content = self.text[line_start..line_end].trim_end_matches('\r');
        Place {
            file: self.file.to_owned(),
            line,
            column,
            snippet: snippet(content, line, column, width),
        }
    }

    pub(crate) fn error(&self, fault: &Fault) -> RuleError {
        RuleError {
            place: self.place(&fault.at),
            message: fault.message.clone(),
        }
    }

    pub(crate) fn warning(&self, lint: &'static str, fault: &Fault) -> RuleWarning {
        RuleWarning {
            lint,
            place: self.place(&fault.at),
            message: fault.message.clone(),
        }
    }

    /// The byte at which a line and column, both from 1, begin.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let lines_before = self.text.split_inclusive('\n').take(line.saturating_sub(1));
        let line_start: usize = lines_before.map(str::len).sum();
        let content = &self.text[line_start..];
        let in_line = content.char_indices().nth(column.saturating_sub(1));
        line_start + in_line.map_or(content.len(), |(at, _)| at)
    }

    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len()))
            .rev()
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(0)
    }
}

fn snippet(content: &str, line: usize, column: usize, width: usize) -> String {
    let before = column - 1;
    let skipped = before.saturating_sub(SHOWN_BEFORE);
    let shown: String = content
        .chars()
        .skip(skipped)
        .take(SHOWN_BEFORE + SHOWN_AFTER)
        .map(printable)
        .collect();
    let carets = "^".repeat(width.clamp(1, SHOWN_AFTER));
    let indent = " ".repeat(before - skipped);
    let margin = " ".repeat(line.to_string().len());
    format!(" {line} | {shown}\n {margin} | {indent}{carets}")
}

/// A terminal must neither be driven nor deceived by what a rule file says.
fn printable(character: char) -> char {
    match character {
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{FFFD}',
        other if other.is_control() => ' ',
        other => other,
    }
}

/// A word of the author's, fit to stand in a message.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let shown: String = text.chars().take(SHOWN).map(printable).collect();
    let dots = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("`{shown}{dots}`")
}

/// The candidate that `word` is most likely a misspelling of.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let distances = candidates
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known));
    distances
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `: did you mean x?`, or else `: it is one of …`.
pub(crate) fn suggestion(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(known) => format!(": did you mean `{known}`?"),
        None => format!(": it is one of {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_as_a_compiler_tells_it() {
        let source = Source {
            file: "rules/a.yml",
            text: "id: a\nquery: x | windw 5m\r\nmode: live\n",
        };
        let error = source.error(&Fault::new(17..22, "unknown stage `windw`: did you mean `window`?"));
        let expected = "rules/a.yml:2:12: error: unknown stage `windw`: did you mean `window`?\n \
                        2 | query: x | windw 5m\n   |            ^^^^^";
        assert_eq!(error.to_string(), expected);
        assert_eq!(source.offset(2, 12), 17);
    }

    #[test]
    fn a_long_line_is_cropped_and_control_characters_are_gone() {
        let text = format!("{}\u{1b}[31m\u{202e}{}", "a".repeat(200), "b".repeat(500));
        let place = Source { file: "f", text: &text }.place(&(200..201));
        assert_eq!((place.line, place.column), (1, 201));
        assert!(
            place.snippet.lines().all(|line| line.chars().count() < 160),
            "{}",
            place.snippet
        );
        assert!(place.snippet.contains(" [31m\u{fffd}b"), "{}", place.snippet);
        let caret = place
            .snippet
            .lines()
            .nth(1)
            .and_then(|line| line.chars().position(|it| it == '^'));
        assert_eq!(caret, Some(" 1 | ".len() + SHOWN_BEFORE));
    }

    #[test]
    fn a_place_beyond_the_text_or_within_a_character_is_no_panic() {
        let source = Source { file: "f", text: "ü" };
        assert_eq!(source.place(&(1..9)).column, 1);
        assert_eq!(source.place(&(50..60)).column, 2);
        assert_eq!(source.offset(7, 7), 2);
    }

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["window", "where", "count"];
        assert_eq!(nearest("wnidow", known), Some("window"));
        assert_eq!(nearest("WHERE", known), Some("where"));
        assert_eq!(nearest("frobnicate", known), None);
        assert_eq!(nearest(&"w".repeat(100_000), known), None);
    }
}
