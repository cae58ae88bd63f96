//! The signals of a case, as events.

use std::collections::BTreeMap;

use event::{Event, Timestamp};
use serde_json::{Map, Value};

use super::detection::field_name;
use super::event_name;

/// When a case begins that gives its times in minutes.
const BEGIN: &str = "2026-01-05T00:00:00Z";

/// The events of `rule_outputs`, by time: of each `ID`, one for each time that a value of a field is listed with.
///
/// # Panics
/// If they are not as Panther writes them.
pub fn events(rule_outputs: &Value) -> Vec<Event> {
    let outputs = rule_outputs.as_array().expect("the outputs of a case are a list");
    let mut events: Vec<Event> = outputs.iter().flat_map(of_output).collect();
    events.sort_by_key(|event| event.time);
    for (place, event) in events.iter_mut().enumerate() {
        event.event_id = format!("event-{place}");
    }
    events
}

fn of_output(output: &Value) -> Vec<Event> {
    let id = output["ID"].as_str().expect("an output has an ID");
    // For each time and field, the values that are listed with it. A signal with a list there stands under each
    // value, and is equal to whatever is equal to one of them: it is as many events.
    let mut at: BTreeMap<Timestamp, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (field, values) in output["Matches"].as_object().into_iter().flatten() {
        for (value, times) in values.as_object().into_iter().flatten() {
            for when in times.as_array().into_iter().flatten() {
                at.entry(time(when)).or_default().entry(field).or_default().push(value);
            }
        }
    }
    let of_time = |(time, fields): (&Timestamp, &BTreeMap<&str, Vec<&str>>)| -> Vec<Event> {
        let how_many = fields.values().map(Vec::len).max().unwrap_or_default();
        (0..how_many).map(|place| signal(id, *time, fields, place)).collect()
    };
    at.iter().flat_map(of_time).collect()
}

fn signal(id: &str, time: Timestamp, fields: &BTreeMap<&str, Vec<&str>>, place: usize) -> Event {
    let value = |(field, values): (&&str, &Vec<&str>)| {
        let name = field_name(field).replacen("metadata.", "", 1);
        (name, Value::from(values[place % values.len()]))
    };
    Event {
        time,
        ingest_time: time,
        tenant: "acme".to_owned(),
        service: "panther".to_owned(),
        message: id.to_owned(),
        security_event: Some(event_name(id)),
        metadata: fields.iter().map(value).collect::<Map<String, Value>>(),
        format: "test".to_owned(),
        ..Event::default()
    }
}

/// Minutes since the begin of the case, or a time.
fn time(when: &Value) -> Timestamp {
    let begin = Timestamp::parse(BEGIN).expect("it is a time");
    let of_minutes = |minutes: i64| Timestamp::from_millis(begin.as_millis() + minutes * 60_000);
    let found = when.as_i64().map(of_minutes);
    found
        .or_else(|| Timestamp::parse(when.as_str()?))
        .expect("a time is whole minutes, or RFC 3339")
}
