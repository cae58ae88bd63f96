//! The probes A to F, on which a widely used correlator gives the wrong answer: it moves a window by the arriving
//! event's own time. Each states what is true of the events, whatever order they came in.

use crate::driver::{BRUTE_FORCE, DISORDER, Engine, HOUR, MINUTE, SECOND, event, failures};

/// What the last words are after everything has closed: counts of the alerts.
fn counts(engine: &mut Engine) -> Vec<u64> {
    engine.tick(1000 * HOUR);
    engine.last_words().iter().map(|alert| alert.count).collect()
}

/// A: 30 failures, a second apart, are one attack, and not an alert for each event from the eleventh on.
#[test]
fn a_an_attack_is_one_alert() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    for one in failures((1000..1030).map(|second| second * SECOND)) {
        engine.send([one]);
    }
    assert_eq!(engine.alerts.len(), 1);
    assert_eq!(counts(&mut engine), [30]);
}

/// B: 1000 failures, a second apart, and after every nine of them one that is dated ever later into the future. An
/// attacker who can write such an event must not be able to hide behind it.
#[test]
fn b_future_times_hide_no_attack() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let mut future = 0;
    for second in 1000..2000 {
        let now = second * SECOND;
        engine.send_at(now, failures([now]));
        if second % 9 == 0 {
            future += 1;
            engine.send_at(
                now,
                [event(&format!("future-{future}"), "login_failed", now + future * HOUR)],
            );
        }
        engine.tick(now);
    }
    let opened = engine.alerts[0].opened_at.as_millis();
    assert!(opened <= 1011 * SECOND + 5 * MINUTE, "opened at {opened}");
    assert_eq!(
        counts(&mut engine),
        [1000 + 111],
        "dated five minutes after their arrival, they are of the attack"
    );
}

/// C: 11 failures without an address are no attack from anywhere.
#[test]
fn c_missing_keys_are_not_one_key() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send(
        failures((0..11).map(|n| n * SECOND))
            .into_iter()
            .map(|event| event::Event {
                source_ip: None,
                ..event
            }),
    );
    assert_eq!(counts(&mut engine), [0u64; 0]);
    assert_eq!(engine.matched["rule-0"].missing_key, 11);
}

/// D: one at 1000 s, nine that come late of 600 s to 608 s, one at 1290 s: no five minutes hold more than nine.
#[test]
fn d_late_events_are_not_in_a_window_they_are_not_in() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send(failures([1000 * SECOND]));
    engine.tick(1000 * SECOND);
    engine.send_at(1001 * SECOND, failures((600..609).map(|second| second * SECOND)));
    engine.tick(1001 * SECOND);
    engine.send(failures([1290 * SECOND]));
    assert_eq!(engine.tally.applied, 11, "none of them is too late");
    assert_eq!(counts(&mut engine), [0u64; 0]);
}

/// E: ten at once and one exactly five minutes later: a window holds both its ends.
#[test]
fn e_a_window_is_closed_at_both_ends() {
    let ten = || (0..10).map(|n| event(&format!("ten-{n}"), "login_failed", 0));
    for (last, expected) in [(300 * SECOND, vec![11]), (300 * SECOND + 1, vec![])] {
        let mut engine = Engine::new(&[BRUTE_FORCE]);
        engine.send(ten());
        engine.send(failures([last]));
        assert_eq!(counts(&mut engine), expected, "{last}");
    }
}

/// F: one future-dated failure, and then one failure an hour, 20 times. It pins no window open.
#[test]
fn f_a_future_time_pins_no_window() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send_at(0, [event("future", "login_failed", 100 * HOUR)]);
    for hour in 0..20 {
        engine.send(failures([hour * HOUR]));
        engine.tick(hour * HOUR + DISORDER);
    }
    assert_eq!(engine.tally.applied, 21);
    assert_eq!(counts(&mut engine), [0u64; 0]);
}
