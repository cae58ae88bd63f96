//! What the archiver does when all is well, and what it refuses to do when it is not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive::memory::{Flaw, MemoryStore};
use archive::{LockMode, Manifest, ObjectStore as _, Retention, StoreError, read_segments};
use broker::TopicPartition;
use bytes::Bytes;
use common::{GROUP, Hooked, Moment, World, check_whole, settings, settle, unlocked};
use event::Timestamp;

fn security() -> TopicPartition {
    TopicPartition::new("events.security", 0)
}

fn manifests(store: &MemoryStore, place: &TopicPartition) -> Vec<Manifest> {
    read_segments(store, place)
        .unwrap()
        .map(|segment| segment.unwrap().0)
        .collect()
}

#[test]
fn each_record_is_archived_once_and_kept_as_its_tier_says() {
    let world = World::new();
    let store = MemoryStore::default();
    for place in common::places() {
        for value in ["a", "heartbeat", "b", "c", "d"] {
            world.publish(&place.topic, place.partition, value);
        }
    }
    let mut archiver = world.archiver("one", store.clone(), settings());
    settle(&mut archiver).unwrap();
    let first = &manifests(&store, &security())[0];
    assert_eq!((first.count, first.heartbeats, first.last_offset), (4, 1, 3));
    archiver.run(|| true).unwrap();
    check_whole(&world, &store);
    let until = |place: &TopicPartition| manifests(&store, place)[0].retain_until;
    let time = |text: &str| Timestamp::parse(text).unwrap();
    assert_eq!(until(&security()), time("2027-01-02T01:00:00Z"));
    assert_eq!(
        until(&TopicPartition::new("events.audit", 1)),
        time("2033-01-01T01:00:00Z")
    );
    assert_eq!(until(&TopicPartition::new("alerts", 1)), time("2033-01-01T01:00:00Z"));
    assert_eq!(
        until(&TopicPartition::new("events.access", 0)),
        time("2026-04-01T01:00:00Z")
    );
    assert_eq!(until(&TopicPartition::new("facts", 0)), time("2026-04-01T01:00:00Z"));
    for name in [first.key.clone(), first.name()] {
        let lock = Retention {
            mode: LockMode::Compliance,
            until: first.retain_until,
        };
        assert_eq!(
            store.head(&name, None).unwrap().unwrap().retention,
            Some(lock),
            "{name}"
        );
    }
    assert!(world.metric("segments_total{tier=\"security\"} 4"));
    assert!(world.metric("records_total{kind=\"record\",tier=\"security\"} 8"));
    assert!(world.metric("records_total{kind=\"heartbeat\",tier=\"security\"} 2"));
    assert!(world.metric("puts_total{outcome=\"created\"} 20"));
}

#[test]
fn a_segment_is_written_when_it_is_old_by_the_wall_clock() {
    let world = World::new();
    let store = MemoryStore::default();
    world.publish("facts", 0, "a");
    let mut archiver = world.archiver("one", store.clone(), settings());
    settle(&mut archiver).unwrap();
    world.pass(Duration::from_secs(14 * 60));
    settle(&mut archiver).unwrap();
    assert_eq!(store.list("").unwrap().len(), 0);
    assert!(world.metric("lag_seconds{tier=\"facts\"} 840.001"));
    world.pass(Duration::from_secs(60));
    settle(&mut archiver).unwrap();
    assert!(world.metric("lag_seconds{tier=\"facts\"} 0"));
    check_whole(&world, &store);
}

#[test]
fn together_the_segments_hold_no_more_memory_than_allowed() {
    let world = World::new();
    let store = MemoryStore::default();
    let mut settings = settings();
    settings.limits.records_max = u64::MAX;
    settings.memory_max = 400_000;
    let mut archiver = world.archiver("one", store.clone(), settings);
    let mut state: u64 = 1;
    for _ in 0..40 {
        // Text that does not compress away.
        let noise: String = (0..60_000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                char::from(b'!' + u8::try_from(state >> 58).unwrap())
            })
            .collect();
        world.publish("facts", 0, &noise);
        world.publish("facts", 1, &noise);
        settle(&mut archiver).unwrap();
        let held = world.count("memory_bytes");
        assert!(held <= 400_000, "{held}");
    }
    assert!(store.list("tier=facts").unwrap().len() > 5);
    archiver.run(|| true).unwrap();
    check_whole(&world, &store);
}

#[test]
fn a_partition_that_is_handed_over_is_archived_first() {
    let world = World::new();
    let store = MemoryStore::default();
    for place in common::places() {
        world.publish(&place.topic, place.partition, "a");
    }
    let mut one = world.archiver("one", store.clone(), settings());
    settle(&mut one).unwrap();
    assert_eq!(store.list("").unwrap().len(), 0, "nothing is due");
    let mut two = world.archiver("two", store.clone(), settings());
    settle(&mut one).unwrap();
    settle(&mut two).unwrap();
    assert_eq!(store.list("tier=").unwrap().len(), common::places().len() / 2);
    for place in common::places() {
        world.publish(&place.topic, place.partition, "b");
    }
    settle(&mut one).unwrap();
    settle(&mut two).unwrap();
    one.run(|| true).unwrap();
    drop(one);
    settle(&mut two).unwrap();
    two.run(|| true).unwrap();
    check_whole(&world, &store);
}

/// Puts the member out of the group while its object is being written: the commit must not count.
#[test]
fn a_zombie_writes_an_object_and_the_next_owner_adopts_it() {
    let world = World::new();
    let store = MemoryStore::default();
    for value in ["a", "b", "c"] {
        world.publish("events.security", 0, value);
    }
    let (log, member) = (world.log.clone(), Arc::new(Mutex::new(0)));
    let evicted = member.clone();
    let hooked = Hooked::new(store.clone(), move |_, name| {
        if name.starts_with("manifest/") {
            log.evict(GROUP, *evicted.lock().unwrap());
        }
        None
    });
    let session = world.session("one");
    *member.lock().unwrap() = session.member();
    let clock = world.clone();
    let readiness = world.health.readiness("one");
    let now = Box::new(move || clock.now());
    let mut zombie = archiver::Archiver::new(session, hooked, settings(), now, &world.metrics, readiness);
    for _ in 0..20 {
        zombie.step().unwrap();
        if !store.list("manifest/").unwrap().is_empty() {
            break;
        }
    }
    assert_eq!(
        world.log.committed(GROUP, &security()),
        None,
        "the zombie's commit does not count"
    );
    let mut heir = world.archiver("heir", store.clone(), settings());
    settle(&mut heir).unwrap();
    heir.run(|| true).unwrap();
    assert!(world.metric("puts_total{outcome=\"adopted\"} 1"));
    check_whole(&world, &store);
}

/// Somebody else's bytes under our name: never overwritten, never skipped, and only that partition stops.
#[test]
fn a_conflict_stops_the_partition_and_no_other() {
    let world = World::new();
    let store = MemoryStore::default();
    for value in ["a", "b", "c"] {
        world.publish("events.security", 0, value);
        world.publish("events.security", 1, value);
    }
    let mut archiver = world.archiver("one", store.clone(), settings());
    settle(&mut archiver).unwrap();
    // The same topic, made anew with other records: the archive of the old one stands in the way.
    let anew = World::new();
    for value in ["a", "B", "c"] {
        anew.publish("events.security", 0, value);
    }
    anew.publish("events.audit", 0, "x");
    let before = store.get(&manifests(&store, &security())[0].key).unwrap();
    let mut archiver = anew.archiver("one", store.clone(), settings());
    settle(&mut archiver).unwrap();
    archiver.run(|| true).unwrap();
    assert_eq!(store.get(&manifests(&store, &security())[0].key).unwrap(), before);
    assert_eq!(anew.log.committed(GROUP, &security()), None);
    assert_eq!(
        anew.log.committed(GROUP, &TopicPartition::new("events.audit", 0)),
        Some(1),
        "the others go on"
    );
    assert!(anew.metric("stopped{partition=\"0\",topic=\"events.security\"} 1"));
    assert!(anew.metric("puts_total{outcome=\"conflict\"} 1"));
    let obstacles = anew.health.unready();
    assert!(
        obstacles[0].reason.contains("holds other records than the log has"),
        "{obstacles:?}"
    );
}

#[test]
fn an_object_that_cannot_be_read_is_a_conflict() {
    for (what, bytes) in [("tier=", b"no zstd".as_slice()), ("manifest/", b"{}".as_slice())] {
        let world = World::new();
        let store = MemoryStore::default();
        for value in ["a", "b", "c"] {
            world.publish("events.security", 0, value);
        }
        // Killed before the commit; then somebody damages what it wrote.
        let killed = Arc::new(AtomicBool::new(false));
        let kill = killed.clone();
        let hooked = Hooked::new(store.clone(), move |moment, name| {
            let last = moment == Moment::After && name.starts_with("manifest/");
            (last && !kill.swap(true, Ordering::Relaxed)).then(common::killed)
        });
        let mut first = world.archiver("one", hooked, settings());
        assert!(settle(&mut first).is_err() && killed.load(Ordering::Relaxed));
        drop(first);
        let name = store.list(what).unwrap()[0].name.clone();
        store.tamper(&name, Some(Bytes::copy_from_slice(bytes)));
        let mut second = world.archiver("one", store.clone(), settings());
        settle(&mut second).unwrap();
        assert!(world.metric("puts_total{outcome=\"conflict\"} 1"), "{what}");
        assert_eq!(world.log.committed(GROUP, &security()), None);
    }
}

#[test]
fn a_lock_that_is_not_there_stops_the_partition_before_the_commit() {
    let world = World::new();
    let store = MemoryStore::default().with_flaw(Flaw::DropsLocks);
    for value in ["a", "b", "c"] {
        world.publish("events.security", 0, value);
    }
    let mut archiver = world.archiver("one", store.clone(), settings());
    settle(&mut archiver).unwrap();
    assert!(world.metric("puts_total{outcome=\"lock_mismatch\"} 1"));
    assert_eq!(world.log.committed(GROUP, &security()), None);
    // At start-up it is found out before anything is entrusted to it.
    let error = world
        .archiver("two", store, settings())
        .run(|| true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("the object carries none"), "{error}");
    let overwrites = MemoryStore::default().with_flaw(Flaw::Overwrites);
    let error = world
        .archiver("three", overwrites, unlocked())
        .run(|| true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("ignores `If-None-Match: *`"), "{error}");
}

/// An outage: memory does not grow, the others wait too, and afterwards everything is there.
#[test]
fn a_store_in_trouble_is_waited_for() {
    let world = World::new();
    let store = MemoryStore::default();
    let down = Arc::new(AtomicBool::new(true));
    let outage = down.clone();
    let hooked = Hooked::new(store.clone(), move |moment, _| {
        (moment == Moment::Before && outage.load(Ordering::Relaxed)).then(|| StoreError::Retry("503".into()))
    });
    let mut archiver = world.archiver("one", hooked, settings());
    for value in 0..20 {
        world.publish("events.security", 0, &value.to_string());
        settle(&mut archiver).unwrap();
    }
    assert!(world.metric("memory_bytes 0"));
    assert!(world.metric("puts_total{outcome=\"retry\"} 1"), "it does not hammer");
    assert_eq!(
        world.health.unready()[0].reason,
        "events.security/0: waiting for the object store"
    );
    world.pass(Duration::from_secs(60));
    settle(&mut archiver).unwrap();
    assert!(world.metric("puts_total{outcome=\"retry\"} 2"));
    let text = world.metrics.encode().unwrap();
    assert!(
        text.lines()
            .any(|line| line.starts_with("tidewatch_archive_lag_seconds{tier=\"security\"} 60.")),
        "{text}"
    );
    down.store(false, Ordering::Relaxed);
    world.pass(Duration::from_secs(10));
    settle(&mut archiver).unwrap();
    assert_eq!(world.health.unready(), []);
    archiver.run(|| true).unwrap();
    check_whole(&world, &store);
}
