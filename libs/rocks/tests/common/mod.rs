//! An image with a known history: what it must hold is a function of the offset it covers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::Path;

use event::Timestamp;
use rocks::{Budget, Identity, Opened, RocksImage, Shared};
use state::{Clock, Image, ImageError, ImageWrite, Timer, Value};

pub(crate) const CLOCK: Clock = Clock(1);
const KEYS: u8 = 56;
/// Each write changes every seventh key, so that a write that is lost in the middle shows.
const STRIDE: u64 = 7;

/// So little memory that some hundred writes make a table.
pub(crate) fn shared() -> Shared {
    Shared::new(Budget {
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    })
}

pub(crate) fn identity() -> Identity {
    Identity {
        cluster_id: "cluster".to_owned(),
        topic: "tidewatch.facts".to_owned(),
        partition: 3,
        partition_count: 16,
        schema_version: 2,
    }
}

pub(crate) fn open(dir: &Path) -> (RocksImage, Opened) {
    RocksImage::open(&shared(), dir, &identity()).unwrap()
}

/// The key's value after the write `covers`.
fn value(key: u8, covers: u64) -> Option<Box<[u8]>> {
    let behind = (covers % STRIDE + STRIDE - u64::from(key) % STRIDE) % STRIDE;
    let written = covers.checked_sub(behind).filter(|written| *written > 0)?;
    if (written / STRIDE + u64::from(key)).is_multiple_of(5) {
        return None;
    }
    let payload: Vec<u8> = (0..40u64)
        .flat_map(|word| (written.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (word << 8) ^ u64::from(key)).to_be_bytes())
        .collect();
    let value = Value {
        clock: CLOCK,
        wake_after: Timestamp::from_millis(i64::try_from(written).unwrap()),
        payload: &payload,
    };
    Some(value.encode())
}

fn timer(key: u8, value: Option<&[u8]>) -> Option<Timer> {
    let wake_after = Value::decode(value?).unwrap().wake_after;
    Some(timer_at(wake_after, &[key]))
}

pub(crate) fn timer_at(wake_after: Timestamp, key: &[u8]) -> Timer {
    Timer {
        clock: CLOCK,
        wake_after,
        key: key.into(),
    }
}

/// The next write of the history.
pub(crate) fn write(image: &mut RocksImage) -> Result<(), ImageError> {
    let before = image.covers();
    let covers = before + 1;
    let keys: Vec<[u8; 1]> = (0..KEYS)
        .filter(|key| u64::from(*key) % STRIDE == covers % STRIDE)
        .map(|key| [key])
        .collect();
    let values: BTreeMap<u8, _> = keys.iter().map(|[key]| (*key, value(*key, covers))).collect();
    let old = keys.iter().map(|[key]| timer(*key, value(*key, before).as_deref()));
    let new = values.iter().map(|(key, value)| timer(*key, value.as_deref()));
    image.write(&ImageWrite {
        disarm: old.flatten().collect(),
        arm: new.flatten().collect(),
        values: keys.iter().map(|key| (&key[..], values[&key[0]].as_deref())).collect(),
        covers,
    })
}

/// Panics if the image holds anything but the history up to the offset it covers; errors of the image are handed on.
pub(crate) fn check(image: &RocksImage) -> Result<(), ImageError> {
    let covers = image.covers();
    let mut timers = Vec::new();
    for key in 0..KEYS {
        let expected = value(key, covers);
        assert!(
            image.get(&[key])?.as_deref() == expected.as_deref(),
            "key {key} is wrong at {covers}"
        );
        timers.extend(timer(key, expected.as_deref()));
    }
    timers.sort();
    let found = image.timers(
        &timer_at(Timestamp::MIN, b""),
        &timer_at(Timestamp::MAX, b""),
        usize::from(KEYS),
    )?;
    assert!(found == timers, "timers are wrong at {covers}");
    Ok(())
}
