//! The probes A to F, on which a widely used correlator gives the wrong answer: it moves a window by the arriving
//! event's own time. Each states what is true of the events; the engine says so in the order of arrival, with ticks
//! between them, and in the reverse order, and so does the reference.

use crate::driver::{BRUTE_FORCE, Engine, HOUR, MINUTE, SECOND, Sent, event, failures, rules};
use crate::reference::{Seen, episodes};

/// Failures of one address: when they arrive, and when they happened.
type Arrivals = Vec<(i64, i64)>;

fn on_time(times: impl IntoIterator<Item = i64>) -> Arrivals {
    times.into_iter().map(|time| (time, time)).collect()
}

/// The counts of the alerts that come of these events must be these. Also returns what was first told.
fn check(arrivals: &Arrivals, expected: &[u64]) -> Option<event::Alert> {
    let sent = |engine: &mut Engine| -> Vec<Sent> {
        let one = |(at, (arrival, happened)): (usize, &(i64, i64))| {
            let event = event(&format!("{at}"), "login_failed", *happened);
            engine.placed(event, crate::driver::time(*arrival))
        };
        arrivals.iter().enumerate().map(one).collect()
    };
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let all = sent(&mut engine);
    for one in &all {
        engine.batch(std::slice::from_ref(one));
        engine.tick(one.arrival.as_millis());
    }
    assert_eq!(counts(&mut engine), expected, "as they arrive");
    assert_eq!(engine.tally.applied, all.len() as u64, "none of them is too late");

    let mut backwards = Engine::new(&[BRUTE_FORCE]);
    let reversed: Vec<Sent> = all.iter().rev().cloned().collect();
    reversed.chunks(7).for_each(|batch| backwards.batch(batch));
    assert_eq!(counts(&mut backwards), expected, "in the reverse order");

    let seen: Vec<Seen> = all.iter().map(Seen::of).collect();
    let episodes = episodes(&rules(&[BRUTE_FORCE]).rules()[0], &seen, i64::MAX);
    let truth: Vec<u64> = episodes.values().flatten().map(|over| over.count).collect();
    assert_eq!(truth, expected, "the reference");
    engine.alerts.into_iter().next()
}

/// The counts of the last words, after everything has closed.
fn counts(engine: &mut Engine) -> Vec<u64> {
    engine.tick(1000 * HOUR);
    engine.last_words().iter().map(|alert| alert.count).collect()
}

/// A: 30 failures, a second apart, are one attack, and not an alert for each event from the eleventh on.
#[test]
fn a_an_attack_is_one_alert() {
    let opened = check(&on_time((1000..1030).map(|second| second * SECOND)), &[30]).unwrap();
    assert_eq!(opened.opened_at.as_millis(), 1010 * SECOND, "at the eleventh");
}

/// B: 1000 failures, a second apart, and after every nine of them one that is dated ever later into the future. An
/// attacker who can write such an event must not be able to hide behind it. Dated five minutes after their arrival,
/// they are of the attack.
#[test]
fn b_future_times_hide_no_attack() {
    let attack = |future: &dyn Fn(i64) -> i64| -> Arrivals {
        let mut arrivals = Arrivals::new();
        for second in 1000..2000 {
            arrivals.push((second * SECOND, second * SECOND));
            if second % 9 == 0 {
                arrivals.push((second * SECOND, second * SECOND + future(second)));
            }
        }
        arrivals
    };
    let hours_ahead = attack(&|second| (second - 999) * HOUR);
    let a_little_ahead = attack(&|second| (second - 999) * 300);
    for arrivals in [hours_ahead, a_little_ahead] {
        let opened = check(&arrivals, &[1000 + 111]).unwrap();
        assert!(opened.opened_at.as_millis() <= 1011 * SECOND + 5 * MINUTE);
    }
}

/// C: 11 failures without an address are no attack from anywhere.
#[test]
fn c_missing_keys_are_not_one_key() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let without = |event| event::Event {
        source_ip: None,
        ..event
    };
    engine.send(failures((0..11).map(|n| n * SECOND)).into_iter().map(without));
    assert_eq!(counts(&mut engine), [0u64; 0]);
    assert_eq!(engine.matched["rule-0"].missing_key, 11);
}

/// D: one at 1000 s, nine that come late of 600 s to 608 s, one at 1290 s: no five minutes hold more than nine.
#[test]
fn d_late_events_are_not_in_a_window_they_are_not_in() {
    let mut arrivals = on_time([1000 * SECOND]);
    arrivals.extend((600..609).map(|second| (1001 * SECOND, second * SECOND)));
    arrivals.push((1290 * SECOND, 1290 * SECOND));
    check(&arrivals, &[]);
}

/// E: ten at once and one exactly five minutes later: a window holds both its ends.
#[test]
fn e_a_window_is_closed_at_both_ends() {
    for (last, expected) in [(300 * SECOND, vec![11]), (300 * SECOND + 1, vec![])] {
        check(&on_time([0; 10].into_iter().chain([last])), &expected);
    }
}

/// F: one future-dated failure, and then one failure an hour, 20 times. It pins no window open.
#[test]
fn f_a_future_time_pins_no_window() {
    let hourly = || on_time((0..20).map(|hour| hour * HOUR));
    for future in [100 * HOUR, 10 * HOUR, 5 * MINUTE, MINUTE] {
        check(&[vec![(0, future)], hourly()].concat(), &[]);
    }
    // And ten at once, of which nine hide in the future: they are five minutes from their arrival, and no more.
    let hidden = [vec![(0, 100 * HOUR); 9], on_time([0])].concat();
    check(&[hidden.clone(), on_time([5 * MINUTE])].concat(), &[11]);
    check(&[hidden, on_time([5 * MINUTE + 1])].concat(), &[]);
}
