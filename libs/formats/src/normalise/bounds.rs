//! Rule 6: no text is longer than the limit, and none is cut silently.

use event::Event;
use serde_json::{Map, Value};

const MARK: &str = "…[truncated]";
pub(super) const NAMES: &str = "_truncated";

/// Cuts every text of `event` to `limit` bytes. Whether one was cut.
pub(super) fn cut(event: &mut Event, limit: usize) -> bool {
    let mut names = Vec::new();
    for (name, text) in texts(event) {
        cut_text(text, limit, || names.push(name.to_owned()));
    }
    event
        .tags
        .iter_mut()
        .for_each(|tag| cut_text(tag, limit, || names.push("tags".to_owned())));
    for (name, value) in &mut event.metadata {
        let mut was_cut = false;
        cut_value(value, limit, &mut was_cut);
        was_cut.then(|| names.push(format!("metadata.{name}")));
    }
    if names.is_empty() {
        return false;
    }
    names.dedup();
    event.metadata.insert(NAMES.to_owned(), names.into());
    true
}

fn cut_value(value: &mut Value, limit: usize, was_cut: &mut bool) {
    match value {
        Value::String(text) => cut_text(text, limit, || *was_cut = true),
        Value::Array(list) => list.iter_mut().for_each(|value| cut_value(value, limit, was_cut)),
        Value::Object(fields) => cut_fields(fields, limit, was_cut),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cut_fields(fields: &mut Map<String, Value>, limit: usize, was_cut: &mut bool) {
    fields.values_mut().for_each(|value| cut_value(value, limit, was_cut));
}

fn cut_text(text: &mut String, limit: usize, on_cut: impl FnOnce()) {
    if text.len() <= limit {
        return;
    }
    text.truncate(text.floor_char_boundary(limit.saturating_sub(MARK.len())));
    text.push_str(MARK);
    on_cut();
}

/// The texts that come from the producer; the event id has its own limit.
fn texts(event: &mut Event) -> impl Iterator<Item = (&'static str, &mut String)> {
    let always = [
        ("service", Some(&mut event.service)),
        ("message", Some(&mut event.message)),
    ];
    let optional = [
        ("security_event", event.security_event.as_mut()),
        ("user_id", event.user_id.as_mut()),
        ("user_email", event.user_email.as_mut()),
        ("user_role", event.user_role.as_mut()),
        ("session_id", event.session_id.as_mut()),
        ("source_ip", event.source_ip.as_mut()),
        ("user_agent", event.user_agent.as_mut()),
        ("action", event.action.as_mut()),
        ("resource_type", event.resource_type.as_mut()),
        ("resource_id", event.resource_id.as_mut()),
        ("error_message", event.error_message.as_mut()),
        ("trace_id", event.trace_id.as_mut()),
        ("span_id", event.span_id.as_mut()),
    ];
    always
        .into_iter()
        .chain(optional)
        .filter_map(|(name, text)| Some((name, text?)))
}
