use std::ops::Range;

use crate::error::{Fault, quoted};

/// The canonical fields that a rule can read, as [`event::Event::field`] resolves them.
pub(crate) const CANONICAL: [&str; 24] = [
    "action",
    "audit",
    "error_message",
    "event_id",
    "format",
    "level",
    "message",
    "repeat",
    "resource_id",
    "resource_type",
    "security_event",
    "service",
    "session_id",
    "severity",
    "source_ip",
    "span_id",
    "success",
    "tenant",
    "time",
    "trace_id",
    "user_agent",
    "user_email",
    "user_id",
    "user_role",
];

/// Names that would silently read nothing, and what to do instead.
const UNREADABLE: [(&str, &str); 9] = [
    ("alert", "alerts are read in a filter: `alert:brute_force`"),
    ("hour", "it is compared in a stage: `| where hour >= 22`"),
    ("weekday", "it is compared in a stage: `| where weekday in (sat, sun)`"),
    (
        "tags",
        "a tag is matched by its bare word, as in `security_event:login_success AND new_device_login`",
    ),
    ("metadata", "name what is in it, as in `metadata.new_role`"),
    ("raw", "match on `message` or on a field"),
    ("ingest_time", "rules see the event's own `time`"),
    ("time_suspect", "rules see times already bounded by arrival"),
    ("schema_version", "every event has the same"),
];

const NAME_BYTES_MAX: usize = 200;

/// The name of a field of the event.
pub(crate) fn field_name(name: &str, at: &Range<usize>) -> Result<String, Fault> {
    let fault = |message: String| Err(Fault::new(at.clone(), message));
    if let Some((_, instead)) = UNREADABLE.iter().find(|(unreadable, _)| *unreadable == name) {
        return fault(format!(
            "{} is not a field that a rule can read here: {instead}",
            quoted(name)
        ));
    }
    if name.len() > NAME_BYTES_MAX {
        return fault(format!("a field name has at most {NAME_BYTES_MAX} bytes"));
    }
    let mut characters = name.chars();
    let begins = characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || matches!(first, '_' | '@'));
    if !begins || !characters.all(|next| next.is_alphanumeric() || matches!(next, '_' | '@' | '.' | '-')) {
        return fault(format!(
            "{} is not a field name: letters, digits, `_`, `-`, `.` and `@`",
            quoted(name)
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canonical_name_is_one_that_the_event_resolves_and_none_is_missing() {
        let full = serde_json::json!({
            "schema_version": 1, "event_id": "e", "time": "2026-01-01T00:00:00.000Z", "time_suspect": true,
            "ingest_time": "2026-01-01T00:00:00.000Z", "tenant": "t", "service": "s", "level": "info", "message": "m",
            "security_event": "x", "severity": "low", "user_id": "u", "user_email": "e", "user_role": "r",
            "session_id": "s", "source_ip": "1.2.3.4", "user_agent": "a", "audit": true, "action": "a",
            "resource_type": "t", "resource_id": "i", "success": true, "error_message": "e", "metadata": {"k": 1},
            "trace_id": "t", "span_id": "s", "tags": ["t"], "repeat": 2, "format": "f", "raw": "r"
        });
        let event: event::Event = serde_json::from_value(full.clone()).expect("it is canonical");
        for name in CANONICAL {
            assert!(event.field(name).is_some(), "{name}");
        }
        let names = full.as_object().expect("an object").keys();
        for name in names {
            let unreadable = UNREADABLE.iter().any(|(known, _)| known == name);
            assert_ne!(
                CANONICAL.contains(&name.as_str()),
                unreadable,
                "{name} is neither or both"
            );
        }
    }

    #[test]
    fn names_that_read_nothing_are_refused() {
        for name in ["", "hour", "tags", "raw", "a b", "5x", "a{b", &"n".repeat(201)] {
            assert!(field_name(name, &(0..1)).is_err(), "{name}");
        }
    }
}
