//! Rules 1 to 4: which field of a JSON object is which of the event.

use std::str::FromStr;

use event::{Event, Level, Severity};
use serde_json::{Map, Value};

use super::{Draft, Note};
use crate::time::Moment;
use crate::{Context, Zone};

/// What Tidewatch writes into an event and no producer does: left out when an event that Tidewatch wrote is read
/// again, for it speaks of an earlier passage.
const OURS: [&str; 6] = [
    "schema_version",
    "ingest_time",
    "time_suspect",
    "tenant",
    "format",
    "raw",
];

const CALL: &str = "SECURITY:";

/// The canonical fields that a producer sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    EventId,
    Time,
    Service,
    Level,
    Message,
    SecurityEvent,
    Severity,
    UserId,
    UserEmail,
    UserRole,
    SessionId,
    SourceIp,
    UserAgent,
    Audit,
    Action,
    ResourceType,
    ResourceId,
    Success,
    ErrorMessage,
    TraceId,
    SpanId,
    Tags,
    Repeat,
}

const FIELDS: usize = Field::Repeat as usize + 1;

impl Field {
    fn canonical(name: &str) -> Option<Self> {
        Some(match name {
            "event_id" => Self::EventId,
            "time" => Self::Time,
            "service" => Self::Service,
            "level" => Self::Level,
            "message" => Self::Message,
            "security_event" => Self::SecurityEvent,
            "severity" => Self::Severity,
            "user_id" => Self::UserId,
            "user_email" => Self::UserEmail,
            "user_role" => Self::UserRole,
            "session_id" => Self::SessionId,
            "source_ip" => Self::SourceIp,
            "user_agent" => Self::UserAgent,
            "audit" => Self::Audit,
            "action" => Self::Action,
            "resource_type" => Self::ResourceType,
            "resource_id" => Self::ResourceId,
            "success" => Self::Success,
            "error_message" => Self::ErrorMessage,
            "trace_id" => Self::TraceId,
            "span_id" => Self::SpanId,
            "tags" => Self::Tags,
            "repeat" => Self::Repeat,
            _ => return None,
        })
    }

    fn alias(name: &str) -> Option<Self> {
        Some(match name {
            "eventId" => Self::EventId,
            "securityEvent" => Self::SecurityEvent,
            "userId" => Self::UserId,
            "userEmail" => Self::UserEmail,
            "userRole" => Self::UserRole,
            "sessionId" => Self::SessionId,
            "sourceIp" | "ip" => Self::SourceIp,
            "userAgent" => Self::UserAgent,
            "resourceType" => Self::ResourceType,
            "resourceId" => Self::ResourceId,
            "errorMessage" => Self::ErrorMessage,
            "traceId" => Self::TraceId,
            "spanId" => Self::SpanId,
            _ => return None,
        })
    }

    /// Words that mean the field beside the event's others; inside metadata they are anybody's.
    fn outer_alias(name: &str) -> Option<Self> {
        Some(match name {
            "event" => Self::SecurityEvent,
            "timestamp" | "@timestamp" | "date" => Self::Time,
            _ => return None,
        })
    }

    /// Whether metadata may fill it: an id decides what is a duplicate, a repeat what counts.
    fn may_be_in_metadata(self) -> bool {
        !matches!(self, Self::EventId | Self::Repeat)
    }
}

/// One value that wants to be a canonical field. The lower rank wins.
struct Claim {
    field: Field,
    rank: u8,
    name: String,
    value: Value,
}

struct Claims {
    best: [Option<Claim>; FIELDS],
    shadowed: bool,
}

impl Claims {
    /// Takes the claim, or gives back the one that lost to another.
    fn enter(&mut self, claim: Claim) -> Option<Claim> {
        let best = &mut self.best[claim.field as usize];
        let Some(holder) = best else {
            *best = Some(claim);
            return None;
        };
        self.shadowed |= holder.value != claim.value;
        let loser = if claim.rank < holder.rank {
            std::mem::replace(holder, claim)
        } else {
            claim
        };
        Some(loser)
    }
}

pub(super) fn draft(mut fields: Map<String, Value>, context: &Context) -> Draft {
    let mut draft = Draft::new("");
    if fields
        .get("tenant")
        .is_some_and(|tenant| tenant.as_str() != Some(context.tenant))
    {
        draft.note(Note::TenantIgnored);
    }
    if fields.get("schema_version").and_then(Value::as_u64) == Some(u64::from(Event::SCHEMA_VERSION)) {
        fields.retain(|name, _| !OURS.contains(&name.as_str()));
    }
    let mut metadata = match fields.get_mut("metadata") {
        Some(Value::Object(metadata)) => std::mem::take(metadata),
        _ => Map::new(),
    };
    if repair_call(&mut fields, &mut metadata) {
        draft.note(Note::CallRepaired);
    }
    let (claims, rest) = claim(fields, &metadata);
    if claims.shadowed {
        draft.note(Note::MetadataShadowed);
    }
    draft.event.metadata = metadata;
    for (name, value) in rest {
        keep(&mut draft, name, value);
    }
    for claim in claims.best.into_iter().flatten() {
        if !set(&mut draft, &claim, &context.zone) {
            keep(&mut draft, claim.name, claim.value);
        }
    }
    draft
}

/// Keeps in metadata what is no canonical field. What stood beside the canonical fields wins over what stood in
/// metadata, which is where applications put what their clients sent.
fn keep(draft: &mut Draft, name: String, value: Value) {
    match draft.event.metadata.get(&name) {
        Some(before) if *before == value || value.is_null() => return,
        Some(_) => draft.note(Note::MetadataShadowed),
        None => {}
    }
    draft.event.metadata.insert(name, value);
}

/// Puts `log('SECURITY: x', {…})` right. Whether there was something to put right.
fn repair_call(fields: &mut Map<String, Value>, metadata: &mut Map<String, Value>) -> bool {
    let title = fields
        .get("service")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let titled = title.starts_with(CALL);
    let data = fields.get("message").is_some_and(Value::is_object);
    if !titled && !data {
        return false;
    }
    if data && let Some(Value::Object(data)) = fields.shift_remove("message") {
        // The SDK lays a call's data over its global metadata.
        metadata.extend(data);
    }
    let service = metadata
        .get("service")
        .and_then(Value::as_str)
        .filter(|service| !service.is_empty());
    let service = service
        .map(str::to_owned)
        .or_else(|| titled.then(|| "security".to_owned()));
    if let Some(service) = service {
        fields.insert("service".to_owned(), service.into());
        if is_absent(fields.get("message")) {
            fields.insert("message".to_owned(), title.clone().into());
        }
    }
    let word = title.strip_prefix(CALL).map_or("", str::trim);
    let named = [&*fields, &*metadata]
        .iter()
        .any(|map| !is_absent(map.get("security_event")));
    if !named && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        fields.insert("security_event".to_owned(), word.into());
    }
    true
}

fn is_absent(value: Option<&Value>) -> bool {
    value.is_none_or(|value| value.is_null() || value.as_str() == Some(""))
}

/// The rank of an alias; canonical names come before it, and what metadata says after it.
const ALIAS: u8 = 1;

/// The value of every canonical field, and what else stood beside them.
fn claim(fields: Map<String, Value>, metadata: &Map<String, Value>) -> (Claims, Vec<(String, Value)>) {
    let mut claims = Claims {
        best: [const { None }; FIELDS],
        shadowed: false,
    };
    let mut rest = Vec::new();
    for (name, value) in fields {
        let known = match Field::canonical(&name) {
            Some(field) => Some((field, 0)),
            None => Field::alias(&name)
                .or_else(|| Field::outer_alias(&name))
                .map(|field| (field, ALIAS)),
        };
        let loser = match known {
            Some((field, rank)) if fits(field, rank, &value) => claims.enter(Claim {
                field,
                rank,
                name,
                value,
            }),
            Some((_, 0)) if is_absent(Some(&value)) => None,
            None if name == "metadata" && (value.is_null() || value.as_object().is_some_and(Map::is_empty)) => None,
            Some(_) | None => {
                rest.push((name, value));
                None
            }
        };
        rest.extend(loser.map(|loser| (loser.name, loser.value)));
    }
    for (name, value) in metadata {
        let known = match Field::canonical(name) {
            Some(field) => Some((field, 2)),
            None => Field::alias(name).map(|field| (field, 3)),
        };
        if let Some((field, rank)) =
            known.filter(|(field, rank)| field.may_be_in_metadata() && fits(*field, *rank, value))
        {
            claims.enter(Claim {
                field,
                rank,
                name: name.clone(),
                value: value.clone(),
            });
        }
    }
    (claims, rest)
}

/// Whether a value of this shape can be the field at all. A canonical name beside the others always claims its
/// field, whatever it holds, so that nothing inside metadata can take its place.
fn fits(field: Field, rank: u8, value: &Value) -> bool {
    if is_absent(Some(value)) {
        return false;
    }
    let list = matches!(field, Field::Tags) && value.is_array();
    rank == 0 || list || !(value.is_array() || value.is_object())
}

/// Sets the field. False if the value cannot be one.
fn set(draft: &mut Draft, claim: &Claim, zone: &Zone) -> bool {
    let value = &claim.value;
    let event = &mut draft.event;
    match claim.field {
        Field::Time => draft.moment = Moment::of_value(value, zone),
        Field::Level => {
            draft.level = level(value);
            if draft.level.is_none() {
                draft.note(Note::LevelUnknown);
                return false;
            }
        }
        Field::Severity => {
            draft.severity = value.as_str().and_then(|word| Severity::from_str(word).ok());
            if draft.severity.is_none() {
                draft.note(Note::SeverityUnknown);
                return false;
            }
        }
        Field::Audit => return flag(value).map(|audit| event.audit = audit).is_some(),
        Field::Success => return flag(value).map(|success| event.success = Some(success)).is_some(),
        Field::Repeat => return repeat(value).map(|repeat| event.repeat = repeat).is_some(),
        Field::Tags => return tags(value).map(|tags| event.tags = tags).is_some(),
        Field::SpanId if !value.as_str().is_some_and(is_span_id) => return false,
        Field::EventId => return scalar(value).map(|text| event.event_id = text).is_some(),
        Field::Service => return scalar(value).map(|text| event.service = text).is_some(),
        Field::Message => return scalar(value).map(|text| event.message = text).is_some(),
        Field::SecurityEvent => return fill(&mut event.security_event, value),
        Field::UserId => return fill(&mut event.user_id, value),
        Field::UserEmail => return fill(&mut event.user_email, value),
        Field::UserRole => return fill(&mut event.user_role, value),
        Field::SessionId => return fill(&mut event.session_id, value),
        Field::SourceIp => return fill(&mut event.source_ip, value),
        Field::UserAgent => return fill(&mut event.user_agent, value),
        Field::Action => return fill(&mut event.action, value),
        Field::ResourceType => return fill(&mut event.resource_type, value),
        Field::ResourceId => return fill(&mut event.resource_id, value),
        Field::ErrorMessage => return fill(&mut event.error_message, value),
        Field::TraceId => return fill(&mut event.trace_id, value),
        Field::SpanId => return fill(&mut event.span_id, value),
    }
    true
}

fn fill(place: &mut Option<String>, value: &Value) -> bool {
    *place = scalar(value);
    place.is_some()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

fn tags(value: &Value) -> Option<Vec<String>> {
    match value.as_array() {
        Some(list) => list.iter().map(|tag| tag.as_str().map(str::to_owned)).collect(),
        None => scalar(value).map(|tag| vec![tag]),
    }
}

fn repeat(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok().filter(|repeat| *repeat > 0)
}

fn is_span_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// A level by LogTide's word, by syslog's, or by the number of pino and bunyan.
fn level(value: &Value) -> Option<Level> {
    if let Some(number) = value.as_u64() {
        return Some(match number {
            10 | 20 => Level::Debug,
            30 => Level::Info,
            40 => Level::Warn,
            50 => Level::Error,
            60 => Level::Critical,
            _ => return None,
        });
    }
    let word = value.as_str()?;
    let other = || match word.to_ascii_lowercase().as_str() {
        "trace" => Some(Level::Debug),
        "notice" | "information" => Some(Level::Info),
        "warning" => Some(Level::Warn),
        "err" => Some(Level::Error),
        "crit" | "fatal" | "alert" | "emerg" | "panic" => Some(Level::Critical),
        _ => None,
    };
    Level::from_str(word).ok().or_else(other)
}
