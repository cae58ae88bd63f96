use event::{Alert, AlertId, AlertStatus, Evidence, Key};
use ruleset::Rule;
use serde_json::{Map, Value};

use crate::episode::Episode;
use crate::held::Held;
use crate::kept::EVIDENCE_MAX;

/// The alert of a stateless rule.
pub(crate) fn of_event(rule: &Rule, tenant: &str, alert_id: AlertId, message: String, evidence: Evidence) -> Alert {
    let time = evidence.time;
    let count = evidence.weight.into();
    let base = Alert {
        events: vec![evidence],
        count,
        opened_at: time,
        first_event_at: time,
        last_event_at: time,
        message,
        ..blank(rule, alert_id)
    };
    Alert {
        tenant: tenant.to_owned(),
        ..base
    }
}

/// The alert of an episode, as it is now. Counts it as a revision.
pub(crate) fn of_episode(
    rule: &Rule,
    key: &Key,
    episode: &mut Episode,
    status: AlertStatus,
    inside: &[&Held],
) -> Alert {
    episode.revision += 1;
    let names = rule.key_fields();
    let values = key.values().map(|value| Value::String(value.to_owned()));
    Alert {
        status,
        revision: episode.revision,
        message: episode.message.clone(),
        tenant: key.parts().next().unwrap_or_default().to_owned(),
        key: names.into_iter().map(str::to_owned).zip(values).collect(),
        opened_at: episode.opened_at,
        first_event_at: episode.first,
        last_event_at: episode.last,
        count: episode.count,
        events: inside.iter().take(EVIDENCE_MAX).map(|held| held.evidence()).collect(),
        events_omitted: episode.omitted_events + inside.len().saturating_sub(EVIDENCE_MAX) as u64,
        ..blank(rule, episode.alert_id)
    }
}

/// What an alert takes from its rule.
fn blank(rule: &Rule, alert_id: AlertId) -> Alert {
    Alert {
        alert_id,
        status: AlertStatus::Opened,
        revision: 1,
        rule_id: rule.id.clone(),
        rule_hash: rule.hash,
        title: rule.title.clone(),
        message: String::new(),
        severity: rule.severity,
        tags: rule.tags.clone(),
        tenant: String::new(),
        key: Map::new(),
        opened_at: event::Timestamp::MIN,
        first_event_at: event::Timestamp::MIN,
        last_event_at: event::Timestamp::MIN,
        count: 0,
        events: Vec::new(),
        events_omitted: 0,
        merged_into: None,
    }
}
