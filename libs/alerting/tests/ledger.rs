//! The ledger: the same live and restored, and bounded in time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use alerting::{Ledger, Notification, Standing, State};
use event::{AlertId, AlertStatus, Key, Timestamp};
use proptest::prelude::*;

const HORIZON: Duration = Duration::from_hours(24);

fn notification(number: u8, route: &str, state: State, hour: i64) -> Notification {
    Notification {
        version: Notification::VERSION,
        alert_id: AlertId([number; 16]),
        tenant: "acme".into(),
        revision: 1,
        status: AlertStatus::Opened,
        route: route.into(),
        state,
        attempts: 2,
        reason: (state == State::Undelivered).then(|| "answered 404".into()),
        alert_time: Timestamp::from_millis(hour * 3_600_000),
    }
}

fn keys(forgotten: &[Key]) -> Vec<Vec<&str>> {
    forgotten.iter().map(|key| key.parts().collect()).collect()
}

#[test]
fn the_encoding_is_as_it_was() {
    let golden = concat!(
        r#"{"version":1,"alert_id":"07070707070707070707070707070707","tenant":"acme","revision":1,"status":"opened","#,
        r#""route":"pager","state":"undelivered","attempts":2,"reason":"answered 404","alert_time":"1970-01-01T01:00:00.000Z"}"#
    );
    let written = notification(7, "pager", State::Undelivered, 1);
    assert_eq!(String::from_utf8(written.encode()).unwrap(), golden);
    assert_eq!(Notification::decode(golden.as_bytes()).unwrap(), written);
    assert!(
        Notification::decode(golden.replacen(":1", ":2", 1).as_bytes()).is_err(),
        "of a newer version"
    );
    assert_eq!(
        written.record_key().parts().collect::<Vec<_>>(),
        ["acme", &"07".repeat(16), "pager", "1"]
    );
}

#[test]
fn an_ended_delivery_is_known_until_an_alert_is_a_day_younger() {
    let mut ledger = Ledger::new(HORIZON);
    let row = notification(1, "slack", State::Sent, 10);
    ledger.apply(row.record_key(), Some(&row));
    assert_eq!(ledger.standing(&row.record_key()), Standing::Ended(State::Sent));
    assert_eq!(
        ledger.standing(&notification(1, "pager", State::Sent, 10).record_key()),
        Standing::Open
    );
    assert!(ledger.advance(Timestamp::from_millis(34 * 3_600_000)).is_empty());
    let forgotten = ledger.advance(Timestamp::from_millis(34 * 3_600_000 + 1));
    assert_eq!(keys(&forgotten), [["acme", &"01".repeat(16), "slack", "1"]]);
    assert!(ledger.is_empty());
    assert_eq!(ledger.standing(&row.record_key()), Standing::Open);
}

#[test]
fn a_forgotten_key_is_forgotten_on_restore_too() {
    let mut ledger = Ledger::new(HORIZON);
    let row = notification(1, "slack", State::Sent, 10);
    ledger.apply(row.record_key(), Some(&row));
    ledger.apply(row.record_key(), None);
    assert!(ledger.is_empty() && ledger.advance(Timestamp::MAX).is_empty());
}

proptest! {
    /// Compaction keeps the last record of each key; a ledger restored from that knows what the live one knew.
    #[test]
    fn restored_from_what_compaction_leaves_it_is_the_same(writes in prop::collection::vec((0..6_u8, any::<bool>(), 0..60_i64), 0..60)) {
        let mut live = Ledger::new(HORIZON);
        let mut log: Vec<(Key, Option<Notification>)> = Vec::new();
        for (number, is_sent, hour) in writes {
            let state = if is_sent { State::Sent } else { State::Undelivered };
            let row = notification(number, "slack", state, hour);
            live.apply(row.record_key(), Some(&row));
            log.push((row.record_key(), Some(row.clone())));
            log.extend(live.advance(row.alert_time).into_iter().map(|key| (key, None)));
        }
        let mut restored = Ledger::new(HORIZON);
        for (at, (key, row)) in log.iter().enumerate() {
            let is_last = log[at + 1..].iter().all(|(later, _)| later != key);
            if is_last {
                restored.apply(key.clone(), row.as_ref());
            }
        }
        prop_assert_eq!(restored.len(), live.len());
        for (key, _) in &log {
            prop_assert_eq!(restored.standing(key), live.standing(key));
        }
    }
}
