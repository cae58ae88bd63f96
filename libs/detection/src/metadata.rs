//! Which values within metadata are wanted, and reading them: as [`event::Event::field`] resolves names, but from the
//! bytes, in one pass, and without a tree.

use std::borrow::Cow;
use std::fmt;

use event::FieldValue;
use rustc_hash::FxBuildHasher;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::subject::Slot;

#[expect(
    clippy::disallowed_types,
    reason = "it is only ever looked up; its hash is not random, and no producer chooses what is in it"
)]
type ByName = std::collections::HashMap<Box<str>, Entry, FxBuildHasher>;

/// What is wanted of a value.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The slots of the value itself.
    here: Vec<Slot>,
    /// The name has a dot, so its slots may be reached by a path as well; the name wins.
    is_dotted: bool,
    /// What is wanted of an object's values, by their names.
    within: ByName,
    /// Every slot within.
    slots_within: Vec<Slot>,
}

static NOTHING: Entry = Entry {
    here: Vec::new(),
    is_dotted: false,
    within: ByName::with_hasher(FxBuildHasher),
    slots_within: Vec::new(),
};

/// Values by slot.
pub(crate) type Values<'a> = Vec<Option<FieldValue<'a>>>;

/// Room for the values of the next record, in the memory of these: an allocation less for each.
pub(crate) fn emptied<'a>(values: Values<'_>) -> Values<'a> {
    values.into_iter().map(|_| None).collect()
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// By slot.
    pub(crate) values: Values<'a>,
    /// Every text, if that is wanted.
    pub(crate) texts: Vec<FieldValue<'a>>,
    wants_texts: bool,
}

impl Entry {
    /// Wants the value at `path` of this object for `slot`: under the whole path as a name, else under its head, there
    /// under the rest.
    pub(crate) fn want(&mut self, path: &str, slot: Slot) {
        self.slots_within.push(slot);
        let flat = self.within.entry(path.into()).or_default();
        flat.here.push(slot);
        if let Some((head, rest)) = path.split_once('.') {
            flat.is_dotted = true;
            self.within.entry(head.into()).or_default().want(rest, slot);
        }
    }

    /// Whether anything is.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.here.is_empty() || !self.slots_within.is_empty()
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        self.here.iter().chain(&self.slots_within).copied()
    }
}

impl<'a> Found<'a> {
    /// Nothing yet, in `room` if that is for so many slots.
    pub(crate) fn new(room: Values<'a>, width: usize, wants_texts: bool) -> Self {
        let is_room = room.len() == width;
        Self {
            values: if is_room {
                room
            } else {
                (0..width).map(|_| None).collect()
            },
            texts: Vec::new(),
            wants_texts,
        }
    }

    /// The value of `slot`, if anybody wants it.
    pub(crate) fn set(&mut self, slot: Option<Slot>, value: Option<FieldValue<'a>>) {
        if let Some(slot) = slot {
            self.values[slot.0] = value;
        }
    }

    /// A text of the record, which is the value of `slot`, if anybody wants it. It is made where it stays: a value that
    /// is handed on is copied each time, which was an eighth of all.
    #[inline]
    pub(crate) fn borrowed(&mut self, slot: Option<Slot>, text: &'a str) {
        if self.wants_texts {
            self.texts.push(FieldValue::Text(Cow::Borrowed(text)));
        }
        if let Some(slot) = slot {
            self.values[slot.0] = Some(FieldValue::Text(Cow::Borrowed(text)));
        }
    }

    /// The same of a text in which something was escaped.
    pub(crate) fn owned(&mut self, slot: Option<Slot>, text: String) {
        if self.wants_texts {
            self.texts.push(FieldValue::Text(Cow::Owned(text.clone())));
        }
        self.set(slot, Some(FieldValue::Text(Cow::Owned(text))));
    }

    /// The same of either.
    pub(crate) fn text(&mut self, slot: Option<Slot>, text: Cow<'a, str>) {
        match text {
            Cow::Borrowed(text) => self.borrowed(slot, text),
            Cow::Owned(text) => self.owned(slot, text),
        }
    }
}

/// Reads a value for what is wanted of it.
pub(crate) struct Reader<'e, 'f, 'a> {
    entry: &'e Entry,
    found: &'f mut Found<'a>,
}

impl<'e, 'f, 'a> Reader<'e, 'f, 'a> {
    /// Reads what `entry` wants.
    pub(crate) fn new(entry: &'e Entry, found: &'f mut Found<'a>) -> Self {
        Self { entry, found }
    }

    /// The same of a value that has to be an object.
    pub(crate) fn of_object(self) -> ObjectReader<'e, 'f, 'a> {
        ObjectReader(self)
    }

    fn value(self, value: Option<FieldValue<'a>>) {
        if let Some((last, others)) = self.entry.here.split_last() {
            for slot in others {
                self.found.values[slot.0] = value.clone();
            }
            self.found.values[last.0] = value;
        }
    }

    /// Reads the value of a name within an object. Of a name that stands twice the last counts, and what a dotted name
    /// has decided no path changes.
    fn value_within<M: MapAccess<'a>>(
        &mut self,
        entry: &Entry,
        decided: &mut Vec<Slot>,
        map: &mut M,
    ) -> Result<(), M::Error> {
        let mut kept = Vec::new();
        for slot in &entry.slots_within {
            let before = self.found.values[slot.0].take();
            if decided.contains(slot) {
                kept.push((*slot, before));
            }
        }
        map.next_value_seed(Reader::new(entry, self.found))?;
        for (slot, value) in kept {
            self.found.values[slot.0] = value;
        }
        if entry.is_dotted {
            decided.extend(&entry.here);
        }
        Ok(())
    }
}

impl<'a> DeserializeSeed<'a> for Reader<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// See [`Reader::of_object`].
pub(crate) struct ObjectReader<'e, 'f, 'a>(Reader<'e, 'f, 'a>);

impl<'a> DeserializeSeed<'a> for ObjectReader<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self.0)
    }
}

/// As [`FieldValue::from_json`] sees values: null is absence, an object has no value of its own, and a list is that of
/// its elements; and as paths see them: a path goes through lists into each element.
impl<'a> Visitor<'a> for Reader<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.value(None);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.value(Some(FieldValue::Bool(value)));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.value(Some(FieldValue::Integer(value)));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what is beyond 64 bits with a sign is a float, as in a tree"
        )]
        let float = || FieldValue::Float(value as f64);
        self.value(Some(i64::try_from(value).map_or_else(|_| float(), FieldValue::Integer)));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.value(Some(FieldValue::Float(value)));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        match self.entry.here.as_slice() {
            [] => self.found.borrowed(None, text),
            [slot] => self.found.borrowed(Some(*slot), text),
            [slot, others @ ..] => {
                self.found.borrowed(Some(*slot), text);
                for slot in others {
                    self.found.values[slot.0] = Some(text.into());
                }
            }
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.found.wants_texts {
            self.found.owned(None, text.to_owned());
        }
        self.value(Some(FieldValue::Text(Cow::Owned(text.to_owned()))));
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        let mut lists: Vec<(Slot, Vec<FieldValue<'a>>)> = self.entry.slots().map(|slot| (slot, Vec::new())).collect();
        loop {
            for (slot, _) in &lists {
                self.found.values[slot.0] = None;
            }
            if list.next_element_seed(Reader::new(self.entry, self.found))?.is_none() {
                break;
            }
            for (slot, values) in &mut lists {
                values.extend(self.found.values[slot.0].take());
            }
        }
        for (slot, values) in lists {
            self.found.values[slot.0] = FieldValue::list(values);
        }
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<(), M::Error> {
        let mut decided = Vec::new();
        while let Some(entry) = map.next_key_seed(EntryName(self.entry))? {
            match entry {
                Some(entry) => self.value_within(entry, &mut decided, &mut map)?,
                None if self.found.wants_texts => map.next_value_seed(Reader::new(&NOTHING, self.found))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.value(None);
        Ok(())
    }
}

/// What is wanted of the value that a name names.
struct EntryName<'e>(&'e Entry);

impl<'e, 'a> DeserializeSeed<'a> for EntryName<'e> {
    type Value = Option<&'e Entry>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'e> Visitor<'_> for EntryName<'e> {
    type Value = Option<&'e Entry>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.within.get(name))
    }
}
