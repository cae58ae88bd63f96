use event::{EventHash, Evidence, Fact, FactEntry, Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::episode::Truth;

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

/// How many events these stand for.
pub(crate) fn weight<'a>(held: impl IntoIterator<Item = &'a Held>) -> u64 {
    held.into_iter().map(|held| u64::from(held.weight)).sum()
}

/// A number that tells these events from others, in whatever order they are.
pub(crate) fn digest<'a>(held: impl IntoIterator<Item = &'a Held>) -> u64 {
    let short = |held: &Held| held.identity.0.first_chunk().copied().map_or(0, u64::from_be_bytes);
    held.into_iter().map(short).fold(0, u64::wrapping_add)
}

/// Whether `held` knows this event already.
pub(crate) fn knows(held: &[Held], identity: EventHash) -> bool {
    held.iter().any(|held| held.identity == identity)
}

/// Puts `new` in its place and says where that is.
pub(crate) fn insert(held: &mut Vec<Held>, new: Held) -> usize {
    let at = held.partition_point(|held| held.order() < new.order());
    held.insert(at, new);
    at
}

/// The event at which a rule holds.
pub(crate) fn find(held: &[Held], truth: Truth) -> Option<&Held> {
    let at = held.partition_point(|held| held.order() < (truth.at, truth.source));
    held.get(at).filter(|held| held.order() == (truth.at, truth.source))
}
