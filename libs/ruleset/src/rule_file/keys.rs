//! Every key of a rule file, once: the reader takes keys by this table, and the schema for editors and the table in
//! `docs/rules.md` are written from it.

use event::Severity;

use crate::Mode;
use crate::query::{Bounds, GRACE, KEEP_ALIVE, LATENESS, QUERY_BYTES_MAX, SUPPRESS};

/// One key of a mapping.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) presence: Presence,
    pub(crate) shape: Shape,
    /// What it is for, in a line.
    pub(crate) about: &'static str,
}

/// Whether a key has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
    /// It may be absent, and then this is so.
    Default(&'static str),
}

/// What the value of a key has to be.
pub(crate) enum Shape {
    /// Text of one line, in bytes at most.
    Line(usize),
    /// Text of any number of lines, in bytes at most.
    Text(usize),
    /// What a rule is called: ASCII letters, digits, `_`, `-` and `.`.
    Id,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A span of time.
    Span(&'static Bounds),
    /// A moment.
    Moment,
    /// A whole number.
    Count,
    /// A tag; one of ATT&CK has its form.
    Tag,
    /// At most so many of them.
    List(&'static Shape, usize),
    /// A mapping with these keys.
    Mapping(&'static [Key]),
    /// A mapping from names of lints to why each is off.
    LintsOff,
    /// Log source and detection of a Sigma rule.
    Detection,
    /// A mapping from fields of the rule's key to values.
    KeyValues,
    /// An event in the canonical form, or a line of a log.
    Event,
}

const LINE_BYTES_MAX: usize = 500;
const MESSAGE_BYTES_MAX: usize = 1_000;
const RENDERED_BYTES_MAX: usize = 64 * 1024;
pub(crate) const LOG_LINE_BYTES_MAX: usize = 64 * 1024;
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
pub(crate) const REASON_BYTES_MAX: usize = LINE_BYTES_MAX;
const NAME_BYTES_MAX: usize = 200;
const LIST_MAX: usize = 100;
const TESTS_MAX: usize = 1_000;
/// What the reader of YAML allows in a file.
const EVENTS_MAX: usize = 100_000;

const SEVERITIES: [&str; 4] = [
    Severity::ALL[0].as_str(),
    Severity::ALL[1].as_str(),
    Severity::ALL[2].as_str(),
    Severity::ALL[3].as_str(),
];

const MODES: [&str; 3] = [Mode::ALL[0].as_str(), Mode::ALL[1].as_str(), Mode::ALL[2].as_str()];

/// A rule.
pub(crate) const RULE: &[Key] = &[
    required(
        "id",
        Shape::Id,
        "unique; ASCII letters, digits, `_`, `-`, `.`. It stands in every alert: do not change it",
    ),
    required("title", Shape::Line(LINE_BYTES_MAX), "what people call it"),
    optional(
        "description",
        Shape::Text(DESCRIPTION_BYTES_MAX),
        "what it finds, and why that matters",
    ),
    required(
        "severity",
        Shape::OneOf(&SEVERITIES),
        "`low`, `medium`, `high` or `critical`; decides who is told",
    ),
    optional(
        "tags",
        Shape::List(&Shape::Tag, LIST_MAX),
        "ATT&CK and other tags: `[attack.credential_access, attack.t1110.001, team.identity]`",
    ),
    optional(
        "query",
        Shape::Text(QUERY_BYTES_MAX),
        "when it fires, in the pipe language; a rule has either this or `sigma`",
    ),
    optional(
        "sigma",
        Shape::Detection,
        "when it fires, as a Sigma rule says it: `detection`, and where it is known `logsource` (docs/sigma.md)",
    ),
    required(
        "message",
        Shape::Line(MESSAGE_BYTES_MAX),
        "the text of the alert. `{field}` is the value in the event that opened it, or `unknown`; `{{` and `}}` are braces",
    ),
    with_default(
        "timezone",
        "UTC",
        Shape::Line(LINE_BYTES_MAX),
        "of `hour` and `weekday`; an IANA name such as `Europe/Berlin`",
    ),
    with_default(
        "mode",
        "live",
        Shape::OneOf(&MODES),
        "`off`: it does not run. `test`: it runs and is counted, but its alerts go nowhere",
    ),
    optional(
        "grace",
        Shape::Span(&GRACE),
        "as the stage `grace`; in one place, not in both",
    ),
    optional(
        "lateness",
        Shape::Span(&LATENESS),
        "as the stage `lateness`; in one place, not in both",
    ),
    optional(
        "keep_alive",
        Shape::Span(&KEEP_ALIVE),
        "as the stage `keep_alive`; in one place, not in both",
    ),
    optional(
        "suppression",
        Shape::Span(&SUPPRESS),
        "as the stage `suppress`; in one place, not in both",
    ),
    optional(
        "runbook",
        Shape::Line(LINE_BYTES_MAX),
        "what to do when it fires: a link or a sentence",
    ),
    optional(
        "references",
        Shape::List(&Shape::Line(LINE_BYTES_MAX), LIST_MAX),
        "where to read more",
    ),
    optional(
        "lint_off",
        Shape::LintsOff,
        "warnings that are not to be told of this rule, each with the reason: `{unknown-field: the shop sends it}`",
    ),
    optional("tests", Shape::List(&Shape::Mapping(TEST), TESTS_MAX), "see below"),
];

/// A test.
pub(crate) const TEST: &[Key] = &[
    required("name", Shape::Line(NAME_BYTES_MAX), "what it shows"),
    with_default(
        "format",
        "auto",
        Shape::Line(NAME_BYTES_MAX),
        "the format of those of its events that are lines of a log",
    ),
    required(
        "events",
        Shape::List(&Shape::Event, EVENTS_MAX),
        "in order of arrival; each in the canonical form, or a line of a log",
    ),
    required(
        "expect",
        Shape::List(&Shape::Mapping(EXPECT), EVENTS_MAX),
        "the alerts of the rule, in order of opening; `[]` for none",
    ),
];

/// What a test demands of one alert.
pub(crate) const EXPECT: &[Key] = &[
    optional("key", Shape::KeyValues, "the values it is grouped by"),
    optional("count", Shape::Count, "how many events contributed, repeats counted"),
    optional("message", Shape::Line(RENDERED_BYTES_MAX), "the text of the alert"),
    optional("first_event_at", Shape::Moment, "the time of its first event"),
    optional("last_event_at", Shape::Moment, "the time of its last event"),
    optional(
        "events",
        Shape::List(&Shape::Line(NAME_BYTES_MAX), EVENTS_MAX),
        "the ids of its events; one without an id is `event-1`, `event-2`, … by its place in the test",
    ),
];

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    key(name, Presence::Required, shape, about)
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    key(name, Presence::Optional, shape, about)
}

const fn with_default(name: &'static str, default: &'static str, shape: Shape, about: &'static str) -> Key {
    key(name, Presence::Default(default), shape, about)
}

const fn key(name: &'static str, presence: Presence, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        presence,
        shape,
        about,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the table is compared with the documentation")]

    use super::*;

    #[test]
    fn every_key_has_its_row_in_the_documentation() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
        let text = std::fs::read_to_string(path).expect("the documentation is there");
        for key in [RULE, TEST, EXPECT].into_iter().flatten() {
            let presence = match key.presence {
                Presence::Required => "required".to_owned(),
                Presence::Optional => String::new(),
                Presence::Default(value) => format!("`{value}`"),
            };
            let row = format!("| `{}` | {presence} | {} |\n", key.name, key.about).replace("|  |", "| |");
            assert!(text.contains(&row), "{row}");
        }
    }
    /// What stands under a key is looked at: a list of nothing is right for none of them.
    #[test]
    fn no_key_is_passed_over() {
        let refused = |key: &Key, before: &str| {
            let text = format!("{before}{}: [[]]\n", key.name);
            let errors = crate::parse("r.yml", &text).expect_err(key.name);
            let line = text.lines().count();
            let told = errors.iter().any(|error| error.place.line == line);
            assert!(told, "`{}` is not read: {errors:?}", key.name);
        };
        let rule = "id: a\ntitle: t\nseverity: low\nmessage: m\nquery: a | window 1m | count > 1\n";
        for key in RULE {
            let prefix = format!("{}:", key.name);
            let others = rule.split_inclusive('\n').filter(|line| !line.starts_with(&prefix));
            refused(key, &others.collect::<String>());
        }
        let test = format!("{rule}tests:\n- ");
        for key in TEST {
            refused(key, &test);
        }
        let expect = format!("{rule}tests:\n- name: n\n  events: [{{}}]\n  expect:\n  - ");
        for key in EXPECT {
            refused(key, &expect);
        }
    }
}
