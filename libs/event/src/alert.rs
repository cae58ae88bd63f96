use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AlertId, DecodeError, Key, SemanticHash, Severity, Timestamp};

/// What a person is told: one state of one episode. The value of a record of `alerts`, keyed by the alert id.
///
/// The order of the fields is the order of the bytes, so equal alerts are equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The episode, on every instance and every replay.
    pub alert_id: AlertId,
    /// What happened to the episode.
    pub status: AlertStatus,
    /// Counts the records of this alert, from 1: the greatest is the latest.
    pub revision: u32,
    /// The id of the rule.
    pub rule_id: String,
    /// The meaning of the rule when it fired.
    pub rule_hash: SemanticHash,
    /// The title of the rule.
    pub title: String,
    /// The rule's message, with the values of the opening event.
    pub message: String,
    /// The severity of the rule.
    pub severity: Severity,
    /// ATT&CK and other tags of the rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whose alert it is.
    pub tenant: String,
    /// The group fields of the rule and their values.
    pub key: Map<String, Value>,
    /// The effective time of the event that opened it.
    pub opened_at: Timestamp,
    /// The effective time of the first contributing event.
    pub first_event_at: Timestamp,
    /// The effective time of the last one.
    pub last_event_at: Timestamp,
    /// How many events contributed.
    pub count: u64,
    /// The contributing events, oldest first.
    pub events: Vec<Evidence>,
    /// Contributing events that `events` leaves out, because a limit acted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_omitted: u64,
    /// The alert that goes on instead, when a late event joined two episodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<AlertId>,
}

/// What happened to an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// It began.
    Opened,
    /// It goes on, and grew.
    Updated,
    /// It ended.
    Closed,
}

/// One event that contributed to an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The topic of its record, without the prefix.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
    /// The event's id.
    pub event_id: String,
    /// Its effective time.
    pub time: Timestamp,
    /// How many events it stands for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

fn one() -> u32 {
    1
}

impl AlertStatus {
    /// The word used in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
        }
    }
}

impl Alert {
    /// The bytes of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an alert has only text keys, and writing to memory cannot fail")
    }

    /// Reads the value of a record of `alerts`.
    ///
    /// # Errors
    /// If it is not an alert.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|source| DecodeError::Json { what: "alert", source })
    }

    /// The key of its record: all records of one alert are in one partition, in order.
    pub fn record_key(&self) -> Key {
        Key::new(&self.tenant, [self.alert_id.to_string().as_str()])
    }
}
