use std::ops::Range;

use event::{Event, Timestamp};
use serde_json::{Map, Value, json};

use super::reader::{Entries, Reader};
use super::yaml::{Content, Node, json_object};
use crate::error::{Fault, Given, quoted, suggestion};
use crate::{Expectation, RuleTest};

const TEST_KEYS: [&str; 3] = ["name", "events", "expect"];
const EXPECT_KEYS: [&str; 5] = ["key", "count", "message", "first_event_at", "last_event_at"];
const NAME_BYTES_MAX: usize = 200;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The tests of a rule, or `None` if one of them cannot be read. `key_fields` is what the rule groups by.
pub(crate) fn tests(reader: &mut Reader, node: Node, key_fields: &[&str]) -> Option<Vec<RuleTest>> {
    let items = reader.list(node, "tests")?;
    let read: Vec<_> = items.into_iter().map(|item| test(reader, item, key_fields)).collect();
    read.into_iter().collect()
}

fn test(reader: &mut Reader, node: Node, key_fields: &[&str]) -> Option<RuleTest> {
    let mut entries = reader.mapping(node, "a test", &TEST_KEYS)?;
    let name = reader
        .require(&mut entries, "name")
        .and_then(|node| reader.text(node, "name", NAME_BYTES_MAX));
    let events = reader
        .require(&mut entries, "events")
        .and_then(|node| events(reader, node));
    let expect = reader
        .require(&mut entries, "expect")
        .and_then(|node| reader.list(node, "expect"));
    let expect: Vec<_> = expect?
        .into_iter()
        .map(|node| expectation(reader, node, key_fields))
        .collect();
    Some(RuleTest {
        name: name?.value,
        events: events?,
        expect: expect.into_iter().collect::<Option<_>>()?,
    })
}

fn events(reader: &mut Reader, node: Node) -> Option<Vec<Map<String, Value>>> {
    let at = node.at.clone();
    let items = reader.list(node, "events")?;
    if items.is_empty() {
        reader.refuse(&Fault::new(at, "a test without events shows nothing"));
        return None;
    }
    let read: Vec<_> = items.into_iter().map(|item| event(reader, item)).collect();
    read.into_iter().collect()
}

fn event(reader: &mut Reader, node: Node) -> Option<Map<String, Value>> {
    let Content::Mapping(entries) = node.content else {
        let message = format!("an event is a mapping, not {}", node.described());
        reader.refuse(&Fault::new(node.at, message));
        return None;
    };
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
fn full_event() -> Map<String, Value> {
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
    let mut entries = reader.mapping(node, "an expected alert", &EXPECT_KEYS)?;
    let before = reader.errors.len();
    let key = entries.take("key").and_then(|node| key(reader, node, key_fields));
    let count = entries.take("count").and_then(|node| count(reader, &node));
    let message = entries
        .take("message")
        .and_then(|node| reader.text(node, "message", MESSAGE_BYTES_MAX));
    let first_event_at = moment(reader, &mut entries, "first_event_at");
    let last_event_at = moment(reader, &mut entries, "last_event_at");
    let message = message.map(|given| given.value);
    (reader.errors.len() == before).then_some(Expectation {
        key,
        count,
        message,
        first_event_at,
        last_event_at,
    })
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
    let node = entries.take(name)?;
    let Given { value, at } = reader.text(node, name, NAME_BYTES_MAX)?;
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
