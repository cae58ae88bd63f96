//! The image does what its port promises, under the store that uses it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{CLOCK, check, identity, open, shared, timer_at, write};
use event::{StateChange, Timestamp};
use proptest::prelude::*;
use rocks::{Budget, Identity, Opened, RocksImage, SET_ASIDE_MAX, SetAsideReason, Shared};
use state::{Image, ImageError, ImageWrite, NoImage, StateStore, Value};

fn put(key: u8, wake_after: i64) -> StateChange {
    let value = Value {
        clock: CLOCK,
        wake_after: Timestamp::from_millis(wake_after),
        payload: &[key],
    };
    StateChange {
        key: Box::new([key]),
        value: Some(value.encode()),
    }
}

fn remove(key: u8) -> StateChange {
    StateChange {
        key: Box::new([key]),
        value: None,
    }
}

fn due<I: Image>(store: &StateStore<I>, watermark: i64, limit: usize) -> Vec<Box<[u8]>> {
    store.due(CLOCK, Timestamp::from_millis(watermark), limit).unwrap()
}

#[test]
fn a_new_image_covers_nothing_and_an_old_one_comes_back() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("not/yet/there");
    let (image, opened) = open(&dir);
    assert_eq!((opened, image.covers()), (Opened::Fresh, 0));
    check(&image).unwrap();
    drop(image);
    let (mut image, opened) = open(&dir);
    assert_eq!((opened, image.covers()), (Opened::Kept, 0));
    (0..100).for_each(|_| write(&mut image).unwrap());
    check(&image).unwrap();
    drop(image);
    let (image, opened) = open(&dir);
    assert_eq!((opened, image.covers()), (Opened::Kept, 100));
    check(&image).unwrap();
}

#[test]
fn only_what_was_committed_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = StateStore::open(open(dir.path()).0);
    store.restore(put(1, 10), 1).unwrap();
    store.apply(put(2, 10)).unwrap();
    store.flush().unwrap();
    drop(store);
    let store = StateStore::open(open(dir.path()).0);
    assert_eq!(store.covers(), 1);
    assert!(store.get(&[1]).unwrap().is_some());
    assert!(store.get(&[2]).unwrap().is_none());
    assert_eq!(due(&store, 11, 9), [Box::from([1])]);
}

#[test]
fn what_was_evicted_is_read_from_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = StateStore::open(open(dir.path()).0);
    store.restore(put(1, 10), 1).unwrap();
    store.flush().unwrap();
    store.restore(put(2, 20), 2).unwrap();
    store.evict(0);
    assert_eq!(store.size().keys, 1, "only the clean one is evicted");
    assert_eq!(store.get(&[1]).unwrap().as_deref(), put(1, 10).value.as_deref());
    assert_eq!(due(&store, 21, 9), [Box::from([1]), Box::from([2])]);
}

#[test]
fn timers_lie_strictly_between_the_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (mut image, _) = open(dir.path());
    let at = |millis, key: &[u8]| timer_at(Timestamp::from_millis(millis), key);
    let all = [at(-5, b"a"), at(-5, b"a\0"), at(-5, b"b"), at(0, b""), at(7, b"a")];
    let write = ImageWrite {
        arm: all.to_vec(),
        covers: 1,
        ..ImageWrite::default()
    };
    image.write(&write).unwrap();
    for (from, after) in all.iter().enumerate() {
        for (to, before) in all.iter().enumerate() {
            let between = all.get(from + 1..to).unwrap_or_default();
            assert_eq!(
                image.timers(after, before, 9).unwrap(),
                between,
                "{after:?} to {before:?}"
            );
        }
    }
    assert_eq!(image.timers(&at(-6, b""), &at(8, b""), 2).unwrap(), all[..2]);
}

#[derive(Clone, Debug)]
enum Action {
    Put(u8, i64),
    Remove(u8),
    Commit,
    Flush,
    Evict,
    /// Lose everything but the image, and replay the changelog from the offset it covers.
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..6u8, 0..50i64).prop_map(|(key, at)| Action::Put(key, at)),
        2 => (0..6u8).prop_map(Action::Remove),
        3 => Just(Action::Commit),
        1 => Just(Action::Flush),
        1 => Just(Action::Evict),
        1 => Just(Action::Crash),
    ]
}

/// Brings a store up to the end of the changelog.
fn replay<I: Image>(image: I, changelog: &[StateChange]) -> StateStore<I> {
    let mut store = StateStore::open(image);
    let from = usize::try_from(store.covers()).unwrap();
    for (at, change) in changelog.iter().enumerate().skip(from) {
        store.restore(change.clone(), at as u64 + 1).unwrap();
    }
    store
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A store in memory alone, which replays all after a crash, is right by the tests of `state`.
    #[test]
    fn a_store_on_disk_answers_as_one_in_memory(actions in proptest::collection::vec(action(), 0..80)) {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared();
        let open = || RocksImage::open(&shared, dir.path(), &identity()).unwrap().0;
        let mut disk = StateStore::open(open());
        let mut memory = StateStore::open(NoImage);
        let (mut changelog, mut pending) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Put(key, at) => pending.push(put(key, at)),
                Action::Remove(key) => pending.push(remove(key)),
                Action::Commit => {
                    changelog.append(&mut pending);
                    disk.commit(changelog.len() as u64);
                    memory.commit(changelog.len() as u64);
                }
                Action::Flush => disk.flush().unwrap(),
                Action::Evict => disk.evict(20),
                Action::Crash => {
                    pending.clear();
                    drop(disk);
                    disk = replay(open(), &changelog);
                    memory = replay(NoImage, &changelog);
                }
            }
            if let (Action::Put(..) | Action::Remove(_), Some(change)) = (action, pending.last()) {
                disk.apply(change.clone()).unwrap();
                memory.apply(change.clone()).unwrap();
            }
            for key in 0..6u8 {
                prop_assert_eq!(disk.get(&[key]).unwrap(), memory.get(&[key]).unwrap());
            }
            for (watermark, limit) in [(10, 100), (25, 1), (25, 100), (50, 2)] {
                prop_assert_eq!(due(&disk, watermark, limit), due(&memory, watermark, limit));
            }
        }
    }
}

/// Opens as another and returns why the image that was there is set aside.
fn set_aside_by(dir: &Path, identity: &Identity) -> SetAsideReason {
    let (image, opened) = RocksImage::open(&shared(), dir, identity).unwrap();
    assert_eq!(image.covers(), 0);
    check(&image).unwrap();
    let Opened::SetAside { reason, path } = opened else {
        panic!("{opened:?}")
    };
    assert!(path.join("CURRENT").exists(), "it is kept for study");
    reason
}

#[test]
fn an_image_of_another_partition_is_set_aside() {
    let others = [
        Identity {
            cluster_id: "clustes".to_owned(),
            ..identity()
        },
        Identity {
            topic: "tidewatch.fact".to_owned(),
            ..identity()
        },
        Identity {
            partition: 4,
            ..identity()
        },
        Identity {
            partition_count: 17,
            ..identity()
        },
    ];
    for other in others {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("3");
        write(&mut open(&dir).0).unwrap();
        assert_eq!(set_aside_by(&dir, &other), SetAsideReason::OtherIdentity, "{other:?}");
    }
}

#[test]
fn an_image_of_another_schema_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("3");
    let newer = Identity {
        schema_version: 3,
        ..identity()
    };
    write(&mut RocksImage::open(&shared(), &dir, &newer).unwrap().0).unwrap();
    assert_eq!(
        set_aside_by(&dir, &identity()),
        SetAsideReason::OtherSchema { found: 3 }
    );
    assert_eq!(set_aside_by(&dir, &newer), SetAsideReason::OtherSchema { found: 2 });
}

#[test]
fn only_the_last_few_set_aside_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("3");
    fs::create_dir(root.path().join("3.set-aside-x")).unwrap();
    fs::create_dir(root.path().join("33.set-aside-1")).unwrap();
    let last = 12;
    for schema_version in 0..=last {
        RocksImage::open(
            &shared(),
            &dir,
            &Identity {
                schema_version,
                ..identity()
            },
        )
        .unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(root.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "3",
            "3.set-aside-10",
            "3.set-aside-11",
            "3.set-aside-12",
            "3.set-aside-x",
            "33.set-aside-1"
        ]
    );
    assert_eq!(SET_ASIDE_MAX, 3);
}

#[test]
fn an_image_in_use_can_be_neither_opened_nor_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut image, _) = open(dir.path());
    write(&mut image).unwrap();
    let second = RocksImage::open(&shared(), dir.path(), &identity());
    assert!(matches!(
        second.map(|(_, opened)| opened),
        Err(ImageError::Unavailable(_))
    ));
    assert!(matches!(
        RocksImage::delete(dir.path()),
        Err(ImageError::Unavailable(_))
    ));
    write(&mut image).unwrap();
    check(&image).unwrap();
}

#[test]
fn a_discarded_image_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("3");
    let (mut image, _) = open(&dir);
    write(&mut image).unwrap();
    image.discard().unwrap();
    assert!(!dir.exists());
    RocksImage::delete(&dir).unwrap();
    assert_eq!(open(&dir).1, Opened::Fresh);
}

#[test]
fn partitions_share_one_budget() {
    let root = tempfile::tempdir().unwrap();
    let budget = Budget {
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 4 << 20,
    };
    let shared = Shared::new(budget);
    let mut images: Vec<RocksImage> = (0..8)
        .map(|n| {
            RocksImage::open(&shared, &root.path().join(n.to_string()), &identity())
                .unwrap()
                .0
        })
        .collect();
    for _ in 0..300 {
        images.iter_mut().for_each(|image| write(image).unwrap());
    }
    images.iter().for_each(|image| check(image).unwrap());
    let usage = shared.usage();
    assert!(
        usage.write_buffer_bytes > 0 && usage.write_buffer_bytes < 2 * budget.write_buffer_bytes,
        "{usage:?}"
    );
    assert!(
        usage.block_cache_bytes > 0 && usage.block_cache_bytes < 2 * budget.block_cache_bytes,
        "{usage:?}"
    );
}

#[test]
fn a_place_that_takes_no_files_is_unavailable() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    let opened = RocksImage::open(&shared(), &file.join("3"), &identity());
    assert!(matches!(
        opened.map(|(_, opened)| opened),
        Err(ImageError::Unavailable(_))
    ));
}
