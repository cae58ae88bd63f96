use event::Timestamp;
use formats::Choice;
use serde_json::{Map, Value};

/// A test inside a rule file: these events must raise exactly these alerts of this rule.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// The format of the events that are lines.
    pub format: Choice,
    /// In order of arrival.
    pub events: Vec<TestEvent>,
    /// The alerts, in order of opening.
    pub expect: Vec<Expectation>,
}

/// An event of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestEvent {
    /// In the canonical JSON form; what is absent is filled in.
    Fields(Map<String, Value>),
    /// A line of a log.
    Line(String),
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
    /// The ids of the contributing events, oldest first.
    pub events: Option<Vec<String>>,
}
