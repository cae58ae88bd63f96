//! `new value of source_ip by user_id within 1h`: what was not there before.

use event::Event;
use ruleset::{NewValuePattern, Pattern};

use crate::driver::{DISORDER, Engine, HOUR, MINUTE, evidence, opened};
use crate::typed::{kind, of, rule, span, timed};

/// Long enough for a whole case.
const GRACE: i64 = 10 * MINUTE;

fn new_address() -> Pattern {
    Pattern::NewValue(NewValuePattern {
        filter: kind("login"),
        field: "source_ip".to_owned(),
        group_by: vec!["user_id".to_owned()],
        within: span(HOUR),
    })
}

fn login(millis: i64, address: &str) -> Event {
    Event {
        event_id: format!("{address}-{millis}"),
        source_ip: Some(address.to_owned()),
        ..of("login", millis)
    }
}

/// The events that were new, in whatever order they arrive.
fn new(logins: &[(i64, &str)]) -> Vec<String> {
    let rules = timed(&new_address(), |timing| timing.keep_alive = span(0));
    let mut log = Engine::with(&rules);
    let events = logins.iter().map(|(millis, address)| login(*millis, address));
    let placed: Vec<_> = events.map(|event| log.placed(event.clone(), event.time)).collect();
    let run = |order: Vec<usize>| {
        let mut engine = Engine::with(&rules);
        for at in order {
            engine.batch(&placed[at..=at]);
        }
        assert_eq!(engine.told(), [], "nothing is known before the watermark");
        engine.tick(100 * HOUR);
        let words = engine.last_words();
        let ids = words.iter().map(|alert| evidence(alert).join(" "));
        ids.collect::<Vec<_>>()
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
fn a_value_is_new_that_nobody_had_while_others_were_had() {
    assert_eq!(new(&[(0, "a"), (1, "b")]), ["b-1"]);
    assert_eq!(new(&[(0, "a"), (1, "b"), (2, "a"), (3, "b"), (4, "c")]), ["b-1", "c-4"]);
    assert_eq!(new(&[(0, "a"), (1, "a")]), [""; 0]);
    assert_eq!(new(&[(0, "a")]), [""; 0], "the first of all tells nothing");
}

#[test]
fn it_is_known_for_so_long() {
    assert_eq!(new(&[(0, "a"), (1, "b"), (HOUR, "a")]), ["b-1"], "an hour ago is known");
    assert_eq!(
        new(&[(0, "a"), (1, "b"), (HOUR + 1, "a")]),
        ["b-1", "a-3600001"],
        "b was there an hour ago"
    );
    assert_eq!(new(&[(0, "a"), (HOUR, "b")]), ["b-3600000"]);
    assert_eq!(
        new(&[(0, "a"), (HOUR + 1, "b")]),
        [""; 0],
        "nothing was there: it began anew"
    );
}

#[test]
fn of_equal_times_the_place_in_the_log_decides() {
    assert_eq!(new(&[(7, "a"), (7, "b")]), ["b-7"]);
    assert_eq!(new(&[(0, "x"), (7, "a"), (7, "a")]), ["a-7"]);
}

#[test]
fn it_is_decided_when_the_watermark_has_passed_and_not_before() {
    let mut engine = Engine::with(&rule(&new_address()));
    engine.send([login(0, "a"), login(1, "b")]);
    engine.tick(1 + GRACE + DISORDER);
    assert_eq!(engine.told(), []);
    engine.tick(1 + GRACE + DISORDER + 1);
    assert_eq!(engine.alerts[0].message, "alice from b");
    assert_eq!(engine.told(), [opened(1, 1, 1)]);
    engine.tick(100 * HOUR);
    assert_eq!(engine.keys(), 0, "and everything is forgotten");
}

#[test]
fn what_comes_within_the_grace_makes_it_old() {
    let run = |late_by: i64| {
        let mut engine = Engine::with(&rule(&new_address()));
        engine.send([login(0, "a"), login(2 * MINUTE, "b")]);
        engine.tick(MINUTE + GRACE + DISORDER + late_by);
        engine.send([login(MINUTE, "b")]);
        engine.tick(20 * HOUR);
        let words = engine.last_words();
        (evidence(&words[0]).join(" "), engine.tally.late)
    };
    assert_eq!(run(0), ("b-60000".to_owned(), 0));
    assert_eq!(run(1), ("b-120000".to_owned(), 1));
}

#[test]
fn an_event_without_the_field_is_not_there_and_is_counted() {
    let mut engine = Engine::with(&rule(&new_address()));
    let nowhere = Event {
        source_ip: None,
        ..login(0, "nowhere")
    };
    engine.send([nowhere, login(1, "b")]);
    engine.tick(20 * HOUR);
    assert_eq!(engine.told(), []);
    assert_eq!((engine.tally.applied, engine.tally.no_value), (1, 1));
}

#[test]
fn keys_are_apart() {
    let mut engine = Engine::with(&rule(&new_address()));
    let bob = |event: Event| Event {
        user_id: Some("bob".to_owned()),
        ..event
    };
    engine.send([login(0, "a"), bob(login(1, "b")), bob(login(2, "b"))]);
    engine.tick(20 * HOUR);
    assert_eq!(engine.told(), []);
}

#[test]
fn several_are_one_alert_and_the_same_event_counts_once() {
    let mut engine = Engine::with(&rule(&new_address()));
    let logins = [login(0, "a"), login(1, "b"), login(MINUTE, "c")];
    engine.send(logins.clone());
    engine.send(logins);
    engine.tick(100 * HOUR);
    let words = engine.last_words();
    assert_eq!(
        (words.len(), words[0].count, evidence(&words[0])),
        (1, 2, vec!["b-1", "c-60000"])
    );
}

/// What was decided stays known for as long as a value is, however often the state is written and read.
#[test]
fn it_goes_on_after_a_restart() {
    let rules = timed(&new_address(), |timing| timing.keep_alive = span(0));
    let mut engine = Engine::with(&rules);
    engine.send([login(0, "a"), login(1, "b")]);
    engine.reload(&rules);
    engine.tick(50 * MINUTE);
    engine.reload(&rules);
    engine.send([login(HOUR, "a"), login(HOUR + 1, "b"), login(HOUR + 2, "c")]);
    engine.tick(20 * HOUR);
    let words = engine.last_words();
    let ids: Vec<_> = words.iter().flat_map(evidence).collect();
    assert_eq!(ids, ["b-1", "c-3600002"]);
}

#[test]
fn a_flood_of_one_value_costs_nothing() {
    let mut engine = Engine::with(&rule(&new_address()));
    for n in 0..50 {
        engine.send((0..100).map(|m| login((n * 100 + m) * 10, "a")));
    }
    let stored = engine.store.in_memory().map(|(_, value)| value.len()).max();
    assert!(stored < Some(1000), "{stored:?} bytes");
}

#[test]
fn beyond_ten_thousand_the_oldest_values_are_forgotten_and_counted() {
    let mut engine = Engine::with(&rule(&new_address()));
    engine.send((0..10_000).map(|n| login(n, &format!("address-{n}"))));
    assert_eq!(engine.tally.forgotten, 0);
    engine.send([login(10_000, "one more")]);
    // The value, and the event that waits to be judged.
    assert_eq!(engine.tally.forgotten, 2);
}
