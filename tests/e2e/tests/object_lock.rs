//! Our S3 adapter against a real S3 with Object Lock: what it creates can be neither replaced, nor deleted, nor kept
//! for a shorter time, and a bucket that cannot promise that is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use archive::{Digest, LockMode, ObjectStore, Put, PutOutcome, Retention, StoreError, probe};
use bytes::Bytes;
use e2e::s3::{Bucket, now};
use event::Timestamp;
use objects::{AccessKey, S3, S3Settings};
use reqwest::Method;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A name with every character that our names have.
const NAME: &str = "tier=audit/date=2026-01-01/hour=00/events.audit+00003+00000000000000000100.jsonl.zst";

fn put(name: &str, content: &str, retention: Option<Retention>) -> Put {
    let bytes = Bytes::copy_from_slice(content.as_bytes());
    Put {
        name: name.to_owned(),
        sha256: Digest::of(&bytes),
        bytes,
        content_type: "application/zstd",
        metadata: BTreeMap::from([("first", "100".to_owned()), ("root", "ab12".to_owned())]),
        retention,
    }
}

/// A whole hour, the day after tomorrow, as the archive asks.
fn until() -> Timestamp {
    let then = now().plus(2 * DAY).as_millis();
    Timestamp::from_millis(then - then % 3_600_000)
}

fn created(store: &S3, put: Put) -> String {
    match store.put_new(put).unwrap() {
        PutOutcome::Created { version } => version.expect("a bucket with Object Lock has versions"),
        PutOutcome::AlreadyExists => panic!("the bucket is new"),
    }
}

#[test]
fn in_compliance_mode_nobody_can_touch_it() {
    let bucket = Bucket::create("compliance", true);
    let store = bucket.store();
    let lock = Retention {
        mode: LockMode::Compliance,
        until: until(),
    };
    let version = created(&store, put(NAME, "evidence", Some(lock)));
    let head = store.head(NAME, Some(&version)).unwrap().unwrap();
    assert_eq!((head.size, head.retention), (8, Some(lock)));
    assert_eq!(
        head.metadata,
        BTreeMap::from([("first".into(), "100".into()), ("root".into(), "ab12".into())])
    );

    assert_eq!(
        store.put_new(put(NAME, "forgery!", Some(lock))),
        Ok(PutOutcome::AlreadyExists)
    );
    for bypass in [false, true] {
        let answer = bucket.delete(NAME, Some(&version), bypass);
        assert_eq!(answer.status, 403, "bypass {bypass}: {}", answer.body);
    }
    let shorter = lock.until.minus(DAY);
    for (mode, until) in [
        ("COMPLIANCE", shorter),
        ("GOVERNANCE", lock.until),
        ("GOVERNANCE", shorter),
    ] {
        let answer = bucket.retain(NAME, &version, mode, until);
        assert_eq!(answer.status, 403, "{mode} until {until}: {}", answer.body);
    }
    assert_eq!(store.head(NAME, Some(&version)).unwrap().unwrap().retention, Some(lock));
    assert_eq!(store.get(NAME).unwrap().unwrap(), "evidence");

    // The same requests do work where they may: longer is allowed, and so is hiding what stays.
    let longer = Retention {
        until: lock.until.plus(DAY),
        ..lock
    };
    assert_eq!(bucket.retain(NAME, &version, "COMPLIANCE", longer.until).status, 200);
    assert_eq!(
        store.head(NAME, Some(&version)).unwrap().unwrap().retention,
        Some(longer)
    );
    assert_eq!(bucket.delete(NAME, None, false).status, 204);
    check_there(&store, longer);
}

/// It is found whatever hides it or was put over it.
fn check_there(store: &S3, lock: Retention) {
    assert_eq!(store.get(NAME).unwrap().unwrap(), "evidence");
    assert_eq!(store.head(NAME, None).unwrap().unwrap().retention, Some(lock));
    let listed: Vec<_> = store
        .list("tier=audit/")
        .unwrap()
        .into_iter()
        .map(|listed| (listed.name, listed.size))
        .collect();
    assert_eq!(listed, [(NAME.to_owned(), 8)]);
    assert_eq!(store.put_new(put(NAME, "again", None)), Ok(PutOutcome::AlreadyExists));
}

#[test]
fn who_may_write_cannot_put_anything_before_it() {
    let bucket = Bucket::create("forged", true);
    let lock = Retention {
        mode: LockMode::Compliance,
        until: until(),
    };
    created(&bucket.store(), put(NAME, "evidence", Some(lock)));
    assert_eq!(bucket.send(Method::PUT, NAME, "", &[], "forgery").status, 200);
    check_there(&bucket.store(), lock);
    assert_eq!(bucket.delete(NAME, None, true).status, 204);
    assert_eq!(bucket.send(Method::PUT, NAME, "", &[], "another forgery").status, 200);
    check_there(&bucket.store(), lock);
}

#[test]
fn in_governance_mode_it_takes_the_right_to_bypass() {
    let bucket = Bucket::create("governance", true);
    let store = bucket.store();
    let lock = Retention {
        mode: LockMode::Governance,
        until: until(),
    };
    let version = created(&store, put(NAME, "evidence", Some(lock)));
    assert_eq!(store.head(NAME, None).unwrap().unwrap().retention, Some(lock));
    assert_eq!(bucket.delete(NAME, Some(&version), false).status, 403);
    assert_eq!(bucket.delete(NAME, Some(&version), true).status, 204);
    assert_eq!(store.head(NAME, None), Ok(None));
}

#[test]
fn a_bucket_without_object_lock_is_refused_unless_no_lock_is_asked_for() {
    let bucket = Bucket::create("unlocked", false);
    let store = bucket.store();
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let refused = probe(&store, Some(mode), now()).unwrap_err();
        assert!(matches!(refused, StoreError::Misconfigured(_)), "{refused}");
        assert!(refused.to_string().contains("put s3://unlocked-"), "{refused}");
    }
    assert_eq!(probe(&store, None, now()), Ok(()));
}

#[test]
fn a_bucket_with_object_lock_is_trusted_also_at_the_second_start() {
    let bucket = Bucket::create("probed", true);
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let now = now();
        assert_eq!(probe(&bucket.store(), Some(mode), now), Ok(()));
        assert_eq!(probe(&bucket.store(), Some(mode), now), Ok(()));
    }
    assert_eq!(bucket.store().list("probe/").unwrap().len(), 2);
}

/// With versions and without, each writer with a client of its own, as processes have.
#[test]
fn a_bucket_is_made_with_object_lock_once_and_one_without_is_not_taken() {
    let beside = Bucket::create("lock-beside", true);
    let store = S3::new(S3Settings {
        bucket: format!("{}-made", beside.name),
        ..beside.settings()
    })
    .unwrap();
    assert!(store.create_bucket().unwrap(), "it was not there");
    assert!(!store.create_bucket().unwrap(), "it is there now");
    probe(&store, Some(LockMode::Governance), now()).unwrap();

    let unlocked = Bucket::create("lock-none", false);
    let problem = unlocked.store().create_bucket().unwrap_err();
    assert!(
        matches!(&problem, StoreError::Misconfigured(said) if said.contains("has no Object Lock")),
        "{problem}"
    );
}

#[test]
fn of_many_writers_one_wins() {
    for object_lock in [true, false] {
        let bucket = Bucket::create("race", object_lock);
        let stores: Vec<_> = (0..6).map(|_| bucket.store()).collect();
        for round in 0..15 {
            let start = Barrier::new(stores.len());
            let name = format!("race/{round}");
            let write = |writer: usize| {
                start.wait();
                stores[writer].put_new(put(&name, &writer.to_string(), None)).unwrap()
            };
            let outcomes: Vec<_> = thread::scope(|scope| {
                let writers: Vec<_> = (0..stores.len())
                    .map(|writer| scope.spawn(move || write(writer)))
                    .collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let winners: Vec<_> = (0..stores.len())
                .filter(|at| outcomes[*at] != PutOutcome::AlreadyExists)
                .collect();
            assert_eq!(winners.len(), 1, "lock {object_lock}, round {round}: {outcomes:?}");
            let found = stores[0].get(&name).unwrap().unwrap();
            assert_eq!(found, winners[0].to_string(), "lock {object_lock}, round {round}");
        }
    }
}

#[test]
fn a_list_has_more_than_one_page_and_names_below_the_prefix() {
    let bucket = Bucket::create("pages", true);
    let settings = S3Settings {
        prefix: "one/".into(),
        ..bucket.settings()
    };
    let store = S3::new(settings).unwrap();
    let names: Vec<_> = (0..1_005).map(|at| format!("manifest/facts/{at:04}")).collect();
    thread::scope(|scope| {
        for share in names.chunks(256) {
            let store = &store;
            scope.spawn(move || {
                share
                    .iter()
                    .for_each(|name| drop(store.put_new(put(name, "x", None)).unwrap()))
            });
        }
    });
    let listed: Vec<_> = store
        .list("manifest/facts/")
        .unwrap()
        .into_iter()
        .map(|listed| listed.name)
        .collect();
    assert_eq!(listed, names);
    assert_eq!(bucket.store().list("one/manifest/facts/1").unwrap().len(), 5);
    assert_eq!(store.list("manifest/alerts/").unwrap(), []);
}

/// Passes connections on to the server. Of the first one it swallows the answer: the object is there, and its writer
/// does not know.
fn swallow_first_answer(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (at, client) in listener.incoming().enumerate() {
            let (mut client, mut upstream) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut requests, mut onward) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut requests, &mut onward));
            thread::spawn(move || {
                let mut answer = [0; 16_384];
                loop {
                    let length = upstream.read(&mut answer).unwrap_or(0);
                    if length == 0 || at == 0 || client.write_all(&answer[..length]).is_err() {
                        break;
                    }
                }
                drop(client.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    address
}

#[test]
fn a_reply_that_is_lost_comes_back_as_already_there() {
    let bucket = Bucket::create("lost", true);
    let server = e2e::s3::endpoint().trim_start_matches("http://").to_owned();
    let settings = S3Settings {
        endpoint: Some(swallow_first_answer(server)),
        ..bucket.settings()
    };
    let store = S3::new(settings).unwrap();
    assert_eq!(
        store.put_new(put(NAME, "evidence", None)),
        Ok(PutOutcome::AlreadyExists)
    );
    assert_eq!(store.get(NAME).unwrap().unwrap(), "evidence");
}

#[test]
fn what_a_retry_can_help_is_told_from_what_it_cannot() {
    let bucket = Bucket::create("errors", true);
    let nobody = S3Settings {
        endpoint: Some("http://127.0.0.1:1".into()),
        attempts_max: 2,
        ..bucket.settings()
    };
    assert!(matches!(S3::new(nobody).unwrap().get(NAME), Err(StoreError::Retry(_))));
    let wrong = S3Settings {
        access_key: Some(AccessKey::new("nobody", "wrong".to_owned())),
        ..bucket.settings()
    };
    let refused = S3::new(wrong).unwrap().put_new(put(NAME, "x", None)).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Misconfigured(why) if why.contains("403 InvalidAccessKeyId")),
        "{refused}"
    );
    let absent = S3Settings {
        bucket: "no-such-bucket-here".into(),
        ..bucket.settings()
    };
    let refused = S3::new(absent).unwrap().put_new(put(NAME, "x", None)).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Misconfigured(why) if why.contains("404 NoSuchBucket")),
        "{refused}"
    );
    // A lock that ends in the past is a mistake of ours, and is not taken for success.
    let past = Retention {
        mode: LockMode::Governance,
        until: now().minus(DAY),
    };
    assert!(matches!(
        bucket.store().put_new(put(NAME, "x", Some(past))),
        Err(StoreError::Misconfigured(_))
    ));
    assert_eq!(bucket.store().get(NAME), Ok(None));
}
