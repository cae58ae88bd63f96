use std::time::Duration;

use event::{SemanticHash, Severity};

use super::reader::{Entries, Reader};
use super::test_section;
use super::yaml::{Content, Node};
use crate::error::{Fault, Given, quoted, suggestion};
use crate::meaning::asks_the_clock;
use crate::query::{Bounds, GRACE, KEEP_ALIVE, LATENESS, Notes, QUERY_BYTES_MAX, Query, duration, without_state, zone};
use crate::{Message, Mode, Pattern, Place, Rule, Timing};

const KEYS: [&str; 15] = [
    "id",
    "title",
    "description",
    "severity",
    "tags",
    "query",
    "message",
    "timezone",
    "mode",
    "grace",
    "lateness",
    "keep_alive",
    "runbook",
    "references",
    "tests",
];

/// Keys that only a Sigma rule has.
const SIGMA_KEYS: [&str; 4] = ["sigma", "detection", "logsource", "correlation"];

const ID_BYTES_MAX: usize = 128;
const LINE_BYTES_MAX: usize = 500;
const MESSAGE_BYTES_MAX: usize = 1_000;
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
const LIST_MAX: usize = 100;

const GRACE_DEFAULT_MAX: Duration = Duration::from_secs(10 * 60);
const LATENESS_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// A rule and the places that two rules are compared at.
pub(crate) struct Located {
    pub(crate) rule: Rule,
    pub(crate) id: Place,
    pub(crate) query: Place,
    pub(crate) regexes: usize,
}

/// The rule of a document, or `None` if the reader has kept an error.
pub(crate) fn rule(reader: &mut Reader, node: Node) -> Option<Located> {
    if let Some(fault) = not_ours(&node) {
        reader.refuse(&fault);
        return None;
    }
    let before = reader.errors.len();
    let mut entries = reader.mapping(node, "a rule", &KEYS)?;
    let id = reader.require(&mut entries, "id").and_then(|node| id(reader, node));
    let title = reader
        .require(&mut entries, "title")
        .and_then(|node| reader.text(node, "title", LINE_BYTES_MAX));
    let severity = reader
        .require(&mut entries, "severity")
        .and_then(|node| severity(reader, node));
    let message = reader
        .require(&mut entries, "message")
        .and_then(|node| message(reader, node));
    let mode = entries.take("mode").map_or(Some(Mode::Live), |node| mode(reader, node));
    let about = about(reader, &mut entries);
    let written = reader.require(&mut entries, "query");
    let written = written.and_then(|node| reader.any_text(node, "query", QUERY_BYTES_MAX));
    let query = written.as_ref().and_then(|written| query(reader, written));
    let timing = query.as_ref().and_then(|query| timing(reader, &mut entries, query));
    if let (Some(timing), Some(written)) = (&timing, &written)
        && !timing.suppress.is_zero()
        && timing.suppress <= timing.keep_alive
    {
        let message = "`suppress` is not longer than `keep_alive`, so it says nothing";
        reader.refuse(&Fault::new(written.at.clone(), message));
    }
    let (id, query) = (id?, query?);
    let mut rule = Rule {
        id: id.value,
        title: title?.value,
        description: about.description,
        severity: severity?,
        tags: about.tags,
        mode: mode?,
        message: message?,
        hash: SemanticHash::new(""),
        pattern: query.pattern,
        timing: timing?,
        file: reader.source.file.to_owned(),
        runbook: about.runbook,
        references: about.references,
        generates: true,
        tests: Vec::new(),
    };
    rule.hash = SemanticHash::new(&rule.meaning());
    if let Some(node) = entries.take("tests") {
        rule.tests = test_section::tests(reader, node, &rule.key_fields())?;
    }
    if rule.tests.is_empty() {
        let message = format!("{} has no tests: nothing shows that it fires", quoted(&rule.id));
        reader.warn(&Fault::new(id.at.clone(), message));
    }
    let query_place = reader.source.place(&written?.at);
    let id = reader.source.place(&id.at);
    (reader.errors.len() == before).then_some(Located {
        rule,
        id,
        query: query_place,
        regexes: query.regexes,
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
    let description = entries.take("description");
    let description = description.and_then(|node| reader.any_text(node, "description", DESCRIPTION_BYTES_MAX));
    let runbook = entries
        .take("runbook")
        .and_then(|node| reader.text(node, "runbook", LINE_BYTES_MAX));
    About {
        description: description.map(|given| given.value).unwrap_or_default(),
        tags: entries
            .take("tags")
            .map_or_else(Vec::new, |node| lines(reader, node, "tags")),
        runbook: runbook.map(|given| given.value),
        references: entries
            .take("references")
            .map_or_else(Vec::new, |node| lines(reader, node, "references")),
    }
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
        "Sigma rules are not supported yet: write the rule as a `query`",
    ))
}

fn id(reader: &mut Reader, node: Node) -> Option<Given<String>> {
    let id = reader.text(node, "id", ID_BYTES_MAX)?;
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

fn severity(reader: &mut Reader, node: Node) -> Option<Severity> {
    let given = reader.text(node, "severity", LINE_BYTES_MAX)?;
    let names = Severity::ALL.map(Severity::as_str);
    let read = one_of(&given, "severity", &names).map(|index| Severity::ALL[index]);
    reader.keep(read)
}

fn mode(reader: &mut Reader, node: Node) -> Option<Mode> {
    let given = reader.text(node, "mode", LINE_BYTES_MAX)?;
    let read = one_of(&given, "mode", &["off", "test", "live"]).map(|index| [Mode::Off, Mode::Test, Mode::Live][index]);
    reader.keep(read)
}

/// Which of the names it is.
fn one_of(given: &Given<String>, kind: &str, names: &[&str]) -> Result<usize, Fault> {
    let found = names.iter().position(|name| *name == given.value);
    found.ok_or_else(|| {
        Fault::new(
            given.at.clone(),
            format!(
                "{} is not a {kind}{}",
                quoted(&given.value),
                suggestion(&given.value, names)
            ),
        )
    })
}

/// A list of texts of one line each.
fn lines(reader: &mut Reader, node: Node, name: &str) -> Vec<String> {
    let at = node.at.clone();
    let items = reader.list(node, name).unwrap_or_default();
    if items.len() > LIST_MAX {
        reader.refuse(&Fault::new(
            at,
            format!("{} has at most {LIST_MAX} entries", quoted(name)),
        ));
    }
    let read = items
        .into_iter()
        .filter_map(|item| reader.text(item, name, LINE_BYTES_MAX));
    read.map(|given| given.value).collect()
}

fn message(reader: &mut Reader, node: Node) -> Option<Message> {
    let written = reader.text(node, "message", MESSAGE_BYTES_MAX)?;
    let mut notes = Notes::default();
    let read = Message::parse(&written.value, &mut notes).map_err(|fault| reader.within(&written, &fault));
    for warning in notes.into_warnings() {
        let warning = reader.within(&written, &warning);
        reader.warn(&warning);
    }
    let message = reader.keep(read)?;
    if message.fields().next().is_none() {
        let warning = "the message names nothing of the event, so every alert of the rule reads the same";
        reader.warn(&Fault::new(written.at, warning));
    }
    Some(message)
}

fn query(reader: &mut Reader, written: &Given<String>) -> Option<Query> {
    match crate::query::parse(&written.value) {
        Ok(query) => {
            for warning in &query.warnings {
                let warning = reader.within(written, warning);
                reader.warn(&warning);
            }
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
fn timezone(reader: &mut Reader, node: Node) -> Option<Given<String>> {
    let Given { value, at } = reader.text(node, "timezone", LINE_BYTES_MAX)?;
    let read = zone(&value, &at).map(|(_, value)| Given { value, at });
    reader.keep(read)
}

fn timing(reader: &mut Reader, entries: &mut Entries, query: &Query) -> Option<Timing> {
    let is_stateful = !matches!(query.pattern, Pattern::Each(_));
    let window = is_stateful.then(|| query.pattern.reach());
    let before = reader.errors.len();
    let zone = entries.take("timezone").and_then(|node| timezone(reader, node));
    let mut knob = |name, bounds, in_query: Option<Duration>| {
        let in_file = entries.take(name).and_then(|node| span(reader, node, name, bounds));
        match (in_file, in_query) {
            (Some(given), Some(_)) => {
                reader.refuse(&Fault::new(given.at, format!("`{name}` stands in the query as well")));
                None
            }
            (Some(given), None) if window.is_none() => {
                reader.refuse(&Fault::new(given.at, without_state(name)));
                None
            }
            (Some(given), None) => Some(given.value),
            (None, in_query) => in_query,
        }
    };
    let grace = knob("grace", &GRACE, query.grace);
    let lateness = knob("lateness", &LATENESS, query.lateness);
    let keep_alive = knob("keep_alive", &KEEP_ALIVE, query.keep_alive);
    if let (Some(zone), false) = (&zone, asks_the_clock(&query.pattern)) {
        reader.warn(&Fault::new(
            zone.at.clone(),
            "the time zone has no effect: the query asks for no hour and no weekday",
        ));
    }
    let window = window.unwrap_or_default();
    (reader.errors.len() == before).then(|| Timing {
        grace: grace.unwrap_or(window.min(GRACE_DEFAULT_MAX)),
        lateness: lateness.unwrap_or(LATENESS_DEFAULT),
        keep_alive: keep_alive.unwrap_or_else(|| query.pattern.default_keep_alive()),
        suppress: query.suppress.unwrap_or_default(),
        timezone: zone.map_or_else(|| "UTC".to_owned(), |zone| zone.value.clone()),
    })
}

fn span(reader: &mut Reader, node: Node, name: &str, bounds: &Bounds) -> Option<Given<Duration>> {
    let Given { value, at } = reader.text(node, name, LINE_BYTES_MAX)?;
    let read = duration(&value, &at, bounds);
    reader.keep(read).map(|value| Given { value, at })
}
