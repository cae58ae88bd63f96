//! What the archiver may do by `deploy/s3/archiver-policy.json`: enough for it, and nothing that harms what is kept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use archive::{Digest, LockMode, ObjectStore, Put, PutOutcome, Retention, StoreError};
use bytes::Bytes;
use e2e::s3::{Bucket, actions, now};
use event::Timestamp;
use objects::{S3, S3Settings};
use reqwest::Method;
use serde_json::Value;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const PREFIX: &str = "evidence/";

fn put(name: &str, lock: Retention) -> Put {
    let bytes = Bytes::from_static(b"evidence");
    Put {
        name: name.to_owned(),
        sha256: Digest::of(&bytes),
        bytes,
        content_type: "application/zstd",
        metadata: BTreeMap::new(),
        retention: Some(lock),
    }
}

/// What the archiver does: writes, sees that it is locked, does not write it twice, and reads.
fn archive(bucket: &Bucket, name: &str, lock: Retention) -> Result<String, StoreError> {
    let (store, put) = (bucket.guest_store(PREFIX), put(name, lock));
    let PutOutcome::Created { version: Some(version) } = store.put_new(put.clone())? else {
        panic!("{name} is new, and the bucket has versions");
    };
    let head = store.head(name, Some(&version))?.unwrap();
    if head.retention != Some(lock) {
        return Err(StoreError::Misconfigured(format!("the lock is {:?}", head.retention)));
    }
    assert_eq!(store.put_new(put.clone())?, PutOutcome::AlreadyExists);
    assert_eq!(store.get(name)?, Some(put.bytes));
    Ok(version)
}

fn lock() -> Retention {
    let then = now().plus(2 * DAY).as_millis();
    Retention {
        mode: LockMode::Governance,
        until: Timestamp::from_millis(then - then % 3_600_000),
    }
}

#[test]
fn it_is_enough_and_harms_nothing() {
    let bucket = Bucket::create("policy", true);
    bucket.permit(PREFIX, None);
    let lock = lock();
    let version = archive(&bucket, "object", lock).unwrap();
    let (guest, name) = (bucket.as_guest(), format!("{PREFIX}object"));
    // No marker over it, no version less, not even for who claims a right to ignore the lock; no shorter lock.
    let tries = [
        guest.delete(&name, None, false),
        guest.delete(&name, Some(&version), false),
        guest.delete(&name, Some(&version), true),
        guest.retain(&name, &version, "GOVERNANCE", lock.until.minus(DAY)),
        guest.send(Method::PUT, "elsewhere", "", &[], "x"),
        guest.send(Method::PUT, "", "policy=", &[], "{}"),
        guest.send(Method::PUT, "", "lifecycle=", &[], "<LifecycleConfiguration/>"),
        guest.send(Method::PUT, "", "versioning=", &[], "<VersioningConfiguration/>"),
        guest.send(Method::PUT, "", "object-lock=", &[], "<ObjectLockConfiguration/>"),
        guest.send(Method::DELETE, "", "", &[], ""),
    ];
    for (at, answer) in tries.iter().enumerate() {
        assert_eq!(answer.status, 403, "{at}: {}", answer.body);
    }
}

/// What Amazon asks for by its documents (the lock in a put; the lock in an answer), and Ceph 16 does not: these two are not
/// tried here.
const NOT_ASKED_FOR_HERE: [&str; 2] = ["s3:PutObjectRetention", "s3:GetObjectRetention"];

#[test]
fn each_action_is_needed() {
    let policy: Value = serde_json::from_str(include_str!("../../../deploy/s3/archiver-policy.json")).unwrap();
    let permitted = policy["Statement"].as_array().unwrap().iter().flat_map(actions);
    for action in permitted {
        let bucket = Bucket::create("policy-without", true);
        // Of what the guest wrote he is the owner, and so may read it: an earlier archiver had another name.
        let earlier = put("earlier", lock());
        let owner = S3Settings {
            prefix: PREFIX.to_owned(),
            ..bucket.settings()
        };
        S3::new(owner).unwrap().put_new(earlier.clone()).unwrap();
        bucket.permit(PREFIX, Some(&action));
        let done = archive(&bucket, "object", lock()).and_then(|_| bucket.guest_store(PREFIX).get(&earlier.name));
        if NOT_ASKED_FOR_HERE.contains(&action.as_str()) {
            assert_eq!(done, Ok(Some(earlier.bytes)), "{action}");
        } else {
            let error = done.expect_err(&action);
            assert!(matches!(error, StoreError::Misconfigured(_)), "{action}: {error}");
        }
    }
}
