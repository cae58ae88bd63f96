use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DecodeError, EventHash, FieldValue, Key, SemanticHash, Tier, Timestamp, topic};

/// What one rule needs of the events of one key in one batch. The value of a record of `facts`, keyed by the key.
///
/// Entries are packed, never summed: identity, order and evidence survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The rule, by what it means.
    pub rule: SemanticHash,
    /// 0 for what match sends; one more for what correlate derives from level n for other keys.
    pub level: u8,
    /// Which side of a join, which step of a sequence: 0 where a rule has one side.
    pub side: u8,
    /// What the rule groups by.
    pub key: Key,
    /// The names of the values that each entry carries.
    pub names: Vec<String>,
    /// The events, in the order of their source.
    pub entries: Vec<FactEntry>,
}

/// One event of a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactEntry {
    /// The effective time: the event's own, but never more than five minutes after its arrival.
    pub time: Timestamp,
    /// Where the event's record is; of an alert, see [`Source::of_alert`].
    pub source: Source,
    /// The event's id, or that of the alert.
    pub event_id: String,
    /// How many events it stands for.
    pub weight: u32,
    /// The values of the fact's names, in their order; `None` where the event has none.
    pub values: Vec<Option<FieldValue<'static>>>,
}

/// The topic that a fact or a watermark came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SourceTopic {
    /// `events.security`
    Security,
    /// `events.audit`
    Audit,
    /// `events.access`
    Access,
    /// `facts`: derived by correlate from a lower level.
    Facts,
}

/// A partition of a source topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourcePartition {
    /// The topic.
    pub topic: SourceTopic,
    /// The partition.
    pub partition: u32,
}

/// The place of a record in a source topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The topic and partition.
    pub partition: SourcePartition,
    /// The offset.
    pub offset: u64,
}

/// How far the sources are: sent by match, of a higher level by correlate, to every facts partition, after the facts it
/// speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// The level of the facts whose completeness it announces.
    pub level: u8,
    /// A hash over the rules that the sender evaluates; correlate retires a rule when every source's tick names a set without it.
    pub rule_set: SemanticHash,
    /// For each source partition the sender owns, the watermark: nothing that arrived earlier is still to come. Partitions
    /// of `facts` where the level is not 0: of the rules there whose alerts are facts of this level.
    pub watermarks: Vec<(SourcePartition, Timestamp)>,
}

/// A record of `facts`.
#[derive(Clone, Debug, PartialEq)]
pub enum FactRecord {
    /// Events for a rule.
    Fact(Fact),
    /// Progress of the sources.
    Tick(Tick),
}

impl SourceTopic {
    /// Every source topic.
    pub const ALL: [Self; 4] = [Self::Security, Self::Audit, Self::Access, Self::Facts];

    /// The topic's name without the prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Security => topic::EVENTS_SECURITY,
            Self::Audit => topic::EVENTS_AUDIT,
            Self::Access => topic::EVENTS_ACCESS,
            Self::Facts => topic::FACTS,
        }
    }

    /// The source topic of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

impl From<Tier> for SourceTopic {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Security => Self::Security,
            Tier::Audit => Self::Audit,
            Tier::Access => Self::Access,
        }
    }
}

impl Source {
    /// How many alerts may open at one record before their places are no longer told apart.
    const ALERTS_MAX: u32 = 1 << 20;
    /// Marks the place of an alert. No partition has so many records.
    const OF_ALERT: u64 = 1 << 63;

    /// The place of an alert that opened at the record here: behind the events of the partition, in the order of the
    /// records at which alerts open, and in that order at one record.
    #[must_use]
    pub fn of_alert(self, number: u32) -> Self {
        let number = number.min(Self::ALERTS_MAX - 1);
        Self {
            offset: Self::OF_ALERT | (self.offset * u64::from(Self::ALERTS_MAX) + u64::from(number)),
            ..self
        }
    }

    /// The offset of the record, of an event or at which an alert opened.
    pub fn record_offset(self) -> u64 {
        if self.offset & Self::OF_ALERT == 0 {
            self.offset
        } else {
            (self.offset & !Self::OF_ALERT) / u64::from(Self::ALERTS_MAX)
        }
    }
}

impl fmt::Display for SourcePartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.topic.name(), self.partition)
    }
}

impl FactEntry {
    /// What a repeat of the same event is known by.
    pub fn identity(&self, key: &Key) -> EventHash {
        EventHash::new(key.parts().next().unwrap_or_default(), &self.event_id)
    }
}

impl Fact {
    /// The value of `name` in `entry`.
    pub fn value<'a>(&self, entry: &'a FactEntry, name: &str) -> Option<&'a FieldValue<'static>> {
        let at = self.names.iter().position(|known| known == name)?;
        entry.values.get(at)?.as_ref()
    }
}

/// First byte: the version. Second byte: the kind. Then the postcard form (postcard wire format 1.0) of the struct.
const VERSION: u8 = 1;
const KIND_FACT: u8 = 0;
const KIND_TICK: u8 = 1;
const WHAT: &str = "fact record";

impl FactRecord {
    /// The bytes of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        let encoded = match self {
            Self::Fact(fact) => postcard::to_extend(fact, vec![VERSION, KIND_FACT]),
            Self::Tick(tick) => postcard::to_extend(tick, vec![VERSION, KIND_TICK]),
        };
        encoded.expect("every length is known, and writing to memory cannot fail")
    }

    /// Reads the value of a record of `facts`.
    ///
    /// # Errors
    /// If it is not one, or one of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (head, body) = bytes
            .split_first_chunk::<2>()
            .ok_or(DecodeError::Short { what: WHAT })?;
        let compact = |source| DecodeError::Compact { what: WHAT, source };
        match *head {
            [VERSION, KIND_FACT] => postcard::from_bytes(body).map(Self::Fact).map_err(compact),
            [VERSION, KIND_TICK] => postcard::from_bytes(body).map(Self::Tick).map_err(compact),
            [version, _] => Err(DecodeError::Version { what: WHAT, version }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_alerts_are_in_order_and_name_their_record() {
        let at = |offset| Source {
            partition: SourcePartition {
                topic: SourceTopic::Facts,
                partition: 3,
            },
            offset,
        };
        let places = [
            at(0),
            at(5),
            at(1 << 40),
            at(0).of_alert(0),
            at(5).of_alert(0),
            at(5).of_alert(1),
            at(6).of_alert(0),
            at(1 << 40).of_alert(u32::MAX),
        ];
        assert!(places.is_sorted());
        let records = places.map(Source::record_offset);
        assert_eq!(records, [0, 5, 1 << 40, 0, 5, 5, 6, 1 << 40]);
    }
}
