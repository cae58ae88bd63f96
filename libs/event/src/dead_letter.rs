use serde::{Deserialize, Serialize};

use crate::{DecodeError, Raw, Timestamp};

/// What could not be read: the bytes, the reason and the origin. The value of a record of `dead-letters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// When it was set aside.
    pub time: Timestamp,
    /// Whose it is, as far as the door knows.
    pub tenant: String,
    /// Why, as metrics count it.
    pub reason: Reason,
    /// Why, to a person: names the line, field or offset.
    pub detail: String,
    /// Where it came from: `http 203.0.113.9`, `raw/3@1207`, `auth.log:17`.
    pub origin: String,
    /// The format it was read as, if that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The bytes as they came.
    pub raw: Raw,
}

/// Why a record cannot be an event. A closed list, so that a dashboard can name every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No bytes at all, or a null value.
    Empty,
    /// More bytes than the limit.
    TooLarge,
    /// Not UTF-8 where text is required.
    NotText,
    /// Not the syntax of its format.
    Malformed,
    /// Its syntax is right, but a field is missing or has a value it cannot have.
    Invalid,
    /// Nested deeper, or with more fields, than the limit.
    TooComplex,
    /// No format recognises it.
    UnknownFormat,
    /// A later stage could not read or evaluate what ingest had written.
    Rejected,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::TooLarge,
        Self::NotText,
        Self::Malformed,
        Self::Invalid,
        Self::TooComplex,
        Self::UnknownFormat,
        Self::Rejected,
    ];

    /// The word used in metrics and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::NotText => "not_text",
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::TooComplex => "too_complex",
            Self::UnknownFormat => "unknown_format",
            Self::Rejected => "rejected",
        }
    }
}

impl DeadLetter {
    /// The bytes of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a dead letter has only text keys, and writing to memory cannot fail")
    }

    /// Reads the value of a record of `dead-letters`.
    ///
    /// # Errors
    /// If it is not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|source| DecodeError::Json {
            what: "dead letter",
            source,
        })
    }
}
