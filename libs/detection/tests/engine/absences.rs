//! `A | without (B) on user_id within 1h`: what is missing, and when that is known.

use event::Event;
use ruleset::{AbsencePattern, Order, Pattern};

use crate::driver::{DISORDER, Engine, HOUR, MINUTE, SECOND, closed, evidence, opened};
use crate::typed::{filter, kind, of, rule, span, timed};

const GRACE: i64 = 10 * MINUTE;

fn without(order: Order) -> Pattern {
    Pattern::Absence(AbsencePattern {
        left: kind("a"),
        right: kind("b"),
        on: vec![("user_id".to_owned(), "user_id".to_owned())],
        within: span(HOUR),
        order,
    })
}

/// Whether it fires when everything is known, whichever of the events arrives first.
fn fires(pattern: &Pattern, events: &[Event]) -> bool {
    let mut log = Engine::with(&rule(pattern));
    let placed: Vec<_> = events
        .iter()
        .map(|event| log.placed(event.clone(), event.time))
        .collect();
    let run = |order: Vec<usize>| {
        let mut engine = Engine::with(&rule(pattern));
        for at in order {
            engine.batch(&placed[at..=at]);
        }
        assert_eq!(engine.told(), [], "nothing is known before the watermark");
        engine.tick(100 * HOUR);
        let words = engine.last_words();
        assert!(words.len() <= 1);
        words.len() == 1
    };
    let forwards = run((0..placed.len()).collect());
    assert_eq!(
        run((0..placed.len()).rev().collect()),
        forwards,
        "the order of arrival matters"
    );
    forwards
}

#[test]
fn the_right_event_is_missing_on_the_side_that_is_asked_for() {
    let at = 10 * HOUR;
    let cases = [
        (Order::LeftFirst, 1, false),
        (Order::LeftFirst, HOUR, false),
        (Order::LeftFirst, HOUR + 1, true),
        (Order::LeftFirst, -1, true),
        (Order::RightFirst, -1, false),
        (Order::RightFirst, -HOUR, false),
        (Order::RightFirst, -HOUR - 1, true),
        (Order::RightFirst, 1, true),
        (Order::Any, -1, false),
        (Order::Any, 1, false),
        (Order::Any, -HOUR, false),
        (Order::Any, HOUR, false),
        (Order::Any, -HOUR - 1, true),
        (Order::Any, HOUR + 1, true),
    ];
    for (order, distance, expected) in cases {
        let events = [of("a", at), of("b", at + distance)];
        assert_eq!(fires(&without(order), &events), expected, "{order:?} {distance}");
    }
    assert!(fires(&without(Order::Any), &[of("a", at)]));
    assert!(
        !fires(&without(Order::Any), &[of("b", at)]),
        "and it is about the left event"
    );
}

#[test]
fn of_equal_times_the_place_in_the_log_decides() {
    let (a_first, b_first) = ([of("a", 7), of("b", 7)], [of("b", 7), of("a", 7)]);
    assert!(!fires(&without(Order::LeftFirst), &a_first));
    assert!(fires(&without(Order::LeftFirst), &b_first));
    assert!(fires(&without(Order::RightFirst), &a_first));
    assert!(!fires(&without(Order::RightFirst), &b_first));
    assert!(!fires(&without(Order::Any), &a_first));
}

#[test]
fn an_event_that_is_on_both_sides_is_not_near_itself() {
    let both = |order| {
        let Pattern::Absence(pattern) = without(order) else {
            unreachable!("it is an absence")
        };
        let right = filter("security_event:a OR security_event:b");
        Pattern::Absence(AbsencePattern { right, ..pattern })
    };
    for order in [Order::Any, Order::LeftFirst, Order::RightFirst] {
        assert!(fires(&both(order), &[of("a", 0)]), "{order:?}");
    }
    assert!(!fires(&both(Order::Any), &[of("a", 0), of("a", 1)]));
    // The same event from another record.
    let mut engine = Engine::with(&rule(&both(Order::LeftFirst)));
    engine.send([of("a", 0)]);
    engine.send([of("a", 0)]);
    engine.tick(10 * HOUR);
    assert_eq!(engine.last_words().len(), 1);
}

/// Not a millisecond before the watermark, less the grace, has passed the last moment at which it could come.
#[test]
fn it_is_decided_when_the_watermark_has_passed_and_not_before() {
    for (order, known) in [(Order::LeftFirst, HOUR), (Order::Any, HOUR), (Order::RightFirst, 0)] {
        let mut engine = Engine::with(&rule(&without(order)));
        engine.send([of("a", 0)]);
        engine.tick(known + GRACE + DISORDER);
        // What is too late is put aside, and lets the key be looked at.
        engine.send([of("a", -50 * HOUR)]);
        assert_eq!(engine.told(), [], "{order:?}: the last moment is not passed");
        engine.tick(known + GRACE + DISORDER + 1);
        assert_eq!(engine.alerts[0].message, "alice from 203.0.113.7");
        assert_eq!(evidence(&engine.alerts[0]), ["a-0"]);
        assert_eq!(engine.told()[0], opened(0, 0, 1), "{order:?}");
        engine.tick(100 * HOUR);
        assert_eq!(engine.keys(), 0, "{order:?}: and is forgotten");
    }
}

#[test]
fn what_comes_within_the_grace_still_counts_and_what_is_later_does_not() {
    let run = |late_by: i64| {
        let mut engine = Engine::with(&rule(&without(Order::LeftFirst)));
        engine.send([of("a", 0)]);
        engine.tick(MINUTE + GRACE + DISORDER + late_by);
        engine.send([of("b", MINUTE)]);
        engine.tick(10 * HOUR);
        (!engine.alerts.is_empty(), engine.tally.late)
    };
    assert_eq!(run(0), (false, 0));
    assert_eq!(run(1), (true, 1), "it is too late, and so was never there");
}

#[test]
fn keys_are_apart_and_never_absent() {
    let of_user = |event: Event, user: Option<&str>| Event {
        user_id: user.map(str::to_owned),
        ..event
    };
    let pattern = without(Order::LeftFirst);
    assert!(fires(&pattern, &[of("a", 0), of_user(of("b", 1), Some("bob"))]));
    assert!(
        !fires(&pattern, &[of_user(of("a", 0), None)]),
        "without a key it is nobody's"
    );
    let Pattern::Absence(anybody) = pattern else {
        unreachable!("it is an absence")
    };
    let anybody = Pattern::Absence(AbsencePattern {
        on: Vec::new(),
        ..anybody
    });
    assert!(!fires(
        &anybody,
        &[of_user(of("a", 0), None), of_user(of("b", 1), Some("bob"))]
    ));
}

#[test]
fn several_are_one_alert() {
    let mut engine = Engine::with(&rule(&without(Order::LeftFirst)));
    engine.send([
        of("a", 0),
        of("a", MINUTE),
        of("b", 2 * HOUR),
        of("a", 90 * MINUTE),
        of("a", 3 * HOUR),
    ]);
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    let spans: Vec<_> = words.iter().map(|alert| (evidence(alert), alert.count)).collect();
    assert_eq!(spans, [(vec!["a-0", "a-60000"], 2), (vec!["a-10800000"], 1)]);
}

#[test]
fn every_match_is_an_alert_of_its_own() {
    let mut engine = Engine::with(&timed(&without(Order::LeftFirst), |timing| timing.keep_alive = span(0)));
    engine.send([of("a", 0), of("a", 1), of("a", 2)]);
    engine.tick(10 * HOUR);
    assert_eq!(engine.last_words().len(), 3);
}

#[test]
fn it_goes_on_after_a_restart() {
    let rules = rule(&without(Order::LeftFirst));
    let mut engine = Engine::with(&rules);
    engine.send([of("a", 0), of("b", 5 * HOUR)]);
    engine.reload(&rules);
    engine.tick(HOUR + GRACE + DISORDER + 1);
    assert_eq!(engine.told(), [opened(0, 0, 1)]);
    engine.reload(&rules);
    engine.tick(2 * HOUR + GRACE + DISORDER);
    assert_eq!(
        engine.told(),
        [],
        "one an hour after it may still be found to belong to it"
    );
    engine.tick(2 * HOUR + GRACE + DISORDER + 1);
    assert_eq!(engine.told(), [closed(0, 0, 1)]);
}

/// A heartbeat a second, and the one that fails to come: what is held does not grow with the heartbeats.
#[test]
fn a_flood_on_the_right_costs_nothing_and_loses_nothing() {
    let mut engine = Engine::with(&rule(&without(Order::LeftFirst)));
    for n in 0..50 {
        engine.send((0..100).map(|m| of("b", (n * 100 + m) * SECOND)));
    }
    engine.send((0..50).map(|n| of("a", n * 100 * SECOND + 1)));
    assert_eq!(engine.tally.forgotten, 0);
    let stored = engine.store.in_memory().map(|(_, value)| value.len()).max();
    assert!(stored < Some(2000), "{stored:?} bytes");
    engine.send([of("a", 5000 * SECOND)]);
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    assert_eq!((words.len(), evidence(&words[0])), (1, vec!["a-5000000"]));
}

#[test]
fn more_than_a_thousand_that_wait_are_forgotten_and_counted() {
    let mut engine = Engine::with(&rule(&without(Order::LeftFirst)));
    engine.send((0..1200).map(|n| of("a", n)));
    assert_eq!(engine.tally.forgotten, 200);
    engine.tick(10 * HOUR);
    assert_eq!(engine.last_words()[0].count, 1000);
}

/// What is decided one after the other is counted on beyond what is listed.
#[test]
fn beyond_the_evidence_they_are_counted() {
    let mut engine = Engine::with(&rule(&without(Order::RightFirst)));
    for n in 0..3 {
        engine.send((0..500).map(|m| of("a", n * GRACE + m)));
        engine.tick(n * GRACE + 500 + GRACE + DISORDER);
    }
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    assert_eq!(
        (
            words.len(),
            words[0].count,
            words[0].events.len(),
            words[0].events_omitted
        ),
        (1, 1500, 1000, 500)
    );
}
