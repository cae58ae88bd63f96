use serde_json::{Map, Value};

use super::{Lint, Subject};
use crate::TestEvent;
use crate::error::Fault;

pub(super) struct AuditEventIncomplete;

/// What an auditor asks of an event, and the fields that answer: one of them is enough.
const ASKED: [(&str, &[&str]); 5] = [
    ("who", &["user_id", "user_email"]),
    ("what", &["action"]),
    ("when", &["time"]),
    ("where", &["source_ip"]),
    ("the result", &["success"]),
];

impl Lint for AuditEventIncomplete {
    fn name(&self) -> &'static str {
        "audit-event-incomplete"
    }

    fn about(&self) -> &'static str {
        "an event of a test with `audit: true` that lacks who (`user_id` or `user_email`), what (`action`), when (`time`), where (`source_ip`) or the result (`success`)"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (test, places) in subject.rule.tests.iter().zip(&subject.places.tests) {
            for (event, at) in test.events.iter().zip(places) {
                if let TestEvent::Fields(fields) = event
                    && fields.get("audit") == Some(&Value::Bool(true))
                    && let missing = missing(fields)
                    && !missing.is_empty()
                {
                    let message = format!("this audit event does not say {}", missing.join(", "));
                    faults.push(Fault::new(at.start..at.start + 1, message));
                }
            }
        }
        faults
    }
}

fn missing(event: &Map<String, Value>) -> Vec<String> {
    let lacks = |fields: &&(&str, &[&str])| !fields.1.iter().any(|field| event.contains_key(*field));
    let told = |(question, fields): &(&str, &[&str])| format!("{question} (`{}`)", fields.join("` or `"));
    ASKED.iter().filter(lacks).map(told).collect()
}
