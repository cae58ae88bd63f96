//! Canaries go the way of every event, and are counted like every event.

use std::collections::BTreeSet;
use std::time::Duration;

use event::{Event, canary, partition_of, topic};
use ingest::IngestSettings;

use crate::support::{Door, EVENTS_PARTITIONS, Mode, eventually, records, settings};

fn with_interval(canary_interval: Duration) -> IngestSettings {
    IngestSettings {
        canary_interval,
        ..settings()
    }
}

/// Runs the canaries of a door until `done`, then stops.
async fn run(door: &Door, what: &str, done: impl FnMut() -> bool) {
    let running = tokio::spawn({
        let (ingest, stop) = (door.ingest.clone(), door.stop.clone());
        async move { ingest.write_canaries(&stop, "ingest-0").await }
    });
    eventually(what, done).await;
    door.stop.request();
    running.await.unwrap();
}

fn canaries(door: &Door) -> Vec<(u32, Event)> {
    let found = records(&door.log, topic::EVENTS_SECURITY).into_iter();
    let decode = |value: Option<bytes::Bytes>| Event::decode(&value.unwrap()).unwrap();
    found
        .map(|(partition, record)| (partition, decode(record.value)))
        .collect()
}

#[tokio::test]
async fn each_is_two_events_of_one_user_and_they_take_the_partitions_in_turn() {
    let door = Door::open(with_interval(Duration::from_millis(20))).await;
    run(&door, "two in each partition", || canaries(&door).len() >= 12).await;
    let found = canaries(&door);
    let mut users: Vec<(&str, u32)> = found
        .iter()
        .map(|(partition, event)| (event.user_id.as_deref().unwrap(), *partition))
        .collect();
    let per_partition = |partition| users.iter().filter(|(_, other)| *other == partition).count();
    let counts: Vec<usize> = (0..EVENTS_PARTITIONS).map(per_partition).collect();
    assert!(counts.iter().all(|count| (4..=6).contains(count)), "{counts:?}");
    for (partition, event) in &found {
        assert_eq!(event.tenant, canary::TENANT);
        assert_eq!(event.security_event.as_deref(), Some(canary::SECURITY_EVENT));
        assert_eq!(event.metadata["synthetic"], true);
        // What the fact of this event is keyed by, where `facts` has as many partitions.
        let key = event::Key::new(canary::TENANT, [event.user_id.as_deref().unwrap()]);
        assert_eq!(partition_of(key.as_bytes(), EVENTS_PARTITIONS), *partition);
    }
    let ids: BTreeSet<&str> = found.iter().map(|(_, event)| event.event_id.as_str()).collect();
    assert_eq!(ids.len(), found.len(), "no two have one id");
    users.dedup();
    assert_eq!(users.len() * 2, found.len(), "two of each user, one after the other");
    let count = found.len() as f64;
    assert_eq!(
        door.metric(r#"events_total{format="canary",outcome="accepted"}"#),
        count
    );
    let written = r#"entries_written_total{door="canary",tenant="tidewatch-canary",topic="events.security"}"#;
    assert_eq!(door.metric(written), count);
    assert_eq!(door.metric("canary_interval_seconds"), 0.02);
}

#[tokio::test]
async fn what_could_not_be_written_is_told_and_the_next_is_tried() {
    let door = Door::open(with_interval(Duration::from_millis(20))).await;
    door.gate.set(Mode::Fail);
    let unknown = r#"events_total{format="canary",outcome="unknown"}"#;
    let mut is_mended = false;
    run(&door, "it fails, then works", || {
        if door.metric(unknown) >= 4.0 && !is_mended {
            door.gate.set(Mode::Overloaded);
            is_mended = true;
        } else if door.metric(unknown) >= 8.0 {
            door.gate.set(Mode::Pass);
        }
        canaries(&door).len() >= 2
    })
    .await;
    assert!(door.metric(unknown) >= 8.0);
}

#[tokio::test]
async fn an_interval_of_zero_is_none_at_all() {
    let door = Door::open(with_interval(Duration::ZERO)).await;
    // It ends by itself.
    door.ingest.write_canaries(&door.stop, "ingest-0").await;
    assert_eq!(canaries(&door), []);
    assert_eq!(door.metric("canary_interval_seconds"), 0.0);
}
