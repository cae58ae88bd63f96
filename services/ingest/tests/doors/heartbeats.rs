//! Silent partitions get heartbeats; the others do not.

use std::collections::BTreeMap;
use std::time::Duration;

use event::topic::{self, HEADER_HEARTBEAT};
use ingest::IngestSettings;

use crate::support::{Door, EVENTS_PARTITIONS, Mode, eventually, records, settings};

const INTERVAL: Duration = Duration::from_millis(200);

fn quick() -> IngestSettings {
    IngestSettings {
        heartbeat_interval: INTERVAL,
        ..settings()
    }
}

/// Heartbeats by topic and partition.
fn heartbeats(door: &Door) -> BTreeMap<(&'static str, u32), usize> {
    let mut found = BTreeMap::new();
    for topic in topic::EVENTS {
        for (partition, record) in records(&door.log, topic) {
            if record.header(HEADER_HEARTBEAT).is_some() {
                assert_eq!((record.key, record.value), (None, None));
                *found.entry((topic, partition)).or_default() += 1;
            }
        }
    }
    found
}

#[tokio::test]
async fn every_partition_gets_them_while_nothing_comes_and_none_after_a_stop() {
    let door = Door::open(quick()).await;
    let running = tokio::spawn({
        let (ingest, stop) = (door.ingest.clone(), door.stop.clone());
        async move { ingest.write_heartbeats(&stop).await }
    });
    let all = topic::EVENTS.len() * EVENTS_PARTITIONS as usize;
    eventually("two for each", || {
        let found = heartbeats(&door);
        found.len() == all && found.values().all(|count| *count >= 2)
    })
    .await;
    door.stop.request();
    running.await.unwrap();
    let before = heartbeats(&door);
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!(heartbeats(&door), before);
    let written: usize = before.values().sum();
    assert_eq!(door.metric(r#"heartbeats_total{outcome="written"}"#), written as f64);
    assert_eq!(door.metric(r#"events_total{format="json",outcome="accepted"}"#), 0.0);
}

#[tokio::test]
async fn a_partition_with_events_gets_none() {
    let door = Door::open(quick()).await;
    // All of one key, so all in one partition.
    let busy = event::partition_of(event::Key::new("acme", ["203.0.113.7"]).as_bytes(), EVENTS_PARTITIONS);
    let entry = r#"{"message":"m","source_ip":"203.0.113.7"}"#;
    door.ingest(entry).await;
    let running = tokio::spawn({
        let (ingest, stop) = (door.ingest.clone(), door.stop.clone());
        async move { ingest.write_heartbeats(&stop).await }
    });
    for _ in 0..40 {
        door.ingest(entry).await;
        tokio::time::sleep(INTERVAL / 10).await;
    }
    let found = heartbeats(&door);
    door.stop.request();
    running.await.unwrap();
    assert_eq!(found.get(&(topic::EVENTS_ACCESS, busy)), None, "{found:?}");
    assert_eq!(
        found.len(),
        topic::EVENTS.len() * EVENTS_PARTITIONS as usize - 1,
        "{found:?}"
    );
}

#[tokio::test]
async fn a_failed_one_is_counted_and_tried_again() {
    let door = Door::open(quick()).await;
    door.gate.set(Mode::Fail);
    let running = tokio::spawn({
        let (ingest, stop) = (door.ingest.clone(), door.stop.clone());
        async move { ingest.write_heartbeats(&stop).await }
    });
    eventually("they fail", || {
        door.metric(r#"heartbeats_total{outcome="failed"}"#) >= 9.0
    })
    .await;
    door.gate.set(Mode::Pass);
    eventually("they are written", || heartbeats(&door).len() == 9).await;
    // One that is not reported is not followed by another: they do not pile up before a broker that is away.
    door.gate.set(Mode::Hold);
    eventually("each partition waits for one", || door.gate.held() == 9).await;
    tokio::time::sleep(INTERVAL * 3).await;
    assert_eq!(door.gate.held(), 9);
    door.gate.release();
    door.stop.request();
    running.await.unwrap();
}
