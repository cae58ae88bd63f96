//! The JSON Schema of rule files, for editors. What the reader refuses beyond it (queries, zones, the fields of keys) no
//! schema can say; what the schema refuses, the reader refuses.

use event::{Level, Severity};
use serde_json::{Map, Value, json};

use super::keys::{Key, LOG_LINE_BYTES_MAX, Presence, REASON_BYTES_MAX, RULE, Shape};
use super::tag;
use super::test_section::full_event;
use crate::{Rule, lints};

/// The schema (draft 2020-12) of a rule file with one rule; of one with several, each document fits it.
pub fn schema() -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of Tidewatch",
        "description": "docs/rules.md says what the keys mean. Made by `tidewatch rules schema`.",
        "oneOf": [{"required": ["query"]}, {"required": ["sigma"]}],
    });
    let object = schema.as_object_mut().expect("it is written as an object");
    object.extend(mapping(RULE));
    schema
}

fn mapping(keys: &[Key]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys
        .iter()
        .filter(|key| key.presence == Presence::Required)
        .map(|key| key.name)
        .collect();
    let mut object = Map::from_iter([
        ("type".to_owned(), "object".into()),
        ("properties".to_owned(), properties.into()),
        ("additionalProperties".to_owned(), false.into()),
    ]);
    if !required.is_empty() {
        object.insert("required".to_owned(), required.into());
    }
    object
}

fn property(key: &Key) -> Value {
    let mut property = Map::from_iter([("description".to_owned(), Value::from(key.about))]);
    property.extend(shape(&key.shape));
    if let Presence::Default(value) = key.presence {
        property.insert("default".to_owned(), value.into());
    }
    property.into()
}

fn shape(shape: &Shape) -> Map<String, Value> {
    let written = match shape {
        Shape::Line(bytes_max) | Shape::Text(bytes_max) => text(*bytes_max),
        Shape::Id => json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "maxLength": Rule::ID_BYTES_MAX}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Span(_) => json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}),
        Shape::Moment => json!({"type": "string", "format": "date-time"}),
        Shape::Count => json!({"type": "integer", "minimum": 0}),
        Shape::Tag => json!({"type": "string", "minLength": 1, "pattern": tag::pattern()}),
        Shape::List(of, most) => json!({"type": "array", "items": self::shape(of), "maxItems": most}),
        Shape::Mapping(keys) => return mapping(keys),
        Shape::LintsOff => lints_off(),
        Shape::KeyValues => json!({"type": "object"}),
        Shape::Detection => json!({
            "type": "object",
            "properties": {
                "logsource": {"type": "object"},
                "detection": {"type": "object", "required": ["condition"]},
                "taxonomy": {"type": "string"},
            },
            "required": ["detection"],
            "additionalProperties": false,
        }),
        Shape::Event => json!({"anyOf": [text(LOG_LINE_BYTES_MAX), event()]}),
    };
    let Value::Object(object) = written else {
        unreachable!("every shape is written as an object");
    };
    object
}

/// A limit in bytes is at most as many characters.
fn text(bytes_max: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": bytes_max})
}

fn lints_off() -> Value {
    let reason = |(name, about): (&str, &str)| {
        let mut reason = text(REASON_BYTES_MAX);
        reason["description"] = format!("the reason why this is not told: {about}").into();
        (name.to_owned(), reason)
    };
    let properties: Map<String, Value> = lints::all().map(reason).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// An event, by the template that the reader holds it against.
fn event() -> Value {
    let kind = |(name, value): (String, Value)| {
        let kind = match (name.as_str(), value) {
            ("severity", _) => json!({"enum": Severity::ALL.map(Severity::as_str)}),
            ("level", _) => json!({"enum": Level::ALL.map(Level::as_str)}),
            ("time" | "ingest_time", _) => json!({"type": "string", "format": "date-time"}),
            (_, Value::String(_)) => json!({"type": "string"}),
            (_, Value::Bool(_)) => json!({"type": "boolean"}),
            (_, Value::Number(_)) => json!({"type": "integer", "minimum": 0}),
            (_, Value::Array(_)) => json!({"type": "array", "items": {"type": "string"}}),
            (_, Value::Object(_)) => json!({"type": "object"}),
            (_, Value::Null) => unreachable!("the template has a value under every key"),
        };
        (name, kind)
    };
    let properties: Map<String, Value> = full_event().into_iter().map(kind).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}
