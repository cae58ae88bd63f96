//! What conditions are asked of: the values of the fields that some rule reads, each in its slot.
//!
//! [`Slots`] numbers the names once, when rules are prepared. Whatever has fields (an event, the opening of an alert)
//! is asked by filling the slots: `Slots::fill` does it by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use event::{FieldValue, Timestamp};

/// The place of a field among those that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) usize);

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

    /// The slot of `name`, if it has one.
    pub(crate) fn known(&self, name: &str) -> Option<Slot> {
        self.by_name.get(name).copied()
    }

    /// The slots in order, and their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = (Slot, &str)> {
        self.names
            .iter()
            .enumerate()
            .map(|(at, name)| (Slot(at), name.as_str()))
    }

    /// Whether a few values of this field are those of almost all events.
    pub(crate) fn is_common(&self, slot: Slot) -> bool {
        ["level", "service", "severity", "tenant"].contains(&self.names[slot.0].as_str())
    }

    /// The value of every slot, by its name.
    pub(crate) fn fill<'a>(&self, value: impl Fn(&str) -> Option<FieldValue<'a>>) -> Vec<Option<FieldValue<'a>>> {
        self.names.iter().map(|name| value(name)).collect()
    }
}

impl<'a> Subject<'a> {
    /// The value in `slot`.
    pub(crate) fn value(&self, slot: Slot) -> Option<&FieldValue<'a>> {
        self.values.get(slot.0)?.as_ref()
    }
}
