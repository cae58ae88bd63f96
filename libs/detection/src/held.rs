use std::collections::BTreeSet;

use event::{EventHash, Evidence, Fact, FactEntry, Source, Timestamp};
use ruleset::Rule;
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Extent, Truth};

/// An event that a rule remembers for a key. Ordered by time, then by source: the order of windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) time: Timestamp,
    pub(crate) source: Source,
    pub(crate) identity: EventHash,
    pub(crate) event_id: String,
    pub(crate) weight: u32,
    /// Values that a message may need later.
    pub(crate) values: Vec<(String, String)>,
}

impl Held {
    /// The entry of a fact, without values.
    pub(crate) fn new(fact: &Fact, entry: &FactEntry) -> Self {
        Self {
            time: entry.time,
            source: entry.source,
            identity: entry.identity(&fact.key),
            event_id: entry.event_id.clone(),
            weight: entry.weight,
            values: Vec::new(),
        }
    }

    /// The entry of a fact, with the values that the rule's message needs and its key does not have.
    pub(crate) fn speaking(rule: &Rule, fact: &Fact, entry: &FactEntry) -> Self {
        let mut held = Self::new(fact, entry);
        let of_key = rule.key_fields();
        for name in rule.message.fields().filter(|name| !of_key.contains(name)) {
            let is_known = held.values.iter().any(|(known, _)| known == name);
            if let Some(value) = fact.value(entry, name).filter(|_| !is_known) {
                held.values.push((name.to_owned(), value.as_text().into_owned()));
            }
        }
        held
    }

    pub(crate) fn order(&self) -> (Timestamp, Source) {
        (self.time, self.source)
    }

    pub(crate) fn evidence(&self) -> Evidence {
        Evidence {
            topic: self.source.partition.topic.name().to_owned(),
            partition: self.source.partition.partition,
            offset: self.source.record_offset(),
            event_id: self.event_id.clone(),
            time: self.time,
            weight: self.weight,
        }
    }
}

impl AsRef<Self> for Held {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// How many events these stand for.
pub(crate) fn weight<'a>(held: impl IntoIterator<Item = &'a Held>) -> u64 {
    held.into_iter().map(|held| u64::from(held.weight)).sum()
}

/// A number that tells these events from others, in whatever order they are.
pub(crate) fn digest<'a>(held: impl IntoIterator<Item = &'a Held>) -> u64 {
    let short = |held: &Held| held.identity.0.first_chunk().copied().map_or(0, u64::from_be_bytes);
    held.into_iter().map(short).fold(0, u64::wrapping_add)
}

/// What an episode spans and stands for that has these events, in order, and those that it omits.
pub(crate) fn extent(inside: &[&Held], episode: &Episode) -> Extent {
    let mut first = inside.first().map_or(episode.first, |held| held.time);
    let mut last = inside.last().map_or(episode.last, |held| held.time);
    if episode.omitted_events > 0 {
        (first, last) = (first.min(episode.first), last.max(episode.last));
    }
    Extent {
        first,
        last,
        count: weight(inside.iter().copied()) + episode.omitted_weight,
        digest: digest(inside.iter().copied()),
    }
}

/// Each of these events once, in order.
pub(crate) fn union(mut held: Vec<&Held>) -> Vec<&Held> {
    held.sort_by_key(|held| held.order());
    let mut known = BTreeSet::new();
    held.retain(|held| known.insert(held.identity));
    held
}

/// Forgets the oldest beyond `most`, and says how many.
pub(crate) fn keep_newest(held: &mut Vec<Held>, most: usize) -> u64 {
    held.drain(..held.len().saturating_sub(most)).count() as u64
}

/// These events, as what they are held.
pub(crate) fn as_role<'a>(
    role: &str,
    held: impl IntoIterator<Item = &'a Held>,
) -> impl Iterator<Item = (String, &'a Held)> {
    let role = role.to_owned();
    held.into_iter().map(move |held| (role.clone(), held))
}

/// The time of the newest of these.
pub(crate) fn newest<E: AsRef<Held>>(held: &[E]) -> Option<Timestamp> {
    held.last().map(|held| held.as_ref().time)
}

/// Whether `held` knows this event already.
pub(crate) fn knows<E: AsRef<Held>>(held: &[E], identity: EventHash) -> bool {
    held.iter().any(|held| held.as_ref().identity == identity)
}

/// Puts `new` in its place and says where that is.
pub(crate) fn insert<E: AsRef<Held>>(held: &mut Vec<E>, new: E) -> usize {
    let at = held.partition_point(|held| held.as_ref().order() < new.as_ref().order());
    held.insert(at, new);
    at
}

/// The event at which a rule holds.
pub(crate) fn find<E: AsRef<Held>>(held: &[E], truth: Truth) -> Option<&Held> {
    let at = held.partition_point(|held| held.as_ref().order() < (truth.at, truth.source));
    let found = held.get(at)?.as_ref();
    (found.order() == (truth.at, truth.source)).then_some(found)
}
