use std::ops::Range;
use std::time::Duration;

use event::{SemanticHash, Severity};

use super::keys;
use super::reader::{Entries, Entry, Reader};
use super::yaml::{Content, Node};
use super::{tag, test_section};
use crate::error::{Fault, Given, quoted, suggestion};
use crate::lints::{self, LintOff, Places};
use crate::query::{Query, without_state, zone};
use crate::sigma::{self, Placeholders};
use crate::{Message, Mode, Pattern, Place, Rule, RuleWarning, Timing};

/// Keys that only a Sigma rule has.
const SIGMA_KEYS: [&str; 3] = ["detection", "logsource", "correlation"];

/// A rule, what is likely a mistake in it, and the places that two rules are compared at.
pub(crate) struct Located {
    pub(crate) rule: Rule,
    pub(crate) warnings: Vec<RuleWarning>,
    /// The lints that are off for it.
    pub(crate) off: Vec<&'static str>,
    pub(crate) id: Place,
    pub(crate) query: Place,
    pub(crate) regexes: usize,
}

/// The rule of a document, or `None` if the reader has kept an error.
pub(crate) fn rule(reader: &mut Reader, node: Node, placeholders: &Placeholders) -> Option<Located> {
    if let Some(fault) = not_ours(&node) {
        reader.refuse(&fault);
        return None;
    }
    let before = reader.errors.len();
    let at = node.at.start..node.at.start + 1;
    let mut entries = reader.mapping(node, "a rule", keys::RULE)?;
    let id = entries.take("id").and_then(|entry| id(reader, entry));
    let title = entries.take("title").and_then(|entry| reader.text(entry));
    let severity = entries.take("severity").and_then(|entry| reader.one_of(entry));
    let message = entries.take("message").and_then(|entry| message(reader, entry));
    let mode = entries
        .take("mode")
        .map_or(Some(Mode::Live), |entry| Some(Mode::ALL[reader.one_of(entry)?]));
    let about = about(reader, &mut entries);
    let off = entries
        .take("lint_off")
        .map_or_else(Vec::new, |entry| lints_off(reader, entry));
    let condition = condition(reader, &mut entries, at, placeholders);
    let timing = (condition.as_ref()).and_then(|query| timing(reader, &mut entries, &query.value, &query.at));
    let (id, query, message) = (id?, condition?, message?);
    let Given {
        value: query,
        at: query_at,
    } = query;
    let (timing, timezone) = timing?;
    let mut rule = Rule {
        id: id.value,
        title: title?.value,
        description: about.description,
        severity: Severity::ALL[severity?],
        tags: about.tags,
        mode: mode?,
        message: message.value,
        hash: SemanticHash::new(""),
        pattern: query.pattern,
        timing,
        file: reader.source.file.to_owned(),
        runbook: about.runbook,
        references: about.references,
        generates: true,
        tests: Vec::new(),
    };
    rule.hash = SemanticHash::new(&rule.meaning());
    let mut tests = Vec::new();
    if let Some(entry) = entries.take("tests") {
        (rule.tests, tests) = test_section::tests(reader, entry, &rule.key_fields())?
            .into_iter()
            .unzip();
    }
    if reader.errors.len() > before {
        return None;
    }
    let places = Places {
        id: id.at,
        query: query_at,
        message: message.at,
        timezone,
        tests,
        doubts: query.warnings,
        off,
    };
    located(reader, rule, &places, query.regexes)
}

/// The rule with its places, unless it is one that nobody can mean.
fn located(reader: &mut Reader, rule: Rule, places: &Places, regexes: usize) -> Option<Located> {
    if let Some(storm) = lints::storm(&rule, places) {
        reader.refuse(&storm);
        return None;
    }
    Some(Located {
        off: places.off.iter().map(|off| off.name).collect(),
        warnings: lints::look(reader.source, &rule, places),
        id: reader.source.place(&places.id),
        query: reader.source.place(&places.query),
        rule,
        regexes,
    })
}

/// What a rule says to people and not to the engine.
struct About {
    description: String,
    tags: Vec<String>,
    runbook: Option<String>,
    references: Vec<String>,
}

fn about(reader: &mut Reader, entries: &mut Entries) -> About {
    let mut text = |reader: &mut Reader, name| Some(reader.text(entries.take(name)?)?.value);
    let (description, runbook) = (text(reader, "description"), text(reader, "runbook"));
    let references = items(reader, entries, "references");
    let references = references.into_iter().filter_map(|item| reader.text(item));
    let references = references.map(|given| given.value).collect();
    let tags = items(reader, entries, "tags");
    About {
        description: description.unwrap_or_default(),
        tags: tags.into_iter().filter_map(|item| tag::tag(reader, item)).collect(),
        runbook,
        references,
    }
}

fn items(reader: &mut Reader, entries: &mut Entries, name: &str) -> Vec<Entry> {
    let listed = entries.take(name).and_then(|entry| reader.list(entry));
    listed.unwrap_or_default()
}

/// What can be said at once about a document that is no rule of this language.
fn not_ours(node: &Node) -> Option<Fault> {
    let Content::Mapping(entries) = &node.content else {
        let message = format!(
            "a rule is a mapping with `id`, `title`, `query` and more, not {}; several rules in one \
                               file are separated by `---`",
            node.described()
        );
        return Some(Fault::new(node.at.clone(), message));
    };
    let (key, _) = entries
        .iter()
        .find(|(key, _)| SIGMA_KEYS.contains(&key.value.as_str()))?;
    Some(Fault::new(
        key.at.clone(),
        "a rule of this language has a `query`, and one of Sigma has none",
    ))
}

fn id(reader: &mut Reader, entry: Entry) -> Option<Given<String>> {
    let id = reader.line(entry.node, entry.name, Rule::ID_BYTES_MAX)?;
    if !Rule::is_id(&id.value) {
        let message = format!(
            "{} is not an id: ASCII letters, digits, `_`, `-` and `.`",
            quoted(&id.value)
        );
        reader.refuse(&Fault::new(id.at, message));
        return None;
    }
    Some(id)
}

fn message(reader: &mut Reader, entry: Entry) -> Option<Given<Message>> {
    let written = reader.text(entry)?;
    let read = Message::parse(&written.value).map_err(|fault| reader.within(&written, &fault));
    let value = reader.keep(read)?;
    Some(Given { value, at: written.at })
}

/// The warnings that are not wanted, each with a reason.
fn lints_off(reader: &mut Reader, entry: Entry) -> Vec<LintOff> {
    let Content::Mapping(entries) = entry.node.content else {
        reader.unexpected(
            &entry.node,
            entry.name,
            "a mapping from a lint to the reason why it is off",
        );
        return Vec::new();
    };
    let names: Vec<&'static str> = lints::all().map(|(name, _)| name).collect();
    let mut off = Vec::new();
    for (lint, reason) in entries {
        if reader.line(reason, &lint.value, keys::REASON_BYTES_MAX).is_none() {
            continue;
        }
        match names.iter().find(|name| **name == lint.value) {
            Some(name) => off.push(LintOff { name, at: lint.at }),
            None => {
                let message = format!(
                    "there is no lint {}{}",
                    quoted(&lint.value),
                    suggestion(&lint.value, &names)
                );
                reader.refuse(&Fault::new(lint.at, message));
            }
        }
    }
    off
}

/// When the rule fires, by `query` or by `sigma`, and where that stands.
fn condition(
    reader: &mut Reader,
    entries: &mut Entries,
    at: Range<usize>,
    placeholders: &Placeholders,
) -> Option<Given<Query>> {
    match (entries.take("query"), entries.take("sigma")) {
        (Some(entry), None) => {
            let written = reader.text(entry)?;
            let value = query(reader, &written)?;
            Some(Given { value, at: written.at })
        }
        (None, Some(Entry { node, .. })) => {
            let at = node.at.start..node.at.start + 1;
            match sigma::detected(reader.source, node, placeholders) {
                Ok(value) => Some(Given { value, at }),
                Err(mut errors) => {
                    reader.errors.append(&mut errors);
                    None
                }
            }
        }
        (Some(_), Some(entry)) => {
            let message = "a rule has a `query` or `sigma`, not both";
            reader.refuse(&Fault::new(entry.node.at, message));
            None
        }
        (None, None) => {
            reader.refuse(&Fault::new(at, "`query` is missing"));
            None
        }
    }
}

fn query(reader: &mut Reader, written: &Given<String>) -> Option<Query> {
    match crate::query::parse(&written.value) {
        Ok(mut query) => {
            let doubts = query.warnings.iter().map(|doubt| reader.within(written, doubt));
            query.warnings = doubts.collect();
            Some(query)
        }
        Err(faults) => {
            for fault in faults {
                let fault = reader.within(written, &fault);
                reader.refuse(&fault);
            }
            None
        }
    }
}

/// The zone by the name that the database gives it.
fn timezone(reader: &mut Reader, entry: Entry) -> Option<Given<String>> {
    let Given { value, at } = reader.text(entry)?;
    let read = zone(&value, &at).map(|(_, value)| Given { value, at });
    reader.keep(read)
}

/// How long it waits, and where its zone stands.
fn timing(
    reader: &mut Reader,
    entries: &mut Entries,
    query: &Query,
    query_at: &Range<usize>,
) -> Option<(Timing, Option<Range<usize>>)> {
    let is_stateful = !matches!(query.pattern, Pattern::Each(_));
    let before = reader.errors.len();
    let zone = entries.take("timezone").and_then(|entry| timezone(reader, entry));
    let mut knob = |name, stage, in_query: Option<Duration>| {
        let in_file = entries.take(name).and_then(|entry| reader.span(entry));
        match (in_file, in_query) {
            (Some(given), Some(_)) => {
                reader.refuse(&Fault::new(given.at, format!("`{stage}` stands in the query as well")));
                None
            }
            (Some(given), None) if !is_stateful => {
                reader.refuse(&Fault::new(given.at, without_state(name)));
                None
            }
            (Some(given), None) => Some(given),
            (None, in_query) => in_query.map(|value| Given {
                value,
                at: query_at.clone(),
            }),
        }
    };
    let grace = knob("grace", "grace", query.grace);
    let lateness = knob("lateness", "lateness", query.lateness);
    let keep_alive = knob("keep_alive", "keep_alive", query.keep_alive);
    let suppress = knob("suppression", "suppress", query.suppress);
    let default = Timing::default_of(&query.pattern);
    let span = |given: Option<Given<Duration>>, default| given.map_or(default, |given| given.value);
    let every_match = keep_alive.as_ref().is_some_and(|given| given.value.is_zero());
    let keep_alive = span(keep_alive, default.keep_alive);
    if let Some(given) = &suppress
        && given.value <= keep_alive
    {
        let message = "`suppress` is not longer than `keep_alive`, so it says nothing";
        reader.refuse(&Fault::new(given.at.clone(), message));
    } else if let Some(given) = &suppress
        && every_match
    {
        let message = "`every_match` in the query makes each match an alert of its own: none can be suppressed";
        reader.refuse(&Fault::new(given.at.clone(), message));
    }
    let (timezone, zone_at) = zone.map(|zone| (zone.value, zone.at)).unzip();
    let timing = Timing {
        grace: span(grace, default.grace),
        lateness: span(lateness, default.lateness),
        keep_alive,
        suppress: span(suppress, default.suppress),
        timezone: timezone.unwrap_or(default.timezone),
    };
    (reader.errors.len() == before).then_some((timing, zone_at))
}
