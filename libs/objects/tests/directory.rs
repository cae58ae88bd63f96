//! The directory as a store: one writer wins, whatever is there is whole, and nothing is promised that is not kept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Barrier;
use std::thread;

use archive::{Digest, LockMode, ObjectStore, Put, PutOutcome, Retention, StoreError, probe};
use bytes::Bytes;
use event::Timestamp;
use objects::Directory;
use tempfile::TempDir;

fn put(name: &str, content: &str) -> Put {
    let bytes = Bytes::from(content.to_owned());
    Put {
        name: name.to_owned(),
        sha256: Digest::of(&bytes),
        bytes,
        content_type: "text/plain",
        metadata: BTreeMap::new(),
        retention: None,
    }
}

fn store() -> (TempDir, Directory) {
    let directory = tempfile::tempdir().unwrap();
    let store = Directory::open(directory.path().join("archive")).unwrap();
    (directory, store)
}

#[test]
fn of_two_writers_one_wins_and_the_object_is_the_winners() {
    let (directory, _) = store();
    let root = directory.path().join("archive");
    for round in 0..50 {
        let name = format!("tier=a/date=x/hour=0/race+{round}");
        let start = Barrier::new(4);
        let write = |writer: usize| {
            // Each with a store of its own, as two processes have.
            let store = Directory::open(&root).unwrap();
            start.wait();
            store.put_new(put(&name, &writer.to_string().repeat(10_000))).unwrap()
        };
        let outcomes: Vec<_> = thread::scope(|scope| {
            let writers: Vec<_> = (0..4).map(|writer| scope.spawn(move || write(writer))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let winners: Vec<_> = (0..4).filter(|at| outcomes[*at] != PutOutcome::AlreadyExists).collect();
        assert_eq!(winners.len(), 1, "round {round}: {outcomes:?}");
        let found = Directory::open(&root).unwrap().get(&name).unwrap().unwrap();
        assert_eq!(found, winners[0].to_string().repeat(10_000));
    }
    assert_eq!(
        fs::read_dir(root.join(".incomplete")).unwrap().count(),
        0,
        "nothing is left over"
    );
}

#[test]
fn objects_are_found_by_prefix_in_order() {
    let (_directory, store) = store();
    for name in ["b/2", "b/10", "a/x", "bb/1", "b/sub/3"] {
        assert_eq!(
            store.put_new(put(name, name)),
            Ok(PutOutcome::Created { version: None })
        );
    }
    let names = |prefix: &str| {
        store
            .list(prefix)
            .unwrap()
            .into_iter()
            .map(|listed| listed.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("b/"), ["b/10", "b/2", "b/sub/3"]);
    assert_eq!(names("b"), ["b/10", "b/2", "b/sub/3", "bb/1"]);
    assert_eq!(names("b/1"), ["b/10"]);
    assert_eq!(names(""), ["a/x", "b/10", "b/2", "b/sub/3", "bb/1"]);
    assert_eq!(names("none/"), [""; 0]);
    assert_eq!(store.head("b/10", None).unwrap().unwrap().size, 4);
    assert_eq!(store.head("b/11", None), Ok(None));
    assert_eq!(store.get("b/11"), Ok(None));
}

#[test]
fn a_name_cannot_lead_out_of_the_directory() {
    let (_directory, store) = store();
    for name in ["../x", "a/../x", "/etc/x", "a//b", "", ".incomplete/x", "a\0b", "a b"] {
        assert!(
            matches!(store.put_new(put(name, "x")), Err(StoreError::Misconfigured(_))),
            "{name:?}"
        );
        assert!(matches!(store.get(name), Err(StoreError::Misconfigured(_))), "{name:?}");
    }
}

#[test]
fn it_does_not_pretend_to_lock() {
    let (_directory, store) = store();
    let now = Timestamp::parse("2026-01-01T10:00:00Z").unwrap();
    let locked = Put {
        retention: Some(Retention {
            mode: LockMode::Governance,
            until: now,
        }),
        ..put("a", "x")
    };
    assert!(matches!(store.put_new(locked), Err(StoreError::Misconfigured(_))));
    assert!(!store.locks());
    assert_eq!(probe(&store, None, now), Ok(()));
    let refused = probe(&store, Some(LockMode::Governance), now).unwrap_err().to_string();
    assert!(
        refused.contains("cannot lock objects: set `lock` to `none`, or use S3"),
        "{refused}"
    );
}

#[test]
fn what_a_killed_process_left_is_removed_when_it_is_old() {
    let (directory, _) = store();
    let incomplete = directory.path().join("archive/.incomplete");
    for (name, hours) in [("1-0", 25), ("2-0", 1)] {
        let file = fs::File::create(incomplete.join(name)).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        file.set_modified(then).unwrap();
    }
    Directory::open(directory.path().join("archive")).unwrap();
    let left: Vec<_> = fs::read_dir(&incomplete)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["2-0"]);
}

#[test]
fn a_file_in_the_way_is_for_the_operator() {
    let (directory, store) = store();
    fs::write(directory.path().join("archive/a"), "x").unwrap();
    assert!(matches!(
        store.put_new(put("a/b", "x")),
        Err(StoreError::Misconfigured(_))
    ));
}
