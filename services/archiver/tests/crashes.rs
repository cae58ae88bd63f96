//! Killed at every step, over both stores: one object for each stretch, nothing lost, nothing twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use archive::ObjectStore;
use archive::memory::MemoryStore;
use archiver::{Archiver, Settings};
use broker::memory::Session;
use common::{GROUP, Hooked, Moment, World, check_whole, killed, places, settings, settle, unlocked};
use objects::Directory;

/// Runs until it ends by itself or by `hook`. A killed process does not leave its group; it is put out.
fn run<O: ObjectStore>(world: &World, mut archiver: Archiver<Session, O>) -> bool {
    let ended = settle(&mut archiver).and_then(|()| archiver.run(|| true));
    let survived = ended.is_ok();
    let (session, _) = archiver.into_parts();
    if survived {
        drop(session);
    } else {
        assert_eq!(ended.unwrap_err().to_string(), "object store: killed");
        let member = session.member();
        session.crash();
        world.log.evict(GROUP, member);
    }
    survived
}

/// Kills the first archiver at its call number `at`, then lets another with other limits finish. `false` when there
/// were fewer calls than that.
fn kill_at<O: ObjectStore + Clone>(store: &O, settings: &Settings, at: u32, moment: Moment, second: u64) -> bool {
    let world = World::new();
    for value in ["a", "b", "heartbeat", "c", "d"] {
        world.publish("events.security", 0, value);
    }
    for value in ["x", "y", "z"] {
        world.publish("alerts", 1, value);
    }
    let mut calls = 0;
    let hooked = Hooked::new(store.clone(), move |now, _| {
        calls += u32::from(now == moment);
        (now == moment && calls > at).then(killed)
    });
    let survived = run(&world, world.archiver("one", hooked, settings.clone()));
    let mut other = settings.clone();
    other.limits.records_max = second;
    assert!(run(&world, world.archiver("one", store.clone(), other)));
    check_whole(&world, store);
    !survived
}

fn kill_everywhere<O: ObjectStore + Clone>(new_store: impl Fn() -> O, settings: &Settings) -> u32 {
    let mut killed = 0;
    // The second archiver cuts shorter, equal and longer segments than the first.
    for second in [2, 3, 4] {
        for moment in [Moment::Before, Moment::After] {
            let mut at = 0;
            while kill_at(&new_store(), settings, at, moment, second) {
                at += 1;
            }
            killed += at;
        }
    }
    killed
}

#[test]
fn killed_anywhere_in_memory() {
    let killed = kill_everywhere(MemoryStore::default, &settings());
    assert!(
        killed > 6 * 12,
        "three segments of four calls each, in six ways: {killed}"
    );
}

/// A directory that several archivers share, one after the other.
#[derive(Clone)]
struct Shared(std::sync::Arc<(tempfile::TempDir, Directory)>);

impl Shared {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Directory::open(directory.path()).unwrap();
        Self(std::sync::Arc::new((directory, store)))
    }
}

impl ObjectStore for Shared {
    fn put_new(&self, put: archive::Put) -> Result<archive::PutOutcome, archive::StoreError> {
        self.0.1.put_new(put)
    }

    fn head(&self, name: &str, version: Option<&str>) -> Result<Option<archive::Head>, archive::StoreError> {
        self.0.1.head(name, version)
    }

    fn get(&self, name: &str) -> Result<Option<bytes::Bytes>, archive::StoreError> {
        self.0.1.get(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<archive::Listed>, archive::StoreError> {
        self.0.1.list(prefix)
    }

    fn locks(&self) -> bool {
        self.0.1.locks()
    }

    fn place(&self) -> String {
        self.0.1.place()
    }
}

#[test]
fn killed_anywhere_on_a_disk() {
    let killed = kill_everywhere(Shared::new, &unlocked());
    assert!(killed > 6 * 12, "{killed}");
}

/// A generator of numbers that is the same on every machine (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % end
    }
}

/// Records come, archivers come and go, are killed, put out of the group while they write, and meet a store that is
/// in trouble. Returns how many segments were adopted.
fn adventure(seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let world = World::new();
    let store = MemoryStore::default();
    for life in 0..6 {
        let mut settings = settings();
        settings.limits.records_max = 1 + numbers.below(5);
        let kill_at = numbers.below(40);
        let trouble_at = numbers.below(30);
        let moment = if numbers.below(2) == 0 {
            Moment::Before
        } else {
            Moment::After
        };
        let mut calls = 0;
        let hooked = Hooked::new(store.clone(), move |now, _| {
            calls += u64::from(now == moment);
            match calls {
                _ if now != moment => None,
                at if at == trouble_at => Some(archive::StoreError::Retry("trouble".into())),
                at if at == kill_at => Some(killed()),
                _ => None,
            }
        });
        let mut archiver = world.archiver(&format!("life-{life}"), hooked, settings);
        let mut alive = true;
        for _ in 0..numbers.below(60) {
            let places = places();
            let place = &places[usize::try_from(numbers.below(places.len() as u64)).unwrap()];
            match numbers.below(4) {
                0 => world.publish(&place.topic, place.partition, &format!("{seed}-{life}-{}", world.now())),
                1 => world.pass(std::time::Duration::from_secs(numbers.below(20))),
                _ if alive => alive = archiver.step().is_ok(),
                _ => {}
            }
        }
        let (session, _) = archiver.into_parts();
        let member = session.member();
        session.crash();
        // Some are put out only when their successor is at work already, and so find themselves fenced or lost.
        if numbers.below(2) == 0 {
            world.log.evict(GROUP, member);
        } else {
            let mut successor = world.archiver("successor", store.clone(), self::settings());
            assert!(settle(&mut successor).is_ok());
            world.log.evict(GROUP, member);
            assert!(settle(&mut successor).is_ok());
        }
    }
    // The first may adopt a segment that ends before its own, and leaves the rest to the next.
    assert!(run(&world, world.archiver("last but one", store.clone(), settings())));
    assert!(run(&world, world.archiver("last", store.clone(), settings())));
    check_whole(&world, &store);
    world.count("puts_total{outcome=\"adopted\"}")
}

#[test]
fn two_hundred_adventures() {
    let mut adopted = 0;
    for seed in 0..200 {
        let outcome = std::panic::catch_unwind(|| adventure(seed));
        adopted += outcome.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(adopted > 200, "nothing was proven: {adopted} segments were adopted");
}
