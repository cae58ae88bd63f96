//! What conditions are asked of: the values of the fields that some rule reads, each in its slot.
//!
//! [`Slots`] numbers the names once, when rules are prepared. Whatever has fields (an event, the opening of an alert)
//! is asked by filling the slots: `Slots::fill` does it by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use event::{Event, FieldValue, Timestamp};
use serde_json::Value;

/// The place of a field among those that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(usize);

/// The names of the fields that some rule reads, and what else some rule reads.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    names: Vec<String>,
    by_name: BTreeMap<String, Slot>,
    /// Some rule asks for a tag.
    pub(crate) reads_tags: bool,
    /// Some rule asks every text.
    pub(crate) reads_texts: bool,
}

/// What is asked: an event, or the opening of an alert.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// The effective time.
    pub(crate) time: Timestamp,
    /// The values, by slot; `None` where there is none.
    pub(crate) values: Vec<Option<FieldValue<'a>>>,
    /// The tags, if [`Slots::reads_tags`].
    pub(crate) tags: Vec<Cow<'a, str>>,
    /// Every text, if [`Slots::reads_texts`].
    pub(crate) texts: Vec<FieldValue<'a>>,
    /// The id of the rule whose alert it is. `None`: it is an event of the log.
    pub(crate) alert_of: Option<&'a str>,
}

impl Slots {
    /// The slot of `name`, a new one if it has none yet.
    pub(crate) fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.by_name.get(name) {
            return *slot;
        }
        let slot = Slot(self.names.len());
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), slot);
        slot
    }

    /// The value of every slot, by its name.
    pub(crate) fn fill<'a>(&self, value: impl Fn(&str) -> Option<FieldValue<'a>>) -> Vec<Option<FieldValue<'a>>> {
        self.names.iter().map(|name| value(name)).collect()
    }
}

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

    /// The value in `slot`.
    pub(crate) fn value(&self, slot: Slot) -> Option<&FieldValue<'a>> {
        self.values.get(slot.0)?.as_ref()
    }
}

/// Every text of an event: the canonical fields that are text, and all text within metadata. Neither names nor
/// numbers, nor when it happened.
pub(crate) fn texts_of(event: &Event) -> Vec<FieldValue<'_>> {
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
