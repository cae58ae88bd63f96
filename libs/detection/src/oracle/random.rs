//! Random records: canonical events as bytes, with everything that JSON lets one write.

use event::{Event, Level, Severity, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Names that rules ask for: canonical ones, names in metadata, paths, and what looks like one.
pub(crate) const NAMES: [&str; 36] = [
    "event_id",
    "time",
    "tenant",
    "service",
    "level",
    "message",
    "severity",
    "format",
    "security_event",
    "user_id",
    "user_role",
    "source_ip",
    "audit",
    "success",
    "repeat",
    "metadata.user_id",
    "metadata.service",
    "metadata.success",
    "a",
    "b",
    "a.b",
    "a.b.c",
    "a.c",
    "a.a",
    "b.c",
    "metadata.a",
    "metadata.a.b",
    "metadata.metadata.a",
    "k\"q\\\n",
    "é",
    "",
    "metadata.",
    ".a",
    "a.",
    "raw",
    "tags",
];

const KEYS: [&str; 14] = [
    "a", "b", "c", "a.b", "b.c", "a.b.c", "user_id", "service", "success", "k\"q\\\n", "é", "", "metadata", "raw",
];

pub(crate) const TEXTS: [&str; 14] = [
    "",
    "admin",
    "ADMIN",
    "Admin",
    "root",
    "7",
    "7.0",
    " 7",
    "true",
    "high",
    "Ärger",
    "ärger",
    "\u{212a}",
    "k\"\\\n\u{1f600}",
];

/// JSON as it is written.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Plain(String),
    Text(Written),
    List(Vec<Json>),
    Object(Vec<(Written, Json)>),
}

/// A text, and whether every character of it is escaped.
#[derive(Clone, Debug)]
pub(crate) struct Written(String, bool);

impl Written {
    fn push(&self, out: &mut String) {
        if !self.1 {
            out.push_str(&serde_json::Value::from(self.0.as_str()).to_string());
            return;
        }
        out.push('"');
        self.0
            .encode_utf16()
            .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        out.push('"');
    }
}

impl Json {
    fn push(&self, out: &mut String) {
        match self {
            Self::Plain(json) => out.push_str(json),
            Self::Text(text) => text.push(out),
            Self::List(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    out.push_str(if at == 0 { " " } else { ", " });
                    element.push(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    name.push(out);
                    out.push(':');
                    value.push(out);
                }
                out.push('}');
            }
        }
    }

    /// Whether no object has a name twice.
    pub(crate) fn is_canonical(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Text(_) => true,
            Self::List(elements) => elements.iter().all(Self::is_canonical),
            Self::Object(fields) => {
                let names: std::collections::BTreeSet<_> = fields.iter().map(|(name, _)| &name.0).collect();
                names.len() == fields.len() && fields.iter().all(|(_, value)| value.is_canonical())
            }
        }
    }
}

fn written(texts: &'static [&'static str]) -> impl Strategy<Value = Written> {
    (select(texts), any::<bool>()).prop_map(|(text, is_escaped)| Written(text.to_owned(), is_escaped))
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    vec((written(&KEYS), value), 0..6).prop_map(Json::Object)
}

/// The metadata of an event: an object.
pub(crate) fn metadata() -> impl Strategy<Value = Json> {
    const PLAIN: [&str; 11] = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "7.0",
        "-1.5e3",
        "9223372036854775807",
        "9223372036854775808",
        "1e300",
    ];
    let leaf = prop_oneof![
        select(&PLAIN[..]).prop_map(|json| Json::Plain(json.to_owned())),
        written(&TEXTS).prop_map(Json::Text),
    ];
    let value = leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Json::List), object(inner)]
    });
    object(value)
}

fn some_text() -> impl Strategy<Value = Option<String>> {
    option::of(select(&TEXTS[..]).prop_map(str::to_owned))
}

/// An event without metadata.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let texts = (some_text(), some_text(), some_text(), some_text());
    let words = (select(&Level::ALL[..]), select(&Severity::ALL[..]));
    let tags = vec(select(&TEXTS[..]).prop_map(str::to_owned), 0..3);
    let others = (any::<bool>(), option::of(any::<bool>()), 1_u32..4, 0_i64..100_000_000);
    (texts, words, tags, others, select(&TEXTS[..])).prop_map(|(texts, words, tags, others, text)| Event {
        event_id: "e-1".to_owned(),
        time: Timestamp::from_millis(others.3),
        ingest_time: Timestamp::from_millis(others.3),
        tenant: "acme".to_owned(),
        service: text.to_owned(),
        level: words.0,
        message: format!("said {text} to root"),
        severity: words.1,
        security_event: texts.0,
        user_id: texts.1,
        user_role: texts.2,
        source_ip: texts.3,
        audit: others.0,
        success: others.1,
        tags,
        repeat: others.2,
        format: "test".to_owned(),
        raw: event::Raw::new(b"\"raw\" \\ text"),
        ..Event::default()
    })
}

/// The bytes of a record: an event with this metadata, its fields turned by so many places, and after each what no
/// version 1 has if `is_foreign`.
pub(crate) fn record(event: &Event, metadata: &Json, turned: usize, is_foreign: bool) -> Vec<u8> {
    let json = serde_json::to_value(event).expect("an event is JSON");
    let mut fields: Vec<(Written, Json)> = Vec::new();
    for (name, value) in json.as_object().expect("an event is an object") {
        fields.push((Written(name.clone(), turned % 3 == 1), Json::Plain(value.to_string())));
        if is_foreign {
            fields.push((
                Written("later".to_owned(), false),
                Json::Plain(r#"[{"a": "x"}, 1]"#.to_owned()),
            ));
        }
    }
    fields.push((Written("metadata".to_owned(), turned % 3 == 2), metadata.clone()));
    let places = fields.len();
    fields.rotate_left(turned % places);
    let mut out = String::new();
    Json::Object(fields).push(&mut out);
    out.into_bytes()
}
