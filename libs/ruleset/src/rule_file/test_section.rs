use std::ops::Range;

use event::{Event, Timestamp};
use formats::{Choice, UnknownFormat};
use serde_json::{Map, Value, json};

use super::keys;
use super::reader::{Entries, Entry, Reader};
use super::yaml::{Content, Node, json_object};
use crate::error::{Fault, Given, quoted, suggestion};
use crate::{Expectation, RuleTest, TestEvent};

/// The tests of a rule and where the events of each stand, or `None` if one of them cannot be read. `key_fields` is what
/// the rule groups by.
pub(crate) fn tests(
    reader: &mut Reader,
    entry: Entry,
    key_fields: &[&str],
) -> Option<Vec<(RuleTest, Vec<Range<usize>>)>> {
    let items = reader.list(entry)?;
    let read: Vec<_> = items
        .into_iter()
        .map(|item| test(reader, item.node, key_fields))
        .collect();
    read.into_iter().collect()
}

fn test(reader: &mut Reader, node: Node, key_fields: &[&str]) -> Option<(RuleTest, Vec<Range<usize>>)> {
    let before = reader.errors.len();
    let mut entries = reader.mapping(node, "a test", keys::TEST)?;
    let name = entries.take("name").and_then(|entry| reader.text(entry));
    let format = entries
        .take("format")
        .map_or(Some(Choice::Auto), |entry| format(reader, entry));
    let (events, places) = entries
        .take("events")
        .and_then(|entry| events(reader, entry))
        .unwrap_or_default();
    let expected = entries.take("expect").and_then(|entry| reader.list(entry));
    let mut expect = Vec::new();
    for item in expected.unwrap_or_default() {
        expect.extend(expectation(reader, item.node, key_fields));
    }
    let test = RuleTest {
        name: name?.value,
        format: format?,
        events,
        expect,
    };
    (reader.errors.len() == before).then_some((test, places))
}

fn format(reader: &mut Reader, entry: Entry) -> Option<Choice> {
    let Given { value, at } = reader.text(entry)?;
    let read = value
        .parse()
        .map_err(|error: UnknownFormat| Fault::new(at, error.to_string()));
    reader.keep(read)
}

fn events(reader: &mut Reader, entry: Entry) -> Option<(Vec<TestEvent>, Vec<Range<usize>>)> {
    let at = entry.node.at.clone();
    let items = reader.list(entry)?;
    if items.is_empty() {
        reader.refuse(&Fault::new(at, "a test without events shows nothing"));
        return None;
    }
    let mut read = Vec::new();
    for item in items {
        let at = item.node.at.clone();
        read.extend(event(reader, item).map(|event| (event, at)));
    }
    Some(read.into_iter().unzip())
}

/// A line of a log, or an event in the canonical form.
fn event(reader: &mut Reader, entry: Entry) -> Option<TestEvent> {
    match entry.node.content {
        Content::Text(_) => reader
            .line(entry.node, "an event", keys::LOG_LINE_BYTES_MAX)
            .map(|line| TestEvent::Line(line.value)),
        Content::Mapping(entries) => fields(reader, entries).map(TestEvent::Fields),
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::List(_) => {
            let message = format!(
                "an event is a mapping or a line of a log, not {}",
                entry.node.described()
            );
            reader.refuse(&Fault::new(entry.node.at, message));
            None
        }
    }
}

fn fields(reader: &mut Reader, entries: Vec<(Given<String>, Node)>) -> Option<Map<String, Value>> {
    let places: Vec<_> = entries
        .iter()
        .map(|(key, node)| (key.at.clone(), node.at.clone()))
        .collect();
    let object = json_object(entries);
    let template = full_event();
    let known: Vec<&str> = template.keys().map(String::as_str).collect();
    let before = reader.errors.len();
    for ((key, value), (key_at, value_at)) in object.iter().zip(places) {
        if !template.contains_key(key) {
            let message = format!("an event has no key {}{}", quoted(key), suggestion(key, &known));
            reader.refuse(&Fault::new(
                key_at,
                format!("{message}; what is the producer's own goes into `metadata`"),
            ));
            continue;
        }
        let mut one = template.clone();
        one.insert(key.clone(), value.clone());
        if let Err(error) = serde_json::from_value::<Event>(Value::Object(one)) {
            reader.refuse(&Fault::new(
                value_at,
                format!("{} cannot be this: {error}", quoted(key)),
            ));
        }
    }
    (reader.errors.len() == before).then_some(object)
}

/// An event with every key, to hold the events of a test against.
pub(super) fn full_event() -> Map<String, Value> {
    let full = json!({
        "schema_version": 1, "event_id": "", "time": "2026-01-01T00:00:00.000Z", "time_suspect": true,
        "ingest_time": "2026-01-01T00:00:00.000Z", "tenant": "", "service": "", "level": "info", "message": "",
        "security_event": "", "severity": "low", "user_id": "", "user_email": "", "user_role": "", "session_id": "",
        "source_ip": "", "user_agent": "", "audit": true, "action": "", "resource_type": "", "resource_id": "",
        "success": true, "error_message": "", "metadata": {}, "trace_id": "", "span_id": "", "tags": [], "repeat": 1,
        "format": "", "raw": ""
    });
    let Value::Object(object) = full else {
        unreachable!("it is written as an object");
    };
    object
}

fn expectation(reader: &mut Reader, node: Node, key_fields: &[&str]) -> Option<Expectation> {
    let mut entries = reader.mapping(node, "an expected alert", keys::EXPECT)?;
    Some(Expectation {
        key: entries
            .take("key")
            .and_then(|entry| key(reader, entry.node, key_fields)),
        count: entries.take("count").and_then(|entry| count(reader, &entry.node)),
        message: entries
            .take("message")
            .and_then(|entry| reader.text(entry))
            .map(|given| given.value),
        first_event_at: moment(reader, &mut entries, "first_event_at"),
        last_event_at: moment(reader, &mut entries, "last_event_at"),
        events: entries.take("events").and_then(|entry| ids(reader, entry)),
    })
}

fn ids(reader: &mut Reader, entry: Entry) -> Option<Vec<String>> {
    let items = reader.list(entry)?;
    items
        .into_iter()
        .map(|item| reader.text(item).map(|given| given.value))
        .collect()
}

fn key(reader: &mut Reader, node: Node, key_fields: &[&str]) -> Option<Map<String, Value>> {
    let Content::Mapping(entries) = node.content else {
        let message = format!("`key` is a mapping from field to value, not {}", node.described());
        reader.refuse(&Fault::new(node.at, message));
        return None;
    };
    for (name, _) in entries
        .iter()
        .filter(|(name, _)| !key_fields.contains(&name.value.as_str()))
    {
        let reason = match key_fields {
            [] => ": it has no group and no join".to_owned(),
            known => suggestion(&name.value, known),
        };
        let message = format!("the rule is not keyed by {}{reason}", quoted(&name.value));
        reader.refuse(&Fault::new(name.at.clone(), message));
    }
    Some(json_object(entries))
}

fn count(reader: &mut Reader, node: &Node) -> Option<u64> {
    let count = match &node.content {
        Content::Number(number) => number.as_u64(),
        Content::Null | Content::Bool(_) | Content::Text(_) | Content::List(_) | Content::Mapping(_) => None,
    };
    if count.is_none() {
        reader.refuse(&Fault::new(node.at.clone(), "`count` is a whole number"));
    }
    count
}

fn moment(reader: &mut Reader, entries: &mut Entries, name: &str) -> Option<Timestamp> {
    let entry = entries.take(name)?;
    let Given { value, at } = reader.text(entry)?;
    let read = Timestamp::parse(&value).ok_or_else(|| timestamp_fault(&value, at));
    reader.keep(read)
}

fn timestamp_fault(written: &str, at: Range<usize>) -> Fault {
    Fault::new(
        at,
        format!("{} is not a time such as 2026-01-01T00:00:00Z", quoted(written)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_event_has_every_key_that_an_event_writes() {
        let event: Event = serde_json::from_value(Value::Object(full_event())).expect("it is an event");
        let Value::Object(mut written) = serde_json::to_value(&event).expect("it is JSON") else {
            panic!("an object")
        };
        // These are left out where they say nothing.
        for quiet in ["metadata", "tags", "repeat"] {
            written.insert(quiet.to_owned(), Value::Null);
        }
        let sorted = |map: Map<String, Value>| {
            map.into_iter()
                .map(|(key, _)| key)
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(sorted(written), sorted(full_event()));
    }
}
