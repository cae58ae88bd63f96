//! The wall clock, for those who are allowed one: services, never the pure crates.

use std::time::{SystemTime, UNIX_EPOCH};

use event::Timestamp;

/// Now, by this machine's clock. It may jump in both directions; measure spans with `Instant`.
#[must_use]
pub fn now() -> Timestamp {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    };
    Timestamp::from_millis(millis)
}
