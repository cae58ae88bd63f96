use std::collections::BTreeMap;

use broker::{Offset, TopicPartition};
use bytes::Bytes;
use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, LockMode, Policy, Put, ReadError, data_name, manifest_name};

/// What one segment is: the value of a record of `archive.manifests`, and an object beside the segment's.
///
/// Its bytes are canonical JSON (RFC 8785), since later they are hashed and signed. The fields stand in the order of
/// their names, hold only text, integers and lists of them, and what is absent is left out: so writing them in order
/// is the canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of records.
    pub count: u64,
    /// Where the stretch begins; there may be no record at that offset.
    pub first_offset: Offset,
    /// The name of the object's format.
    pub format: String,
    /// How many of the records are heartbeats.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub heartbeats: u64,
    /// The name of the object.
    pub key: String,
    /// What it is a manifest of.
    pub kind: Kind,
    /// The offset of the last record.
    pub last_offset: Offset,
    /// How the object is locked; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_mode: Option<LockMode>,
    /// The latest time of an event, in milliseconds since the epoch; absent where records are not events.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millis::optional")]
    pub max_event_time: Option<Timestamp>,
    /// The latest append, in milliseconds since the epoch.
    #[serde(with = "millis")]
    pub max_ts: Timestamp,
    /// The earliest time of an event.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millis::optional")]
    pub min_event_time: Option<Timestamp>,
    /// The earliest append.
    #[serde(with = "millis")]
    pub min_ts: Timestamp,
    /// The stretches of offsets, both ends included, that have no record: transaction markers and aborted records.
    pub missing: Vec<(Offset, Offset)>,
    /// The partition.
    pub partition: u32,
    /// The Merkle root over the records.
    pub records_root: Digest,
    /// Until when the object is kept.
    #[serde(with = "seconds")]
    pub retain_until: Timestamp,
    /// The digest of the object's bytes.
    pub sha256: Digest,
    /// The length of the object in bytes.
    pub size: u64,
    /// The tier.
    pub tier: String,
    /// The topic, without the prefix.
    pub topic: String,
    /// The version of this form: 1.
    pub v: u64,
    /// Who wrote it.
    pub writer: Writer,
}

/// What a manifest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A stretch of a partition, in order of its log.
    Segment,
}

/// Who wrote an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The version of the program.
    pub build: String,
    /// The host it ran on.
    pub host: String,
}

impl Manifest {
    /// The version this build writes.
    pub const VERSION: u64 = 1;

    /// Its bytes, in canonical form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has only text keys")
    }

    /// Reads the bytes of the object `name`. Fields it does not know are passed over.
    ///
    /// # Errors
    /// [`ReadError::Version`] for a newer form, [`ReadError::Damaged`] for what is none.
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct HasVersion {
            v: u64,
        }
        let HasVersion { v } = serde_json::from_slice(bytes).map_err(|error| ReadError::damaged(name, error))?;
        if v != Self::VERSION {
            return Err(ReadError::Version {
                name: name.to_owned(),
                version: v,
            });
        }
        serde_json::from_slice(bytes).map_err(|error| ReadError::damaged(name, error))
    }

    /// The partition its records are of.
    pub fn place(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.partition)
    }

    /// The name of the object that holds it.
    pub fn name(&self) -> String {
        manifest_name(&self.tier, &self.place(), self.first_offset)
    }

    /// Whether the other is of the same records in the same object, whoever wrote it.
    pub fn describes_the_same(&self, other: &Self) -> bool {
        let identity = |manifest: &Self| (manifest.name(), manifest.last_offset, manifest.count);
        identity(self) == identity(other)
            && (&self.key, self.sha256, self.records_root) == (&other.key, other.sha256, other.records_root)
    }

    /// What creates the object that holds it, kept and locked as the segment it describes.
    pub fn put(&self, policy: Policy, now: Timestamp) -> Put {
        let bytes = Bytes::from(self.encode());
        Put {
            name: self.name(),
            sha256: Digest::of(&bytes),
            bytes,
            content_type: "application/json",
            metadata: BTreeMap::new(),
            retention: policy.retention(self.max_ts, now),
        }
    }

    /// The name that the object it describes must have.
    pub(crate) fn data_name(&self, first_append: Timestamp) -> String {
        data_name(&self.tier, &self.place(), self.first_offset, first_append, &self.format)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A time as an integer.
mod millis {
    use event::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Serializer, Timestamp};

        #[expect(clippy::ref_option, reason = "serde passes fields by reference")]
        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => serializer.serialize_i64(time.as_millis()),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_millis))
        }
    }
}

/// A time as RFC 3339 text without fractions; what it writes is always a full hour.
mod seconds {
    use event::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_string().replace(".000Z", "Z"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}
