#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{AlertStatus, SemanticHash};
use proptest::prelude::*;

use super::*;

const RETRY: Retry = Retry {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(60),
    critical_cap: Duration::from_secs(15),
    budget: Duration::from_secs(100),
};

fn alert(number: u8, severity: Severity) -> Arc<Alert> {
    Arc::new(Alert {
        alert_id: AlertId([number; 16]),
        status: AlertStatus::Opened,
        revision: 1,
        rule_id: "r".into(),
        rule_hash: SemanticHash::new("r"),
        title: "t".into(),
        message: "m".into(),
        severity,
        tags: Vec::new(),
        tenant: "default".into(),
        key: serde_json::Map::new(),
        opened_at: Timestamp::default(),
        first_event_at: Timestamp::default(),
        last_event_at: Timestamp::default(),
        count: 1,
        events: Vec::new(),
        events_omitted: 0,
        merged_into: None,
    })
}

fn outbox(attempts_max: usize, pace: Option<Pace>) -> Outbox {
    Outbox::new(RETRY, Limits { attempts_max, pace })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn push(outbox: &mut Outbox, id: DeliveryId, number: u8, severity: Severity) {
    outbox.push(
        Delivery {
            id,
            alert: alert(number, severity),
        },
        at(0),
    );
}

fn sent_at(outbox: &mut Outbox, now: Timestamp) -> Vec<DeliveryId> {
    std::iter::from_fn(|| outbox.next(now))
        .map(|delivery| delivery.id)
        .collect()
}

fn failed(retry_after: Option<u64>) -> Outcome {
    Outcome::Retriable {
        reason: "answered 500".into(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

#[test]
fn the_most_severe_goes_first_and_the_limit_holds() {
    let mut outbox = outbox(3, None);
    push(&mut outbox, 1, 1, Severity::Low);
    push(&mut outbox, 2, 2, Severity::High);
    push(&mut outbox, 3, 3, Severity::Critical);
    push(&mut outbox, 4, 4, Severity::High);
    assert_eq!(sent_at(&mut outbox, at(0)), [3, 2, 4]);
    assert_eq!(
        outbox.finished(2, Outcome::Delivered, at(0), 0),
        Some(Verdict::Sent { attempts: 1 })
    );
    assert_eq!(sent_at(&mut outbox, at(0)), [1]);
}

#[test]
fn one_alert_keeps_its_order_through_a_backoff() {
    let mut outbox = outbox(9, None);
    push(&mut outbox, 1, 1, Severity::High);
    push(&mut outbox, 2, 1, Severity::High);
    push(&mut outbox, 3, 2, Severity::High);
    assert_eq!(sent_at(&mut outbox, at(0)), [1, 3]);
    assert_eq!(outbox.finished(1, failed(None), at(0), u32::MAX), None);
    assert_eq!(sent_at(&mut outbox, at(0)), [0; 0]);
    assert_eq!(sent_at(&mut outbox, at(1)), [1]);
    assert_eq!(
        outbox.finished(1, Outcome::Delivered, at(1), 0),
        Some(Verdict::Sent { attempts: 2 })
    );
    assert_eq!(sent_at(&mut outbox, at(1)), [2]);
}

#[test]
fn a_delivery_that_waits_behind_another_shares_its_time() {
    let mut outbox = outbox(9, None);
    push(&mut outbox, 1, 1, Severity::High);
    push(&mut outbox, 2, 1, Severity::High);
    assert_eq!(sent_at(&mut outbox, at(100)), [1]);
    assert!(matches!(
        outbox.finished(1, failed(None), at(101), 0),
        Some(Verdict::Dead { attempts: 1, .. })
    ));
    assert_eq!(sent_at(&mut outbox, at(101)), [2]);
    assert!(matches!(
        outbox.finished(2, failed(None), at(101), 0),
        Some(Verdict::Dead { attempts: 1, .. })
    ));
    assert!(outbox.is_empty());
}

#[test]
fn when_the_destination_asks_for_silence_all_wait() {
    let mut outbox = outbox(1, None);
    push(&mut outbox, 1, 1, Severity::High);
    push(&mut outbox, 2, 2, Severity::High);
    assert_eq!(sent_at(&mut outbox, at(0)), [1]);
    outbox.finished(1, failed(Some(7)), at(0), 0);
    assert_eq!(sent_at(&mut outbox, at(6)), [0; 0]);
    assert_eq!(sent_at(&mut outbox, at(7)).len(), 1);
}

#[test]
fn the_pace_allows_a_burst_and_then_one_an_interval() {
    let mut outbox = outbox(
        99,
        Some(Pace {
            interval: Duration::from_secs(1),
            burst: 3,
        }),
    );
    for number in 1..=9 {
        push(&mut outbox, u64::from(number), number, Severity::High);
    }
    let per_second: Vec<usize> = [0, 0, 1, 1, 2, 9]
        .map(|second| sent_at(&mut outbox, at(second)).len())
        .into();
    assert_eq!(per_second, [3, 0, 1, 0, 1, 3]);
}

#[test]
fn a_cancelled_attempt_holds_its_alert_until_it_ends() {
    let mut outbox = outbox(9, None);
    push(&mut outbox, 1, 1, Severity::High);
    assert_eq!(sent_at(&mut outbox, at(0)), [1]);
    outbox.retain(|_| false);
    push(&mut outbox, 2, 1, Severity::High);
    assert_eq!(sent_at(&mut outbox, at(0)), [0; 0]);
    assert_eq!(
        outbox.finished(1, Outcome::Delivered, at(1), 0),
        None,
        "nobody waits for it any more"
    );
    assert_eq!(sent_at(&mut outbox, at(1)), [2]);
    assert_eq!(
        outbox.finished(2, Outcome::Delivered, at(2), 0),
        Some(Verdict::Sent { attempts: 1 })
    );
    assert!(outbox.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Push {
        alert: u8,
        severity: Severity,
    },
    Send,
    Finish {
        which: usize,
        outcome: Outcome,
        jitter: u32,
    },
    Wait {
        seconds: i64,
    },
    Cancel {
        modulus: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let permanent = Outcome::Permanent {
        reason: "answered 404".into(),
    };
    let outcome = prop_oneof![
        Just(Outcome::Delivered),
        Just(failed(None)),
        Just(failed(Some(3))),
        Just(permanent)
    ];
    let severity = prop::sample::select(Severity::ALL.to_vec());
    prop_oneof![
        4 => (0..4_u8, severity).prop_map(|(alert, severity)| Step::Push { alert, severity }),
        4 => Just(Step::Send),
        4 => (any::<usize>(), outcome, any::<u32>())
            .prop_map(|(which, outcome, jitter)| Step::Finish { which, outcome, jitter }),
        2 => (0..40_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (2..4_u64).prop_map(|modulus| Step::Cancel { modulus }),
    ]
}

proptest! {
    /// Whatever happens: at most the allowed number is in the air, one attempt of an alert at a time and in order,
    /// and every delivery that is not cancelled ends, once.
    #[test]
    fn every_delivery_ends_once_and_in_order(steps in prop::collection::vec(step(), 0..120)) {
        let mut outbox = outbox(2, None);
        let mut now = at(0);
        let mut open: BTreeMap<DeliveryId, u8> = BTreeMap::new();
        let mut flying: BTreeMap<DeliveryId, u8> = BTreeMap::new();
        let mut last_id = 0;
        let end = std::iter::repeat_n([Step::Wait { seconds: 61 }, Step::Send], 300).flatten();
        let end = end.flat_map(|step| [step, Step::Finish { which: 0, outcome: Outcome::Delivered, jitter: 0 }]);
        for step in steps.into_iter().chain(end) {
            match step {
                Step::Push { alert: number, severity } => {
                    last_id += 1;
                    outbox.push(Delivery { id: last_id, alert: alert(number, severity) }, now);
                    open.insert(last_id, number);
                }
                Step::Send => {
                    let Some(delivery) = outbox.next(now) else { continue };
                    let number = delivery.alert.alert_id.0[0];
                    let first = open.iter().find(|(_, of)| **of == number).map(|(id, _)| *id);
                    prop_assert_eq!(first, Some(delivery.id), "out of order, or not open");
                    prop_assert!(flying.values().all(|of| *of != number), "two attempts of one alert");
                    flying.insert(delivery.id, number);
                    prop_assert!(flying.len() <= 2);
                }
                Step::Finish { which, outcome, jitter } => {
                    let Some(id) = flying.keys().nth(which % flying.len().max(1)).copied() else { continue };
                    flying.remove(&id);
                    if outbox.finished(id, outcome, now, jitter).is_some() {
                        prop_assert!(open.remove(&id).is_some(), "ended twice, or after it was cancelled");
                    }
                }
                Step::Wait { seconds } => now = now.plus(Duration::from_secs(seconds.unsigned_abs())),
                Step::Cancel { modulus } => {
                    outbox.retain(|id| id % modulus != 0);
                    open.retain(|id, _| id % modulus != 0);
                }
            }
        }
        prop_assert!(open.is_empty(), "never ended: {open:?}");
        prop_assert!(outbox.is_empty());
    }
}
