//! From the bytes of a record of `events.*` to what some rule reads of it, in one pass; nothing else is kept.
//!
//! What is found is what [`event::Event::field`] finds after [`event::Event::decode`]. A record that is no canonical
//! event is refused as there, with one difference: what no rule reads is only checked to be JSON. So these are errors:
//! bytes that are not UTF-8 or not JSON, a required field that is missing, a canonical field that stands twice, an unknown
//! version, and a value of a type that its field cannot have, if that field is read.

use std::borrow::Cow;
use std::fmt;

use event::{DecodeError, Event, FieldValue, Level, Severity, Timestamp};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::metadata::{Entry, Found, Reader, Values};
use crate::subject::{Slot, Slots, Subject};
use crate::watermark::effective_time;

/// What a canonical field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Version,
    EventId,
    Tenant,
    Time,
    Repeat,
    Tags,
    Metadata,
    /// Text that rules may ask for.
    Text,
    Level,
    Severity,
    Flag,
    /// What no rule can ask for.
    Unread,
}

use Kind::{EventId, Flag, Metadata, Repeat, Severity as SeverityKind, Tags, Tenant, Text, Time, Unread, Version};

/// The fields of a canonical event in the order of its bytes, and whether each has to be there.
const FIELDS: [(&str, Kind, bool); 30] = [
    ("schema_version", Version, true),
    ("event_id", EventId, true),
    ("time", Time, true),
    ("ingest_time", Unread, true),
    ("time_suspect", Unread, false),
    ("tenant", Tenant, true),
    ("service", Text, true),
    ("level", Kind::Level, true),
    ("message", Text, true),
    ("security_event", Text, false),
    ("severity", SeverityKind, true),
    ("user_id", Text, false),
    ("user_email", Text, false),
    ("user_role", Text, false),
    ("session_id", Text, false),
    ("source_ip", Text, false),
    ("user_agent", Text, false),
    ("audit", Flag, false),
    ("action", Text, false),
    ("resource_type", Text, false),
    ("resource_id", Text, false),
    ("success", Flag, false),
    ("error_message", Text, false),
    ("metadata", Metadata, false),
    ("trace_id", Text, false),
    ("span_id", Text, false),
    ("tags", Tags, false),
    ("repeat", Repeat, false),
    ("format", Text, true),
    ("raw", Unread, false),
];

/// How to read a record.
#[derive(Debug)]
pub(crate) struct Extractor {
    /// The slot of each canonical field that some rule reads.
    slots: [Option<Slot>; FIELDS.len()],
    /// A canonical field that may be absent, and the slot of the one in metadata that stands for it then.
    stand_ins: Vec<(Slot, Slot)>,
    /// The slots of what is said even by a field that is absent, or is no text.
    implied: Vec<(Slot, Implied)>,
    metadata: Entry,
    width: usize,
    reads_tags: bool,
    reads_texts: bool,
}

/// What an event says by its fields together.
#[derive(Clone, Copy, Debug)]
enum Implied {
    Time,
    Repeat,
    /// False, if nothing is said.
    Audit,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) event_id: Cow<'a, str>,
    pub(crate) tenant: Cow<'a, str>,
    pub(crate) repeat: u32,
    pub(crate) subject: Subject<'a>,
}

impl Extractor {
    /// Reads what has a slot in `slots`, which get a few more.
    pub(crate) fn new(slots: &mut Slots) -> Self {
        let mut by_field = [None; FIELDS.len()];
        let (mut stand_ins, mut implied) = (Vec::new(), Vec::new());
        for (at, (name, kind, is_required)) in FIELDS.into_iter().enumerate() {
            if matches!(kind, Version | Tags | Metadata | Unread) {
                continue;
            }
            let Some(slot) = slots.known(name) else {
                continue;
            };
            by_field[at] = Some(slot);
            match (kind, name) {
                (Time, _) => implied.push((slot, Implied::Time)),
                (Repeat, _) => implied.push((slot, Implied::Repeat)),
                (Flag, "audit") => implied.push((slot, Implied::Audit)),
                _ if is_required => {}
                _ => stand_ins.push((slot, slots.slot(&format!("metadata.{name}")))),
            }
        }
        let mut metadata = Entry::default();
        for (slot, name) in slots.names() {
            match name.strip_prefix("metadata.") {
                Some(path) => metadata.want(path, slot),
                None if by_field.contains(&Some(slot)) => {}
                None => metadata.want(name, slot),
            }
        }
        Self {
            slots: by_field,
            stand_ins,
            implied,
            metadata,
            width: slots.names().count(),
            reads_tags: slots.reads_tags,
            reads_texts: slots.reads_texts,
        }
    }

    /// Reads the value of a record that arrived at `arrival`. `room` is what [`crate::metadata::emptied`] made, or nothing.
    pub(crate) fn read<'a>(
        &self,
        record: &'a [u8],
        arrival: Timestamp,
        room: Values<'static>,
    ) -> Result<Reading<'a>, DecodeError> {
        let json = |source| DecodeError::Json { what: "event", source };
        let text = std::str::from_utf8(record).map_err(|error| json(serde_json::Error::custom(error)))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut draft = Draft::new(self, room);
        deserializer.deserialize_map(&mut draft).map_err(json)?;
        deserializer.end().map_err(json)?;
        match draft.version {
            Event::SCHEMA_VERSION => Ok(draft.finish(arrival)),
            version => Err(DecodeError::Version { what: "event", version }),
        }
    }
}

/// A record, half read.
struct Draft<'e, 'a> {
    extractor: &'e Extractor,
    version: u8,
    event_id: Cow<'a, str>,
    tenant: Cow<'a, str>,
    time: Timestamp,
    repeat: u32,
    tags: Vec<Tag<'a>>,
    found: Found<'a>,
}

#[derive(Deserialize)]
struct Tag<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'e, 'a> Draft<'e, 'a> {
    fn new(extractor: &'e Extractor, room: Values<'a>) -> Self {
        Self {
            extractor,
            version: 0,
            event_id: Cow::Borrowed(""),
            tenant: Cow::Borrowed(""),
            time: Timestamp::MIN,
            repeat: 1,
            tags: Vec::new(),
            found: Found::new(room, extractor.width, extractor.reads_texts),
        }
    }

    /// Reads the value of the field at place `at` of [`FIELDS`].
    fn field<M: MapAccess<'a>>(&mut self, at: usize, map: &mut M) -> Result<(), M::Error> {
        let (_, kind, is_required) = FIELDS[at];
        let slot = self.extractor.slots[at];
        let is_read = slot.is_some() || self.extractor.reads_texts;
        match kind {
            Version => self.version = map.next_value()?,
            EventId => {
                self.event_id = map.next_value_seed(RequiredText)?;
                self.found.text(slot, self.event_id.clone());
            }
            Tenant => {
                self.tenant = map.next_value_seed(RequiredText)?;
                self.found.text(slot, self.tenant.clone());
            }
            Time => self.time = map.next_value()?,
            Repeat => self.repeat = map.next_value()?,
            Tags if self.extractor.reads_tags => self.tags = map.next_value()?,
            Metadata if self.extractor.metadata.is_wanted() || self.extractor.reads_texts => {
                map.next_value_seed(Reader::new(&self.extractor.metadata, &mut self.found).of_object())?;
            }
            Text if is_read => {
                let found = &mut self.found;
                map.next_value_seed(TextReader {
                    found,
                    slot,
                    is_required,
                })?;
            }
            Kind::Level if is_read => {
                let level: Level = map.next_value()?;
                self.found.borrowed(slot, level.as_str());
            }
            SeverityKind if is_read => {
                let severity: Severity = map.next_value()?;
                self.found.borrowed(slot, severity.as_str());
            }
            Flag if FIELDS[at].0 == "audit" => self.found.set(slot, Some(FieldValue::Bool(map.next_value()?))),
            Flag => {
                let flag: Option<bool> = map.next_value()?;
                self.found.set(slot, flag.map(FieldValue::Bool));
            }
            Tags | Metadata | Text | Kind::Level | SeverityKind | Unread => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// What the fields say that are absent or are no text; and the effective time.
    fn finish(mut self, arrival: Timestamp) -> Reading<'a> {
        for (slot, implied) in &self.extractor.implied {
            let value = &mut self.found.values[slot.0];
            match implied {
                Implied::Time => *value = Some(FieldValue::Text(self.time.to_string().into())),
                Implied::Repeat => *value = Some(FieldValue::Integer(self.repeat.into())),
                Implied::Audit => *value = value.take().or(Some(FieldValue::Bool(false))),
            }
        }
        for (slot, stand_in) in &self.extractor.stand_ins {
            if self.found.values[slot.0].is_none() {
                self.found.values[slot.0] = self.found.values[stand_in.0].clone();
            }
        }
        Reading {
            event_id: self.event_id,
            tenant: self.tenant,
            repeat: self.repeat,
            subject: Subject {
                time: effective_time(self.time, arrival),
                values: self.found.values,
                tags: self.tags.into_iter().map(|tag| tag.0).collect(),
                texts: self.found.texts,
                alert_of: None,
            },
        }
    }
}

impl<'a> Visitor<'a> for &mut Draft<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an event")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let mut seen = [false; FIELDS.len()];
        let mut next = 0;
        while let Some(at) = map.next_key_seed(FieldName { expected: next })? {
            let Some(at) = at else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(M::Error::duplicate_field(FIELDS[at].0));
            }
            self.field(at, &mut map)?;
            next = at + 1;
        }
        let missing = FIELDS
            .iter()
            .zip(seen)
            .find(|((.., is_required), seen)| *is_required && !seen);
        match missing {
            Some(((name, ..), _)) => Err(M::Error::missing_field(name)),
            None => Ok(()),
        }
    }
}

/// Which field a name names. The order of fields is known, so the first place to look is the one after the last.
struct FieldName {
    expected: usize,
}

impl<'a> DeserializeSeed<'a> for FieldName {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        let mut places = (self.expected..FIELDS.len()).chain(0..self.expected);
        Ok(places.find(|at| FIELDS[*at].0 == name))
    }
}

/// Text, borrowed unless something in it is escaped.
struct RequiredText;

impl<'a> DeserializeSeed<'a> for RequiredText {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for RequiredText {
    type Value = Cow<'a, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Puts a text into its slot; null is none, unless it is required.
struct TextReader<'f, 'a> {
    found: &'f mut Found<'a>,
    slot: Option<Slot>,
    is_required: bool,
}

impl<'a> DeserializeSeed<'a> for TextReader<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.is_required {
            deserializer.deserialize_str(self)
        } else {
            deserializer.deserialize_option(self)
        }
    }
}

impl<'a> Visitor<'a> for TextReader<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.found.borrowed(self.slot, text);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.owned(self.slot, text.to_owned());
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

#[cfg(test)]
mod tests;
