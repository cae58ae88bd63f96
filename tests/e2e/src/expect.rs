//! What the guide's rules must make of events, worked out apart from the detector: from the rule files, and from where
//! the events lie in their topics.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use broker::{Record, TopicPartition};
use event::{Alert, AlertId, AlertStatus, Event, Evidence, Key, topic};
use kafka::KafkaSettings;
use ruleset::{Rule, RuleSet};
use serde_json::Value;

use crate::log::read_all;

/// The guide's rules.
pub struct Guide(RuleSet);

/// The committed events of an installation, by their ids.
pub struct Events(BTreeMap<String, (TopicPartition, Record, Event)>);

impl Guide {
    /// Reads `rules/guide`.
    ///
    /// # Panics
    /// If they are not there, or are no rules.
    pub fn read() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/guide");
        let files = std::fs::read_dir(directory).expect("rules/guide is there");
        let files: Vec<(String, String)> = files
            .map(|entry| entry.expect("a file").path())
            .map(|path| (path.display().to_string(), std::fs::read_to_string(path).expect("text")))
            .collect();
        Self(ruleset::load(files).expect("the guide's rules load").rule_set)
    }

    /// The rule of this id.
    ///
    /// # Panics
    /// If there is none.
    pub fn rule(&self, id: &str) -> Arc<Rule> {
        let found = self.0.rules().iter().find(|rule| rule.id == id);
        found.unwrap_or_else(|| panic!("no rule {id}")).clone()
    }

    /// The first record of an alert of the rule `id` over the events `ids`, in the order of their times, that the last
    /// of them opened. `key` are the group fields and their values.
    ///
    /// # Panics
    /// If one of the events is not there.
    pub fn opened(&self, id: &str, key: &[(&str, &str)], events: &Events, ids: &[String], message: &str) -> Alert {
        let rule = self.rule(id);
        let contributing: Vec<Evidence> = ids.iter().map(|id| events.evidence(id)).collect();
        let (first, last) = contributing
            .first()
            .zip(contributing.last())
            .expect("at least one event");
        let tenant = &events.0[&last.event_id].2.tenant;
        let group = Key::new(tenant, key.iter().map(|(_, value)| *value));
        Alert {
            alert_id: AlertId::new(tenant, &rule.id, rule.hash, &group, &last.event_id, last.time),
            status: AlertStatus::Opened,
            revision: 1,
            rule_id: rule.id.clone(),
            rule_hash: rule.hash,
            title: rule.title.clone(),
            message: message.to_owned(),
            severity: rule.severity,
            tags: rule.tags.clone(),
            tenant: tenant.clone(),
            key: key
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
                .collect(),
            opened_at: last.time,
            first_event_at: first.time,
            last_event_at: last.time,
            count: contributing.iter().map(|event| u64::from(event.weight)).sum(),
            events: contributing,
            events_omitted: 0,
            merged_into: None,
        }
    }
}

impl Events {
    /// Reads all that are committed; heartbeats are none.
    ///
    /// # Panics
    /// If they cannot be read, or two have one id.
    pub fn read(kafka: &KafkaSettings) -> Self {
        let mut events = BTreeMap::new();
        let records = topic::EVENTS.iter().flat_map(|topic| read_all(kafka, topic));
        for (place, record) in records.filter(|(_, record)| record.header(topic::HEADER_HEARTBEAT).is_none()) {
            let event = Event::decode(record.value.as_deref().expect("a value")).expect("an event");
            let id = event.event_id.clone();
            let known = events.insert(id.clone(), (place, record, event));
            assert!(known.is_none(), "event {id} is there twice");
        }
        Self(events)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The event as evidence. Its effective time is its own: no event of these tests is ahead of its arrival.
    fn evidence(&self, id: &str) -> Evidence {
        let found = self.0.get(id).unwrap_or_else(|| panic!("no event {id} is committed"));
        let (place, record, event) = found;
        Evidence {
            topic: place.topic.to_string(),
            partition: place.partition,
            offset: record.offset,
            event_id: event.event_id.clone(),
            time: event.time,
            weight: event.repeat,
        }
    }
}

/// All committed alerts, in the order of their bytes.
///
/// # Panics
/// If they cannot be read, or are none.
pub fn alerts(kafka: &KafkaSettings) -> Vec<Alert> {
    let mut records: Vec<_> = read_all(kafka, topic::ALERTS)
        .into_iter()
        .map(|(_, record)| record.value.expect("a value"))
        .collect();
    records.sort();
    records
        .iter()
        .map(|value| Alert::decode(value).expect("an alert"))
        .collect()
}
