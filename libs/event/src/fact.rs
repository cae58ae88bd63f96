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
    /// Where the event's record is.
    pub source: Source,
    /// The event's id.
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

/// How far the sources are: sent by match to every facts partition, after the facts it speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// The level of the facts whose completeness it announces.
    pub level: u8,
    /// A hash over the rules that the sender evaluates; correlate retires a rule when every source's tick names a set without it.
    pub rule_set: SemanticHash,
    /// For each source partition the sender owns, the watermark: nothing that arrived earlier is still to come.
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
