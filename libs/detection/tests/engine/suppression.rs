//! `suppress W`, and `every_match`.

use event::AlertStatus;

use crate::driver::{BRUTE_FORCE, DISORDER, Engine, HOUR, MINUTE, SECOND, changed, closed, evidence, failures, opened};
use crate::typed::span;

const QUICK: &str = "security_event:login_failed | window 1m | group by source_ip | count >= 3";

/// Three failures, of which the last makes it true.
fn burst(last: i64) -> Vec<event::Event> {
    failures([last - 2, last - 1, last])
}

fn suppressing(millis: i64) -> Engine {
    Engine::with(&changed(QUICK, |rule| rule.timing.suppress = span(millis)))
}

#[test]
fn after_it_was_closed_nobody_is_told_until_that_is_over_too() {
    let mut engine = suppressing(HOUR);
    engine.send(burst(10 * SECOND));
    engine.tick(10 * SECOND + MINUTE + DISORDER + 1);
    assert_eq!(
        engine.told(),
        [opened(9998, 10 * SECOND, 3), closed(9998, 10 * SECOND, 3)]
    );
    engine.send(burst(30 * MINUTE));
    engine.tick(60 * MINUTE);
    engine.send(burst(80 * MINUTE));
    engine.tick(80 * MINUTE + HOUR + DISORDER);
    assert_eq!(engine.told(), [], "an hour after the last is not over");
    engine.tick(80 * MINUTE + HOUR + DISORDER + 1);
    assert_eq!(engine.told(), [closed(9998, 80 * MINUTE, 9)]);
    engine.tick(20 * HOUR);
    assert_eq!((engine.told(), engine.keys()), (vec![], 0));
}

#[test]
fn if_nothing_came_nothing_is_told() {
    let mut engine = suppressing(HOUR);
    engine.send(burst(10 * SECOND));
    engine.send(failures([30 * MINUTE]));
    engine.tick(20 * HOUR);
    assert_eq!(
        engine.told(),
        [opened(9998, 10 * SECOND, 3), closed(9998, 10 * SECOND, 3)]
    );
}

#[test]
fn a_millisecond_more_is_another_alert() {
    for (gap, alerts) in [(HOUR, 1), (HOUR + 1, 2)] {
        // Also where the first is not closed yet.
        for is_ticked in [true, false] {
            let mut engine = suppressing(HOUR);
            engine.send(burst(10 * SECOND));
            if is_ticked {
                engine.tick(10 * MINUTE);
            }
            // The two before the last make nothing true.
            engine.send(burst(10 * SECOND + gap));
            engine.tick(20 * HOUR);
            let words = engine.last_words();
            assert_eq!(words.len(), alerts, "{gap} {is_ticked}");
            assert!(words.iter().all(|alert| alert.status == AlertStatus::Closed));
        }
    }
}

/// What happens between two bursts is not theirs, and is not held for as long as they are suppressed.
#[test]
fn what_is_harmless_in_between_is_none_of_it() {
    let mut engine = suppressing(24 * HOUR);
    engine.send(burst(10 * SECOND));
    for hour in 0..20 {
        engine.send(failures((1..30).map(|n| hour * HOUR + n * 2 * MINUTE)));
        engine.tick(hour * HOUR + HOUR);
    }
    let stored = engine.store.in_memory().map(|(_, value)| value.len()).max();
    assert!(stored < Some(10_000), "{stored:?} bytes");
    engine.send(burst(20 * HOUR));
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    assert_eq!((words.len(), words[0].count), (1, 6));
}

#[test]
fn every_match_is_an_alert_for_every_event_at_which_it_holds() {
    let mut engine = Engine::with(&changed(BRUTE_FORCE, |rule| rule.timing.keep_alive = span(0)));
    engine.send(failures((0..13).map(|n| n * SECOND)));
    engine.tick(HOUR);
    let words = engine.last_words();
    let counts: Vec<_> = words
        .iter()
        .map(|alert| (alert.opened_at.as_millis() / SECOND, alert.count))
        .collect();
    assert_eq!(counts, [(10, 11), (11, 12), (12, 13)]);
    assert_eq!(evidence(&words[2]).len(), 13);
}

/// What is beyond the limit is closed before its time, and counted.
#[test]
fn a_thousand_alerts_of_one_key_are_remembered() {
    let mut engine = Engine::with(&changed(
        "security_event:login_failed | window 1ms | group by source_ip | count >= 1",
        |rule| {
            rule.timing.keep_alive = span(0);
        },
    ));
    engine.send(failures((0..1200).map(|n| n * 10)));
    assert_eq!(engine.tally.forgotten, 200);
    engine.tick(HOUR);
    let words = engine.last_words();
    assert_eq!(words.len(), 1200);
    assert!(words.iter().all(|alert| alert.status == AlertStatus::Closed));
}
