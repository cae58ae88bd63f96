//! `sequence (A) then (B) then (C) by user_id within 1h`: which events fill the steps.

use event::{AlertStatus, Event};
use ruleset::{Pattern, SequencePattern, Step};

use crate::driver::{Engine, HOUR, MINUTE, SECOND, closed, evidence, opened};
use crate::typed::{kind, of, rule, span, timed};

fn steps(needed: &[(&str, u64)], is_ordered: bool) -> Pattern {
    let step = |(name, at_least): &(&str, u64)| Step {
        filter: kind(name),
        key: vec!["user_id".to_owned()],
        at_least: *at_least,
    };
    Pattern::Sequence(SequencePattern {
        steps: needed.iter().map(step).collect(),
        within: span(HOUR),
        is_ordered,
    })
}

fn ordered(needed: &[(&str, u64)]) -> Pattern {
    steps(needed, true)
}

fn abc() -> Pattern {
    ordered(&[("a", 1), ("b", 1), ("c", 1)])
}

/// The evidence of the one alert there is, in whatever order the events arrive.
fn found(pattern: &Pattern, events: &[Event]) -> Option<Vec<String>> {
    let of = |events: Vec<Event>| {
        let mut engine = Engine::with(&rule(pattern));
        // Each has its place in the log, and then comes to correlate in another order.
        let placed: Vec<_> = events
            .into_iter()
            .map(|event| engine.placed(event.clone(), event.time))
            .collect();
        placed
    };
    let placed = of(events.to_vec());
    let run = |order: Vec<usize>| {
        let mut engine = Engine::with(&rule(pattern));
        for at in order {
            engine.batch(&placed[at..=at]);
        }
        engine.tick(100 * HOUR);
        let words = engine.last_words();
        assert!(words.len() <= 1, "{words:#?}");
        words.first().map(|alert| {
            assert_eq!(alert.status, AlertStatus::Closed);
            let ids: Vec<String> = evidence(alert).into_iter().map(str::to_owned).collect();
            ids
        })
    };
    let forwards = run((0..placed.len()).collect());
    assert_eq!(
        run((0..placed.len()).rev().collect()),
        forwards,
        "the order of arrival matters"
    );
    forwards
}

fn ids(events: &[&str]) -> Option<Vec<String>> {
    Some(events.iter().map(|&id| id.to_owned()).collect())
}

#[test]
fn the_steps_are_filled_in_their_order() {
    assert_eq!(
        found(&abc(), &[of("a", 0), of("b", 1), of("c", 2)]),
        ids(&["a-0", "b-1", "c-2"])
    );
    for [first, second, third] in [
        ["a", "c", "b"],
        ["b", "a", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["c", "b", "a"],
    ] {
        let events = [of(first, 0), of(second, 1), of(third, 2)];
        assert_eq!(found(&abc(), &events), None, "{first} {second} {third}");
    }
    assert_eq!(found(&abc(), &[of("a", 0), of("c", 2)]), None, "a step is missing");
}

#[test]
fn it_fires_at_once_and_closes_when_its_hour_is_over() {
    let mut engine = Engine::with(&rule(&abc()));
    engine.send([of("a", 0), of("b", SECOND)]);
    assert_eq!(engine.told(), []);
    engine.send([of("c", MINUTE)]);
    assert_eq!(engine.alerts[0].message, "alice from 203.0.113.7");
    assert_eq!(engine.told(), [opened(0, MINUTE, 3)]);
    engine.tick(MINUTE + HOUR + 11 * SECOND);
    assert_eq!(engine.told(), [closed(0, MINUTE, 3)]);
    engine.tick(20 * HOUR);
    assert_eq!(engine.keys(), 0, "and is forgotten");
}

#[test]
fn first_and_last_are_at_most_so_far_apart() {
    let pair = ordered(&[("a", 1), ("b", 1)]);
    assert_eq!(found(&pair, &[of("a", 0), of("b", HOUR)]), ids(&["a-0", "b-3600000"]));
    assert_eq!(found(&pair, &[of("a", 0), of("b", HOUR + 1)]), None);
    let triple = [of("a", 0), of("b", 40 * MINUTE), of("c", 70 * MINUTE)];
    assert_eq!(
        found(&abc(), &triple),
        None,
        "each is near the next, and the last is too far from the first"
    );
}

#[test]
fn of_equal_times_the_place_in_the_log_decides() {
    let pair = ordered(&[("a", 1), ("b", 1)]);
    assert_eq!(found(&pair, &[of("a", 7), of("b", 7)]), ids(&["a-7", "b-7"]));
    assert_eq!(found(&pair, &[of("b", 7), of("a", 7)]), None);
}

/// The first of the two As is in reach of no C; the latest of each step is what leaves the most room.
#[test]
fn the_latest_events_are_chosen() {
    let events = [
        of("a", 0),
        of("a", 20 * MINUTE),
        of("b", 30 * MINUTE),
        of("b", 40 * MINUTE),
        of("c", 70 * MINUTE),
    ];
    assert_eq!(found(&abc(), &events), ids(&["a-1200000", "b-2400000", "c-4200000"]));
    let b_before_a = [of("b", 0), of("a", 1), of("b", 2), of("a", 3), of("c", 4)];
    assert_eq!(
        found(&abc(), &b_before_a),
        ids(&["a-1", "b-2", "c-4"]),
        "the A after the last B is of no use"
    );
}

#[test]
fn a_step_may_need_several_and_repeats_weigh() {
    let brute = ordered(&[("a", 3), ("b", 1)]);
    assert_eq!(found(&brute, &[of("a", 0), of("a", 1), of("b", 2)]), None);
    assert_eq!(
        found(&brute, &[of("a", 0), of("a", 1), of("b", 2), of("a", 3)]),
        None,
        "the third is after the success"
    );
    let four = [of("a", 0), of("a", 1), of("a", 2), of("a", 3), of("b", 4)];
    assert_eq!(
        found(&brute, &four),
        ids(&["a-1", "a-2", "a-3", "b-4"]),
        "the latest that are enough"
    );
    let heavy = Event {
        repeat: 3,
        ..of("a", 0)
    };
    assert_eq!(found(&brute, &[heavy, of("b", 4)]), ids(&["a-0", "b-4"]));
    let at_the_end = ordered(&[("a", 1), ("b", 2)]);
    assert_eq!(found(&at_the_end, &[of("b", 0), of("a", 1), of("b", 2)]), None);
    assert_eq!(
        found(&at_the_end, &[of("a", 1), of("b", 2), of("b", 3)]),
        ids(&["a-1", "b-2", "b-3"])
    );
}

#[test]
fn an_event_stands_in_one_step_at_a_time() {
    let twice = ordered(&[("a", 1), ("a", 1)]);
    assert_eq!(found(&twice, &[of("a", 0)]), None);
    assert_eq!(
        found(&twice, &[of("a", 0), of("a", 1), of("a", 2)]),
        ids(&["a-0", "a-1", "a-2"])
    );
}

#[test]
fn steps_meet_in_equal_keys_and_those_may_have_different_names() {
    let Pattern::Sequence(mut pattern) = ordered(&[("a", 1), ("b", 1)]) else {
        unreachable!("it is a sequence")
    };
    let bob = |event: Event| Event {
        user_id: Some("bob".to_owned()),
        ..event
    };
    let nobody = |event: Event| Event { user_id: None, ..event };
    let same = Pattern::Sequence(pattern.clone());
    assert_eq!(found(&same, &[of("a", 0), bob(of("b", 1))]), None);
    assert_eq!(found(&same, &[nobody(of("a", 0)), nobody(of("b", 1))]), None);
    pattern.steps[1].key = vec!["target_id".to_owned()];
    let mut target = bob(of("b", 1));
    target.metadata.insert("target_id".to_owned(), "alice".into());
    assert_eq!(
        found(&Pattern::Sequence(pattern), &[of("a", 0), target]),
        ids(&["a-0", "b-1"])
    );
}

#[test]
fn what_goes_on_is_one_alert_and_each_event_counts_once() {
    let events: Vec<_> = (0..4)
        .flat_map(|n| [of("a", 2 * n * MINUTE), of("b", (2 * n + 1) * MINUTE)])
        .collect();
    let mut engine = Engine::with(&rule(&ordered(&[("a", 1), ("b", 1)])));
    engine.send(events.clone());
    engine.send(events);
    assert_eq!(engine.tally.duplicate, 8);
    engine.tick(10 * HOUR);
    let last = engine.last_words();
    assert_eq!((last.len(), last[0].count), (1, 8));
}

/// A later A takes the place of the one that was told of.
#[test]
fn a_late_event_may_be_the_better_choice() {
    let mut engine = Engine::with(&timed(&ordered(&[("a", 1), ("b", 1)]), |timing| {
        timing.lateness = span(3 * HOUR)
    }));
    engine.send([of("a", 0), of("b", 30 * MINUTE)]);
    engine.tick(2 * HOUR);
    engine.alerts.clear();
    engine.send([of("a", 20 * MINUTE)]);
    let words = engine.alerts.clone();
    assert_eq!(engine.told(), [closed(20 * MINUTE, 30 * MINUTE, 2)]);
    assert_eq!(evidence(&words[0]), ["a-1200000", "b-1800000"]);
}

#[test]
fn an_event_that_is_too_late_is_put_aside() {
    let mut engine = Engine::with(&rule(&ordered(&[("a", 1), ("b", 1)])));
    engine.tick(HOUR + 10 * SECOND + 1);
    engine.send([of("a", 0), of("b", 1)]);
    assert_eq!((engine.tally.late, engine.tally.applied), (1, 1));
    assert_eq!(engine.told(), []);
}

#[test]
fn it_goes_on_after_a_restart() {
    let rules = rule(&abc());
    let mut engine = Engine::with(&rules);
    engine.send([of("a", 0), of("b", 1)]);
    engine.reload(&rules);
    engine.send([of("c", 2)]);
    assert_eq!(engine.told(), [opened(0, 2, 3)]);
}

#[test]
fn a_flood_of_one_step_is_held_within_bounds_and_does_not_hide_the_others() {
    let mut engine = Engine::with(&rule(&ordered(&[("a", 1), ("b", 1), ("c", 1)])));
    engine.send([of("a", 0)]);
    engine.send((1..3000).map(|n| of("b", n * 100)));
    engine.send([of("c", 300 * SECOND)]);
    assert_eq!(engine.told(), [opened(0, 300 * SECOND, 3)]);
    assert_eq!(engine.tally.forgotten, 1999);
}

/// More than a side holds otherwise: a step that could never be filled would be a rule that never fires.
#[test]
fn a_step_holds_as_many_as_it_needs() {
    let mut engine = Engine::with(&rule(&ordered(&[("a", 1500), ("b", 1)])));
    engine.send((0..1500).map(|n| of("a", n)));
    engine.send([of("b", 1500)]);
    assert_eq!(engine.alerts.len(), 1);
    assert_eq!(
        (
            engine.alerts[0].count,
            engine.alerts[0].events.len(),
            engine.alerts[0].events_omitted
        ),
        (1501, 1000, 501)
    );
}

/// What an episode stands for does not change because fewer of its events are held.
#[test]
fn a_closed_alert_is_not_told_of_again_when_its_events_are_forgotten() {
    let mut engine = Engine::with(&timed(&ordered(&[("a", 1), ("b", 1)]), |timing| {
        timing.lateness = span(24 * HOUR);
        timing.keep_alive = span(MINUTE);
    }));
    engine.send([of("a", 0), of("b", 1)]);
    engine.tick(HOUR);
    engine.alerts.clear();
    engine.send((0..1500).map(|n| of("a", 2 * HOUR + n)));
    engine.tick(4 * HOUR);
    assert_eq!(engine.told(), []);
    assert_eq!(engine.tally.forgotten, 501);
}

#[test]
fn in_any_order_every_step_needs_enough() {
    let any = |needed: &[(&str, u64)]| steps(needed, false);
    let pair = any(&[("a", 1), ("b", 1)]);
    assert_eq!(found(&pair, &[of("b", 0), of("a", HOUR)]), ids(&["b-0", "a-3600000"]));
    assert_eq!(found(&pair, &[of("b", 0), of("a", HOUR + 1)]), None);
    assert_eq!(found(&pair, &[of("a", 0), of("a", 1)]), None);
    let all = [of("a", 0), of("b", 1), of("a", 2)];
    assert_eq!(
        found(&pair, &all),
        ids(&["a-0", "b-1", "a-2"]),
        "all of them contribute"
    );
    let more = any(&[("a", 2), ("b", 1)]);
    assert_eq!(found(&more, &[of("a", 0), of("b", 1)]), None);
    assert_eq!(found(&more, &all), ids(&["a-0", "b-1", "a-2"]));
    let heavy = Event {
        repeat: 2,
        ..of("a", 0)
    };
    assert_eq!(found(&more, &[heavy, of("b", 1)]), ids(&["a-0", "b-1"]));
}

/// In any order, an event counts in every step whose filter it passes.
#[test]
fn in_any_order_one_event_may_be_enough() {
    assert_eq!(
        found(&steps(&[("a", 1), ("a", 1)], false), &[of("a", 0)]),
        ids(&["a-0"])
    );
}

#[test]
fn in_any_order_it_fires_at_once_and_a_flood_does_not_hide_the_other() {
    let mut engine = Engine::with(&rule(&steps(&[("a", 1), ("b", 1)], false)));
    engine.send([of("b", 0)]);
    engine.send([of("a", 1)]);
    assert_eq!(engine.told(), [opened(0, 1, 2)]);
    let mut engine = Engine::with(&rule(&steps(&[("a", 1), ("b", 1), ("c", 1)], false)));
    engine.send([of("a", 0)]);
    for n in 0..11_i64 {
        engine.send((0..1000).map(|m| of("b", 1 + n * 1000 + m)));
    }
    assert_eq!((engine.told(), engine.tally.forgotten), (vec![], 1001));
    engine.send([of("c", MINUTE)]);
    assert_eq!(engine.alerts.len(), 1);
}
