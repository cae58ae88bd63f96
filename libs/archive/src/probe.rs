use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use event::Timestamp;

use crate::{Digest, LockMode, ObjectStore, Put, PutOutcome, Retention, StoreError};

/// Asks a store, before anything is entrusted to it, whether it keeps what it promises: that a second put of a name is
/// refused and, if `lock` is asked for, that the lock is really there.
///
/// It leaves one small object a day below `probe/`, locked for two days; later probes of that day find it.
///
/// # Errors
/// [`StoreError::Misconfigured`] with what the store does wrong; else as the store says.
pub fn probe(store: &impl ObjectStore, lock: Option<LockMode>, now: Timestamp) -> Result<(), StoreError> {
    if lock.is_some() && !store.locks() {
        let place = store.place();
        return Err(StoreError::Misconfigured(format!(
            "{place} cannot lock objects: set `lock` to `none`, or use S3"
        )));
    }
    let put = probe_object(lock, now);
    let first = store.put_new(put.clone())?;
    if store.put_new(put.clone())? != PutOutcome::AlreadyExists {
        let why = "a second put of the same name was taken: the store ignores `If-None-Match: *`";
        return Err(StoreError::Misconfigured(format!("{}: {why}", store.place())));
    }
    let version = match &first {
        PutOutcome::Created { version } => version.as_deref(),
        PutOutcome::AlreadyExists => None,
    };
    let found = store.head(&put.name, version)?.and_then(|head| head.retention);
    match put.retention {
        Some(asked) if !asked.is_met_by(found) => Err(StoreError::Misconfigured(format!(
            "{}: asked for a {} lock until {}, and the object carries {}",
            store.place(),
            asked.mode.as_str(),
            asked.until,
            found.map_or("none".to_owned(), |found| format!(
                "{} until {}",
                found.mode.as_str(),
                found.until
            )),
        ))),
        Some(_) | None => Ok(()),
    }
}

/// One name a day and mode, so that starts do not pile up objects which nobody may delete.
fn probe_object(lock: Option<LockMode>, now: Timestamp) -> Put {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let into_day = now.since(Timestamp::from_millis(0)).as_millis() % DAY.as_millis();
    let today = now.minus(Duration::from_millis(u64::try_from(into_day).unwrap_or_default()));
    let date = &today.to_string()[..10];
    let bytes = Bytes::from_static(b"written at start-up to see whether this store keeps what it is given\n");
    Put {
        name: format!("probe/{date}-{}", lock.map_or("none", LockMode::as_str).to_lowercase()),
        sha256: Digest::of(&bytes),
        bytes,
        content_type: "text/plain",
        metadata: BTreeMap::new(),
        retention: lock.map(|mode| Retention {
            mode,
            until: today.plus(2 * DAY),
        }),
    }
}
