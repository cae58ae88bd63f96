//! What rules read of an event, by way of [`Event::decode`] and [`Event::field`]: slow, and what [`crate::extract`] has to
//! agree with.

use std::borrow::Cow;

use event::{Event, FieldValue, Timestamp};
use serde_json::Value;

use crate::subject::{Slots, Subject};

pub(crate) mod conditions;
pub(crate) mod random;

impl<'a> Subject<'a> {
    /// What `event` says of what is read.
    pub(crate) fn of_event(event: &'a Event, time: Timestamp, slots: &Slots) -> Self {
        let tags = if slots.reads_tags { event.tags.as_slice() } else { &[] };
        Self {
            time,
            values: slots.fill(|name| event.field(name)),
            tags: tags.iter().map(|tag| Cow::Borrowed(tag.as_str())).collect(),
            texts: if slots.reads_texts { texts_of(event) } else { Vec::new() },
            alert_of: None,
        }
    }
}

/// Every text of an event: the canonical fields that are text, and all text within metadata. Neither names nor
/// numbers, nor when it happened.
fn texts_of(event: &Event) -> Vec<FieldValue<'_>> {
    let canonical = TEXT_FIELDS.iter().filter_map(|name| event.field(name).filter(is_text));
    let mut texts: Vec<_> = canonical.collect();
    event.metadata.values().for_each(|value| push_texts(value, &mut texts));
    texts
}

/// The canonical fields that are text.
const TEXT_FIELDS: [&str; 20] = [
    "event_id",
    "tenant",
    "service",
    "level",
    "message",
    "security_event",
    "severity",
    "user_id",
    "user_email",
    "user_role",
    "session_id",
    "source_ip",
    "user_agent",
    "action",
    "resource_type",
    "resource_id",
    "error_message",
    "trace_id",
    "span_id",
    "format",
];

fn is_text(value: &FieldValue<'_>) -> bool {
    matches!(value, FieldValue::Text(_))
}

fn push_texts<'a>(value: &'a Value, texts: &mut Vec<FieldValue<'a>>) {
    match value {
        Value::String(text) => texts.push(text.as_str().into()),
        Value::Array(elements) => elements.iter().for_each(|element| push_texts(element, texts)),
        Value::Object(fields) => fields.values().for_each(|value| push_texts(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
