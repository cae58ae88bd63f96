use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{DecodeError, FieldValue, Key, Level, Severity, Tier, Timestamp};

/// A canonical event, version 1: the value of a record of `events.*`.
///
/// The order of the fields here is the order of the bytes, `raw` last. What a format does not say is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The version of this form: 1.
    pub schema_version: u8,
    /// The producer's id, else a hash of where the event came from; unique within the tenant.
    pub event_id: String,
    /// When it happened, as the producer says.
    pub time: Timestamp,
    /// When a door took it in.
    pub ingest_time: Timestamp,
    /// The producer's clock is off by more than five minutes into the future, or named no time that could be read.
    #[serde(default, skip_serializing_if = "is_false")]
    pub time_suspect: bool,
    /// Whose event it is; from the credential, never from the body.
    pub tenant: String,
    /// The program that wrote it; `security` for the guide's logger.
    pub service: String,
    /// Its log level.
    pub level: Level,
    /// What it says to a person.
    pub message: String,
    /// What happened, in the guide's words: `login_failed`, `role_changed`, … Unknown words are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_event: Option<String>,
    /// How bad it is: the producer's word, else from the level.
    pub severity: Severity,
    /// Who did it, or to whom it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// That user's mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_email: Option<String>,
    /// That user's role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_role: Option<String>,
    /// The session it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Where it came from, as [`crate::normalise_ip`] writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// The client's name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// It belongs to the audit trail.
    #[serde(default, skip_serializing_if = "is_false")]
    pub audit: bool,
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What kind of thing it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Whether it worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Everything else the producer said, under its own names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The span it belongs to: 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Marks set by the producer or by a profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How many events this one stands for (`message repeated 5 times`); counting stages weigh it so. At least 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub repeat: u32,
    /// The name of the format it was read from.
    pub format: String,
    /// The bytes it was read from.
    #[serde(default)]
    pub raw: Raw,
}

/// The bytes an event was read from: in JSON the text as it stands, or `{"base64": …}` for what is not text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Raw {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes {
        /// The bytes in base64 with the standard alphabet.
        base64: String,
    },
}

impl Default for Raw {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Raw {
    /// Keeps `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes {
                base64: BASE64.encode(bytes),
            },
        }
    }

    /// The bytes as they came. `None` if the base64 was damaged.
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
            Self::Bytes { base64 } => BASE64.decode(base64).ok().map(Cow::Owned),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

fn one() -> u32 {
    1
}

impl Default for Event {
    /// An event of which nothing is said.
    fn default() -> Self {
        Self {
            schema_version: Self::SCHEMA_VERSION,
            event_id: String::new(),
            time: Timestamp::default(),
            ingest_time: Timestamp::default(),
            time_suspect: false,
            tenant: String::new(),
            service: String::new(),
            level: Level::default(),
            message: String::new(),
            security_event: None,
            severity: Level::default().severity(),
            user_id: None,
            user_email: None,
            user_role: None,
            session_id: None,
            source_ip: None,
            user_agent: None,
            audit: false,
            action: None,
            resource_type: None,
            resource_id: None,
            success: None,
            error_message: None,
            metadata: Map::new(),
            trace_id: None,
            span_id: None,
            tags: Vec::new(),
            repeat: one(),
            format: String::new(),
            raw: Raw::default(),
        }
    }
}

impl Event {
    /// The version this build writes.
    pub const SCHEMA_VERSION: u8 = 1;

    /// The bytes of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an event has only text keys, and writing to memory cannot fail")
    }

    /// Reads the value of a record of `events.*`.
    ///
    /// # Errors
    /// If it is not a canonical event, or one of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let event: Self =
            serde_json::from_slice(bytes).map_err(|source| DecodeError::Json { what: "event", source })?;
        match event.schema_version {
            Self::SCHEMA_VERSION => Ok(event),
            version => Err(DecodeError::Version { what: "event", version }),
        }
    }

    /// Where it is kept: one event, one topic, the longest retention that applies.
    pub fn tier(&self) -> Tier {
        if self.audit {
            Tier::Audit
        } else if self.security_event.is_some() {
            Tier::Security
        } else {
            Tier::Access
        }
    }

    /// The key of its record: the source address, else the user, else the event itself.
    pub fn key(&self) -> Key {
        let value = self
            .source_ip
            .as_deref()
            .or(self.user_id.as_deref())
            .unwrap_or(&self.event_id);
        Key::new(&self.tenant, [value])
    }

    /// The value of a field: the canonical one of that name, else `metadata.`*name*. `metadata.x` is literal.
    /// Within metadata a flat key wins over a path (`a.b` before `a` → `b`); a path goes through lists into each element.
    pub fn field(&self, name: &str) -> Option<FieldValue<'_>> {
        match name.strip_prefix("metadata.") {
            Some(path) => self.metadata_value(path),
            None => self.canonical(name).or_else(|| self.metadata_value(name)),
        }
    }

    fn canonical(&self, name: &str) -> Option<FieldValue<'_>> {
        let text = match name {
            "event_id" => Some(&self.event_id),
            "tenant" => Some(&self.tenant),
            "service" => Some(&self.service),
            "message" => Some(&self.message),
            "format" => Some(&self.format),
            "security_event" => self.security_event.as_ref(),
            "user_id" => self.user_id.as_ref(),
            "user_email" => self.user_email.as_ref(),
            "user_role" => self.user_role.as_ref(),
            "session_id" => self.session_id.as_ref(),
            "source_ip" => self.source_ip.as_ref(),
            "user_agent" => self.user_agent.as_ref(),
            "action" => self.action.as_ref(),
            "resource_type" => self.resource_type.as_ref(),
            "resource_id" => self.resource_id.as_ref(),
            "error_message" => self.error_message.as_ref(),
            "trace_id" => self.trace_id.as_ref(),
            "span_id" => self.span_id.as_ref(),
            _ => return self.canonical_other(name),
        };
        text.map(|text| FieldValue::from(text.as_str()))
    }

    fn canonical_other(&self, name: &str) -> Option<FieldValue<'_>> {
        match name {
            "level" => Some(self.level.as_str().into()),
            "severity" => Some(self.severity.as_str().into()),
            "audit" => Some(FieldValue::Bool(self.audit)),
            "success" => self.success.map(FieldValue::Bool),
            "repeat" => Some(FieldValue::Integer(self.repeat.into())),
            "time" => Some(FieldValue::Text(self.time.to_string().into())),
            _ => None,
        }
    }

    fn metadata_value(&self, path: &str) -> Option<FieldValue<'_>> {
        if let Some(value) = self.metadata.get(path) {
            return FieldValue::from_json(value);
        }
        let (head, rest) = path.split_once('.')?;
        at_path(self.metadata.get(head)?, rest)
    }
}

/// What lies at a path within a value; within a list, what lies there in its elements.
fn at_path<'a>(value: &'a Value, path: &str) -> Option<FieldValue<'a>> {
    if let Value::Array(elements) = value {
        return FieldValue::list(elements.iter().filter_map(|element| at_path(element, path)));
    }
    if let Some(value) = value.get(path) {
        return FieldValue::from_json(value);
    }
    let (head, rest) = path.split_once('.')?;
    at_path(value.get(head)?, rest)
}
