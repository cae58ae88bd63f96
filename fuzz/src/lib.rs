//! What the fuzz targets share: a rule around a query, and a few events for whatever rules came out.

use detection::{Correlator, Matched, Matcher, SourceCounts};
use event::{Event, FactRecord, Source, SourcePartition, SourceTopic, Tick, Timestamp};
use ruleset::RuleSet;
use state::{NoImage, StateStore};

/// A rule file with this query.
pub fn rule_of(query: &str) -> String {
    let query = serde_json::to_string(query).expect("text is JSON");
    format!("id: fuzzed\ntitle: Fuzzed\nseverity: high\nmessage: '{{user_id}}'\nquery: {query}\n")
}

/// Takes three events and the end of time through both stages of the detector. What comes out does not matter; that it
/// ends, and without a panic, does.
pub fn evaluate(rules: &RuleSet) {
    let sources = SourceCounts {
        security: 1,
        audit: 1,
        access: 1,
        facts: 1,
    };
    let mut store = StateStore::open(NoImage);
    let mut matcher = Matcher::new(rules);
    let mut correlator = Correlator::open(rules, sources, &store).expect("an empty store opens");
    let mut matched = Matched::default();
    for (offset, event) in (0..).zip(events()) {
        let partition = SourcePartition {
            topic: SourceTopic::from(event.tier()),
            partition: 0,
        };
        let source = Source { partition, offset };
        let read = matcher.evaluate(&event.encode(), source, event.time, &mut matched);
        read.expect("what was encoded is an event");
    }
    let at = |offset| Source {
        partition: SourcePartition {
            topic: SourceTopic::Facts,
            partition: 0,
        },
        offset,
    };
    for (offset, fact) in (0..).zip(matched.facts()) {
        let bytes = FactRecord::Fact(fact.clone()).encode();
        let Ok(FactRecord::Fact(read)) = FactRecord::decode(&bytes) else {
            panic!("a fact that was written cannot be read");
        };
        correlator
            .on_fact(&read, at(offset), &mut store)
            .expect("there is no disk to fail");
    }
    let watermarks = [SourceTopic::Security, SourceTopic::Audit, SourceTopic::Access]
        .map(|topic| (SourcePartition { topic, partition: 0 }, Timestamp::MAX));
    let tick = Tick {
        level: 0,
        rule_set: matcher.rule_set(),
        watermarks: watermarks.to_vec(),
    };
    correlator
        .on_tick(&tick, at(matched.facts().count() as u64), &mut store)
        .expect("there is no disk to fail");
}

fn events() -> [Event; 3] {
    let text = [
        r#"{"event_id": "1", "time": "2026-01-05T03:00:00Z", "security_event": "login_failed", "severity": "high",
            "user_id": "alice", "source_ip": "203.0.113.7", "message": "failed password for alice", "repeat": 5}"#,
        r#"{"event_id": "2", "time": "2026-01-05T03:04:00Z", "security_event": "login_success", "user_id": "alice",
            "source_ip": "2001:db8::1", "user_role": "admin", "metadata": {"amount": -1.5, "roles": ["a", 1, true, null]}}"#,
        r#"{"event_id": "3", "time": "2026-01-04T03:04:00Z", "service": "sshd", "message": "", "audit": true,
            "tags": ["new_device_login"], "metadata": {"CommandLine": "powershell -enc AAAA", "a": {"b": [{"c": "x"}]}}}"#,
    ];
    text.map(|text| {
        let mut full = serde_json::to_value(Event::default()).expect("an event is JSON");
        let given: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
        let target = full.as_object_mut().expect("an event is an object");
        for (name, value) in given.as_object().expect("it is an object") {
            target.insert(name.clone(), value.clone());
        }
        serde_json::from_value(full).expect("it is an event")
    })
}
