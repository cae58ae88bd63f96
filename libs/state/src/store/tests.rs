#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::NoImage;

/// An image that is a map.
#[derive(Default)]
struct MapImage {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    timers: BTreeSet<Timer>,
    covers: u64,
}

impl Image for MapImage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(self.values.get(key).cloned())
    }

    fn timers(&self, after: &Timer, before: &Timer, limit: usize) -> Result<Vec<Timer>, ImageError> {
        let between = self.timers.iter().filter(|timer| *after < **timer && **timer < *before);
        Ok(between.take(limit).cloned().collect())
    }

    fn write(&mut self, write: &ImageWrite<'_>) -> Result<(), ImageError> {
        for (key, value) in &write.values {
            match value {
                Some(value) => self.values.insert(key.to_vec(), value.to_vec()),
                None => self.values.remove(*key),
            };
        }
        write
            .disarm
            .iter()
            .for_each(|timer| assert!(self.timers.remove(timer), "disarmed what was not armed"));
        self.timers.extend(write.arm.iter().cloned());
        self.covers = write.covers;
        Ok(())
    }

    fn covers(&self) -> u64 {
        self.covers
    }
}

const CLOCK: Clock = Clock(1);

fn value(wake_after: i64, payload: &[u8]) -> Bytes {
    Value {
        clock: CLOCK,
        wake_after: Timestamp::from_millis(wake_after),
        payload,
    }
    .encode()
}

fn put(key: u8, wake_after: i64) -> StateChange {
    StateChange {
        key: Box::new([key]),
        value: Some(value(wake_after, &[key])),
    }
}

fn remove(key: u8) -> StateChange {
    StateChange {
        key: Box::new([key]),
        value: None,
    }
}

fn due<I: Image>(store: &StateStore<I>, watermark: i64) -> Vec<u8> {
    store
        .due(CLOCK, Timestamp::from_millis(watermark), 100)
        .unwrap()
        .into_iter()
        .map(|key| key[0])
        .collect()
}

#[test]
fn the_image_gets_only_what_was_committed() {
    let mut store = StateStore::open(MapImage::default());
    store.apply(put(1, 10)).unwrap();
    store.flush().unwrap();
    assert!(store.image.values.is_empty());
    store.commit(1);
    store.apply(put(2, 10)).unwrap();
    store.flush().unwrap();
    assert_eq!(store.image.values.len(), 1);
    assert_eq!(store.image.covers, 1);
}

#[test]
fn timers_are_due_strictly_before_the_watermark_and_follow_their_key() {
    let mut store = StateStore::open(MapImage::default());
    store.restore(put(1, 10), 1).unwrap();
    store.restore(put(2, 20), 2).unwrap();
    assert_eq!(due(&store, 10), [0; 0]);
    assert_eq!(due(&store, 11), [1]);
    store.flush().unwrap();
    store.evict(0);
    assert_eq!(due(&store, 21), [1, 2], "timers of evicted keys are found in the image");
    store.apply(put(1, 30)).unwrap();
    assert_eq!(
        due(&store, 21),
        [2],
        "the image's timer of a key that moved on is stale"
    );
    store.apply(remove(2)).unwrap();
    assert_eq!(due(&store, 31), [1]);
}

#[test]
fn only_clean_entries_are_evicted() {
    let mut store = StateStore::open(MapImage::default());
    store.restore(put(1, 10), 1).unwrap();
    store.flush().unwrap();
    store.restore(put(2, 10), 2).unwrap();
    store.evict(0);
    assert_eq!(store.size().keys, 1);
    assert_eq!(
        store.get(&[1]).unwrap().as_deref(),
        Some(&value(10, &[1])[..]),
        "it is read from the image"
    );
    let mut store = StateStore::open(NoImage);
    store.restore(put(1, 10), 1).unwrap();
    store.flush().unwrap();
    store.evict(0);
    assert_eq!(store.size().keys, 1, "without an image nothing may be forgotten");
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

proptest! {
    /// State is the fold of the changelog, whatever was flushed, evicted or lost in between.
    #[test]
    fn a_store_is_the_fold_of_its_changelog(actions in proptest::collection::vec(action(), 0..80)) {
        let mut store = StateStore::open(MapImage::default());
        let mut changelog: Vec<StateChange> = Vec::new();
        let mut pending: Vec<StateChange> = Vec::new();
        for action in actions {
            match action {
                Action::Put(key, at) => pending.push(put(key, at)),
                Action::Remove(key) => pending.push(remove(key)),
                Action::Commit => {
                    changelog.append(&mut pending);
                    store.commit(changelog.len() as u64);
                    continue;
                }
                Action::Flush => store.flush().unwrap(),
                Action::Evict => store.evict(20),
                Action::Crash => {
                    pending.clear();
                    store = StateStore::open(store.image);
                    let missing = changelog.iter().enumerate().skip(usize::try_from(store.covers()).unwrap());
                    for (at, change) in missing {
                        store.restore(change.clone(), at as u64 + 1).unwrap();
                    }
                }
            }
            if let Some(change) = pending.last().filter(|_| matches!(action, Action::Put(..) | Action::Remove(_))) {
                store.apply(change.clone()).unwrap();
            }
            let mut model = BTreeMap::new();
            for change in changelog.iter().chain(&pending) {
                model.insert(change.key[0], change.value.clone());
            }
            for key in 0..6u8 {
                let expected = model.get(&key).cloned().flatten();
                let found = store.get(&[key]).unwrap();
                prop_assert_eq!(found.as_deref(), expected.as_deref());
            }
            let mut expected: Vec<_> = model.iter()
                .filter_map(|(key, value)| Some((Value::decode(value.as_deref()?)?.wake_after, *key)))
                .filter(|(wake_after, _)| *wake_after < Timestamp::from_millis(25))
                .collect();
            expected.sort_unstable();
            let first = expected.first().map(|(_, key)| *key);
            let one = store.due(CLOCK, Timestamp::from_millis(25), 1).unwrap();
            prop_assert_eq!(one.first().map(|key| key[0]), first, "a stale timer must not hide one that is due");
            prop_assert_eq!(due(&store, 25), expected.into_iter().map(|(_, key)| key).collect::<Vec<_>>());
        }
    }
}
