//! What must hold after a run, whatever went wrong in it.

use std::collections::BTreeMap;

use broker::Record;
use detection::{Correlator, Matched, Matcher, SourceCounts, effective_time};
use event::{Alert, AlertStatus, Event, Fact, FactRecord, Source, SourcePartition, SourceTopic, StateChange, topic};
use state::{NoImage, StateStore};

use crate::World;
use crate::reference::{self, Episode, Opened, Seen};

type Checked = Result<(), String>;

/// The stateless rules.
const NEVER_CLOSED: [&str; 2] = ["role", "page"];

pub(crate) fn all(world: &World) -> Checked {
    let alerts = decode_all(&world.records(topic::ALERTS)?, |bytes| {
        Alert::decode(bytes).map_err(|error| error.to_string())
    })?;
    for alert in &alerts {
        let level = world.rules.level(&alert.rule_id).unwrap_or_default();
        world.met.borrow_mut().alerts_of_level[usize::from(level)] += 1;
    }
    facts_are_those_of_the_events(world)?;
    what_correlate_wrote_is_the_fold_of_the_facts(world, &alerts)?;
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
    let found = facts_of(world, |source| source != SourceTopic::Facts)?;
    same("facts of events", expected.facts().flat_map(flat).collect(), found)
}

/// Every entry as a line.
fn flat(fact: &Fact) -> Vec<String> {
    let line = |entry| format!("{:?} {} {} {:?} {entry:?}", fact.rule, fact.level, fact.side, fact.key);
    fact.entries.iter().map(line).collect()
}

/// The entries of the facts in the log that stem from records of such topics.
fn facts_of(world: &World, is_such: impl Fn(SourceTopic) -> bool) -> Result<Vec<String>, String> {
    let records = decode_all(&world.records(topic::FACTS)?, |bytes| {
        FactRecord::decode(bytes).map_err(|error| error.to_string())
    })?;
    let facts = records.into_iter().filter_map(|record| match record {
        FactRecord::Fact(fact) => Some(fact),
        FactRecord::Tick(_) => None,
    });
    let such = facts.filter(|fact| fact.entries.iter().all(|entry| is_such(entry.source.partition.topic)));
    Ok(such.flat_map(|fact| flat(&fact)).collect())
}

fn same<T: Ord>(what: &str, mut expected: Vec<T>, mut found: Vec<T>) -> Checked {
    expected.sort();
    found.sort();
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what}: {} expected, {} found", expected.len(), found.len()))
    }
}

/// What correlate makes of the facts of one partition that it has read, by one pass without any fault.
struct Fold {
    alerts: Vec<Vec<u8>>,
    facts: Vec<String>,
    state: BTreeMap<Vec<u8>, Box<[u8]>>,
}

fn fold(world: &World, partition: u32, records: &[Record]) -> Result<Fold, String> {
    let sources = SourceCounts {
        security: world.sources,
        audit: 1,
        access: 1,
        facts: world.facts,
    };
    let place = broker::TopicPartition::new(topic::FACTS, partition);
    let read = world.log.committed(detector::CORRELATE_GROUP, &place).unwrap_or(0);
    let mut store = StateStore::open(NoImage);
    let mut correlator = Correlator::open(&world.rules, sources, &store).map_err(|error| error.to_string())?;
    let (mut alerts, mut facts) = (Vec::new(), Vec::new());
    for record in records.iter().take_while(|record| record.offset < read) {
        let at = Source {
            partition: SourcePartition {
                topic: SourceTopic::Facts,
                partition,
            },
            offset: record.offset,
        };
        let decoded = FactRecord::decode(record.value.as_deref().unwrap_or_default());
        let step = match decoded.map_err(|error| error.to_string())? {
            FactRecord::Fact(fact) => correlator.on_fact(&fact, at, &mut store),
            FactRecord::Tick(tick) => correlator.on_tick(&tick, at, &mut store),
        };
        let step = step.map_err(|error| error.to_string())?;
        alerts.extend(step.alerts.iter().map(Alert::encode));
        facts.extend(step.facts.iter().flat_map(flat));
    }
    let state = store.in_memory();
    let state = state.map(|(key, value)| (key.to_vec(), value.into())).collect();
    Ok(Fold { alerts, facts, state })
}

/// Exactly once through correlate: alerts, derived facts and changelog are what one pass over the committed facts gives,
/// byte for byte.
fn what_correlate_wrote_is_the_fold_of_the_facts(world: &World, alerts: &[Alert]) -> Checked {
    let mut expected = Fold {
        alerts: Vec::new(),
        facts: Vec::new(),
        state: BTreeMap::new(),
    };
    let changelogs = world.records(topic::CHANGELOG)?;
    for ((partition, records), changelog) in (0..).zip(world.records(topic::FACTS)?).zip(changelogs) {
        let fold = fold(world, partition, &records)?;
        expected.alerts.extend(fold.alerts);
        expected.facts.extend(fold.facts);
        let mut folded: BTreeMap<Vec<u8>, Box<[u8]>> = BTreeMap::new();
        for record in &changelog {
            let key = record.key.as_deref().unwrap_or_default();
            let change = StateChange::decode(key, record.value.as_deref()).map_err(|error| error.to_string())?;
            match change.value {
                Some(value) => folded.insert(key.to_vec(), value),
                None => folded.remove(key),
            };
        }
        if fold.state != folded {
            return Err(format!(
                "state of partition {partition}: {} keys expected, {} in the changelog",
                fold.state.len(),
                folded.len()
            ));
        }
    }
    let found = alerts.iter().filter(|alert| alert.rule_id != "role").map(Alert::encode);
    same("alert records", expected.alerts, found.collect())?;
    let found = facts_of(world, |source| source == SourceTopic::Facts)?;
    same("derived facts", expected.facts, found)
}

/// What people are told in the end is right: the last word on every alert is an episode of the reference.
fn episodes_are_the_reference(world: &World, alerts: &[Alert]) -> Checked {
    let seen = |(event, _, arrival): (Event, Source, event::Timestamp)| {
        let time = effective_time(event.time, arrival);
        Seen { event, time }
    };
    let seen: Vec<Seen> = events(world)?.into_iter().map(seen).collect();
    let expected = reference::episodes(&seen, &opened(alerts, &seen));
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
        .find(|alert| alert.status != AlertStatus::Closed && !NEVER_CLOSED.contains(&alert.rule_id.as_str()));
    open.map_or(Ok(()), |alert| {
        Err(format!(
            "days later {} of {} is not closed",
            alert.alert_id, alert.rule_id
        ))
    })
}

/// The alerts that opened, each once, as events. That of a stateless rule has the user of its event.
fn opened(alerts: &[Alert], seen: &[Seen]) -> Vec<Opened> {
    let first = alerts.iter().filter(|alert| alert.revision == 1);
    let unique: BTreeMap<_, &Alert> = first.map(|alert| (alert.alert_id, alert)).collect();
    let of_key = |alert: &Alert, name: &str| alert.key.get(name).and_then(|value| value.as_str().map(str::to_owned));
    let of_event = |alert: &Alert| {
        let event = seen.iter().find(|seen| seen.event.event_id == alert.events[0].event_id);
        event.and_then(|seen| seen.event.user_id.clone())
    };
    let opened = |alert: &&Alert| Opened {
        rule: alert.rule_id.clone(),
        alert: Seen {
            time: alert.opened_at,
            event: Event {
                event_id: alert.alert_id.to_string(),
                user_id: of_key(alert, "user_id").or_else(|| of_event(alert)),
                ..Event::default()
            },
        },
    };
    unique.values().map(opened).collect()
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
