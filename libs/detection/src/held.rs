use event::{EventHash, Evidence, Fact, FactEntry, Source, Timestamp};
use serde::{Deserialize, Serialize};

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
            offset: self.source.offset,
            event_id: self.event_id.clone(),
            time: self.time,
            weight: self.weight,
        }
    }
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
