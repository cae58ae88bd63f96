use event::Timestamp;
use serde_json::{Map, Value};

/// A test inside a rule file: these events must raise exactly these alerts of this rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// Events in the canonical JSON form; what is absent is filled in. In order of arrival.
    pub events: Vec<Map<String, Value>>,
    /// The alerts, in order of opening.
    pub expect: Vec<Expectation>,
}

/// What a test demands of one alert. What is absent is not compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// The group values, by field name.
    pub key: Option<Map<String, Value>>,
    /// The number of contributing events in the end.
    pub count: Option<u64>,
    /// The rendered message.
    pub message: Option<String>,
    /// The first contributing event.
    pub first_event_at: Option<Timestamp>,
    /// The last one.
    pub last_event_at: Option<Timestamp>,
}
