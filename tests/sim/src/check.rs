//! What must hold after a run, whatever went wrong in it.

use std::collections::{BTreeMap, BTreeSet};

use broker::Record;
use detection::{Correlator, Matched, Matcher, SourceCounts, effective_time};
use event::{Alert, AlertStatus, Event, FactRecord, Source, SourcePartition, SourceTopic, StateChange, topic};
use state::{NoImage, StateStore};

use crate::World;
use crate::reference::{self, Episode, Seen};

type Checked = Result<(), String>;

pub(crate) fn all(world: &World) -> Checked {
    let alerts = decode_all(&world.records(topic::ALERTS)?, |bytes| {
        Alert::decode(bytes).map_err(|error| error.to_string())
    })?;
    world.met.borrow_mut().alerts += alerts.len() as u64;
    facts_are_those_of_the_events(world)?;
    alerts_and_state_are_the_fold_of_the_facts(world, &alerts)?;
    episodes_are_the_reference(world, &alerts)?;
    nothing_was_set_aside(world)
}

fn decode_all<T>(partitions: &[Vec<Record>], decode: impl Fn(&[u8]) -> Result<T, String>) -> Result<Vec<T>, String> {
    let values = partitions
        .iter()
        .flatten()
        .map(|record| record.value.as_deref().unwrap_or_default());
    values.map(decode).collect()
}

fn events(world: &World) -> Result<Vec<(Event, Source, event::Timestamp)>, String> {
    let mut events = Vec::new();
    for name in SourceTopic::ALL.into_iter().filter(|name| *name != SourceTopic::Facts) {
        for (partition, records) in world.records(name.name())?.iter().enumerate() {
            let partition = SourcePartition {
                topic: name,
                partition: u32::try_from(partition).unwrap_or_default(),
            };
            for record in records
                .iter()
                .filter(|record| record.header(topic::HEADER_HEARTBEAT).is_none())
            {
                let event =
                    Event::decode(record.value.as_deref().unwrap_or_default()).map_err(|error| error.to_string())?;
                events.push((
                    event,
                    Source {
                        partition,
                        offset: record.offset,
                    },
                    record.timestamp,
                ));
            }
        }
    }
    Ok(events)
}

/// Exactly once through match: the facts in the log are the facts of the events in the log, as a multiset.
fn facts_are_those_of_the_events(world: &World) -> Checked {
    let mut matcher = Matcher::new(&world.rules);
    let mut expected = Matched::default();
    for (event, source, arrival) in events(world)? {
        let read = matcher.evaluate(&event.encode(), source, arrival, &mut expected);
        read.map_err(|error| error.to_string())?;
    }
    let flat = |fact: &event::Fact| -> Vec<String> {
        fact.entries
            .iter()
            .map(|entry| format!("{:?} {} {:?} {entry:?}", fact.rule, fact.side, fact.key))
            .collect()
    };
    let mut expected: Vec<String> = expected.facts().flat_map(flat).collect();
    let mut found = Vec::new();
    for record in decode_all(&world.records(topic::FACTS)?, |bytes| {
        FactRecord::decode(bytes).map_err(|error| error.to_string())
    })? {
        if let FactRecord::Fact(fact) = record {
            found.extend(flat(&fact));
        }
    }
    expected.sort();
    found.sort();
    if expected == found {
        Ok(())
    } else {
        Err(format!("facts: {} expected, {} found", expected.len(), found.len()))
    }
}

/// Exactly once through correlate: alerts and changelog are what one pass over the committed facts gives, byte for byte.
fn alerts_and_state_are_the_fold_of_the_facts(world: &World, alerts: &[Alert]) -> Checked {
    let sources = SourceCounts {
        security: world.sources,
        audit: 1,
        access: 1,
        facts: world.facts,
    };
    let stateful: BTreeSet<_> = world
        .rules
        .rules()
        .iter()
        .filter(|rule| rule.is_stateful())
        .map(|rule| &rule.id)
        .collect();
    let mut found: Vec<Vec<u8>> = alerts
        .iter()
        .filter(|alert| stateful.contains(&alert.rule_id))
        .map(Alert::encode)
        .collect();
    let mut expected = Vec::new();
    let changelogs = world.records(topic::CHANGELOG)?;
    for (partition, records) in world.records(topic::FACTS)?.into_iter().enumerate() {
        let place = broker::TopicPartition::new(topic::FACTS, u32::try_from(partition).unwrap_or_default());
        let read = world.log.committed(detector::CORRELATE_GROUP, &place).unwrap_or(0);
        let mut store = StateStore::open(NoImage);
        let mut correlator = Correlator::open(&world.rules, sources, &store).map_err(|error| error.to_string())?;
        for record in records.iter().take_while(|record| record.offset < read) {
            let at = Source {
                partition: SourcePartition {
                    topic: SourceTopic::Facts,
                    partition: place.partition,
                },
                offset: record.offset,
            };
            let step = match FactRecord::decode(record.value.as_deref().unwrap_or_default())
                .map_err(|error| error.to_string())?
            {
                FactRecord::Fact(fact) => correlator.on_fact(&fact, at, &mut store),
                FactRecord::Tick(tick) => correlator.on_tick(&tick, at, &mut store),
            };
            expected.extend(
                step.map_err(|error| error.to_string())?
                    .alerts
                    .iter()
                    .map(Alert::encode),
            );
        }
        let mut folded: BTreeMap<Vec<u8>, Box<[u8]>> = BTreeMap::new();
        for record in &changelogs[partition] {
            let key = record.key.as_deref().unwrap_or_default();
            let change = StateChange::decode(key, record.value.as_deref()).map_err(|error| error.to_string())?;
            match change.value {
                Some(value) => folded.insert(key.to_vec(), value),
                None => folded.remove(key),
            };
        }
        let state: BTreeMap<Vec<u8>, Box<[u8]>> = store
            .in_memory()
            .map(|(key, value)| (key.to_vec(), value.into()))
            .collect();
        if state != folded {
            return Err(format!(
                "state of {place}: {} keys expected, {} in the changelog",
                state.len(),
                folded.len()
            ));
        }
    }
    expected.sort();
    found.sort();
    if expected == found {
        Ok(())
    } else {
        Err(format!(
            "alert records: {} expected, {} found",
            expected.len(),
            found.len()
        ))
    }
}

/// What people are told in the end is right: the last word on every alert is an episode of the reference.
fn episodes_are_the_reference(world: &World, alerts: &[Alert]) -> Checked {
    let seen = |(event, _, arrival): (Event, Source, event::Timestamp)| {
        let time = effective_time(event.time, arrival);
        Seen { event, time }
    };
    let seen: Vec<Seen> = events(world)?.into_iter().map(seen).collect();
    let expected = reference::episodes(&seen);
    let mut last: BTreeMap<_, &Alert> = BTreeMap::new();
    for alert in alerts {
        let before = last.insert(alert.alert_id, alert);
        // A producer's retry fires a stateless rule again, under the same id: the alerter's ledger folds it.
        let repeats = alert.rule_id == "role" && before.is_some_and(|before| before.revision == alert.revision);
        let next = before.map_or(1, |before| before.revision + 1);
        if repeats {
            continue;
        }
        if alert.revision != next || before.is_some_and(|before| before.merged_into.is_some()) {
            return Err(format!(
                "revision {} of {} after {before:?}",
                alert.revision, alert.alert_id
            ));
        }
    }
    let mut found: Vec<Episode> = last
        .values()
        .filter(|alert| alert.merged_into.is_none())
        .map(|alert| episode(alert))
        .collect();
    found.sort();
    if expected != found {
        let missing: Vec<_> = expected.iter().filter(|episode| !found.contains(episode)).collect();
        let surplus: Vec<_> = found.iter().filter(|episode| !expected.contains(episode)).collect();
        return Err(format!(
            "episodes missing: {missing:#?}\nepisodes that must not be: {surplus:#?}"
        ));
    }
    let open = last
        .values()
        .find(|alert| alert.status != AlertStatus::Closed && alert.rule_id != "role");
    open.map_or(Ok(()), |alert| {
        Err(format!(
            "days later {} of {} is not closed",
            alert.alert_id, alert.rule_id
        ))
    })
}

fn episode(alert: &Alert) -> Episode {
    Episode {
        rule: alert.rule_id.clone(),
        key: alert
            .key
            .values()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
        first: alert.first_event_at,
        last: alert.last_event_at,
        count: alert.count,
        events: alert.events.iter().map(|evidence| evidence.event_id.clone()).collect(),
    }
}

fn nothing_was_set_aside(world: &World) -> Checked {
    for name in [topic::DEAD_LETTERS, topic::LATE_FACTS] {
        let count = world.records(name)?.iter().map(Vec::len).sum::<usize>();
        if count > 0 {
            return Err(format!("{count} records in {name}"));
        }
    }
    Ok(())
}
