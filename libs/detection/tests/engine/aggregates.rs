//! What is computed over windows: `window W`, `window W every S`, `session gap G max M`.

use event::{AlertStatus, Event};
use ruleset::{Aggregate, AggregatePattern, Comparison, Limit, Pattern, Window};

use crate::driver::{DISORDER, Engine, HOUR, MINUTE, SECOND, Told, closed, evidence, opened};
use crate::typed::{kind, of, rule, span, timed};

const GRACE: i64 = 10 * MINUTE;
const MB: &str = "bytes";

const SLIDING: fn() -> Window = || Window::Sliding(span(10 * SECOND));
const TUMBLING: fn() -> Window = || Window::Hopping {
    span: span(10 * SECOND),
    every: span(10 * SECOND),
};
const HOPPING: fn() -> Window = || Window::Hopping {
    span: span(10 * SECOND),
    every: span(4 * SECOND),
};
const SESSION: fn() -> Window = || Window::Session {
    gap: span(3 * SECOND),
    max: span(8 * SECOND),
};

/// A window, the seconds of its events, and what is found.
type Case = (Window, &'static [i64], &'static [(i64, i64, u64)]);

fn computes(window: Window, aggregate: Aggregate, limits: &[(Comparison, f64)]) -> Pattern {
    Pattern::Aggregate(AggregatePattern {
        filter: kind("a"),
        window,
        group_by: vec!["user_id".to_owned()],
        aggregate,
        limits: limits
            .iter()
            .map(|(comparison, value)| Limit {
                comparison: *comparison,
                value: *value,
            })
            .collect(),
    })
}

fn at(millis: i64, bytes: impl Into<serde_json::Value>) -> Event {
    let mut event = of("a", millis);
    event.metadata.insert(MB.to_owned(), bytes.into());
    event
}

fn seconds(times: &[i64]) -> Vec<Event> {
    times.iter().map(|second| at(second * SECOND, 1)).collect()
}

/// First, last and count of each alert, every match alone, in whatever order the events arrive.
fn found(pattern: &Pattern, events: &[Event]) -> Vec<(i64, i64, u64)> {
    let rules = timed(pattern, |timing| timing.keep_alive = span(0));
    let mut log = Engine::with(&rules);
    let placed: Vec<_> = events
        .iter()
        .map(|event| log.placed(event.clone(), event.time))
        .collect();
    let run = |order: Vec<usize>| {
        let mut engine = Engine::with(&rules);
        for at in order {
            engine.batch(&placed[at..=at]);
        }
        if !pattern.is_monotone() {
            assert_eq!(engine.told(), [], "nothing is known before the watermark");
        }
        engine.tick(100 * HOUR);
        let words = engine.last_words();
        assert!(words.iter().all(|alert| alert.status == AlertStatus::Closed));
        let span = |alert: &event::Alert| {
            let Told { first, last, count, .. } = crate::driver::told(alert);
            (first / SECOND, last / SECOND, count)
        };
        let mut found: Vec<_> = words.iter().map(span).collect();
        found.sort_unstable();
        assert_eq!(engine.keys(), 0, "and everything is forgotten");
        found
    };
    let forwards = run((0..placed.len()).collect());
    assert_eq!(
        run((0..placed.len()).rev().collect()),
        forwards,
        "the order of arrival matters"
    );
    forwards
}

/// Whether this holds over these values within one tumbling window.
fn holds(aggregate: Aggregate, limit: (Comparison, f64), values: &[serde_json::Value]) -> bool {
    let events: Vec<_> = (0..).zip(values).map(|(n, value)| at(n, value.clone())).collect();
    !found(&computes(TUMBLING(), aggregate, &[limit]), &events).is_empty()
}

use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};

#[test]
fn what_is_computed_is_exact() {
    let bytes = || MB.to_owned();
    let rank = |percent| Aggregate::Percentile {
        field: bytes(),
        percent,
    };
    let numbers = [4.into(), 1.into(), 3.into(), 2.into(), 2.5.into()];
    let distinct = || Aggregate::Distinct(vec![bytes()]);
    let cases = [
        (Aggregate::Count, 5.0),
        (distinct(), 5.0),
        (Aggregate::Sum(bytes()), 12.5),
        (Aggregate::Average(bytes()), 2.5),
        (Aggregate::Minimum(bytes()), 1.0),
        (Aggregate::Maximum(bytes()), 4.0),
        (rank(0.0), 1.0),
        (rank(20.0), 1.0),
        (rank(20.1), 2.0),
        (rank(50.0), 2.5),
        (rank(95.0), 4.0),
        (Aggregate::RarestShare(bytes()), 20.0),
    ];
    for (aggregate, value) in cases {
        let is = |comparison, value| holds(aggregate.clone(), (comparison, value), &numbers);
        assert!(is(Equal, value) && !is(NotEqual, value), "{aggregate:?}");
        assert!(is(GreaterOrEqual, value) && is(LessOrEqual, value), "{aggregate:?}");
        assert!(!is(Greater, value) && !is(Less, value), "{aggregate:?}");
        assert!(is(Greater, value - 0.01) && is(Less, value + 0.01), "{aggregate:?}");
    }
    // The first two are one number and two texts.
    assert!(holds(
        distinct(),
        (Equal, 3.0),
        &["1".into(), "1.0".into(), "x".into(), "x".into()]
    ));
    assert!(holds(
        Aggregate::RarestShare(bytes()),
        (Equal, 25.0),
        &["x".into(), "y".into(), "x".into(), "x".into()]
    ));
}

#[test]
fn what_has_no_number_is_not_there_and_is_counted() {
    let bytes = || MB.to_owned();
    let odd: [serde_json::Value; 4] = ["many".into(), true.into(), vec![1].into(), "inf".into()];
    assert!(!holds(Aggregate::Sum(bytes()), (GreaterOrEqual, 0.0), &odd));
    assert!(
        holds(Aggregate::Sum(bytes()), (Equal, 7.0), &["7".into(), (-3).into()]),
        "a negative one is not summed"
    );
    assert!(holds(
        Aggregate::Average(bytes()),
        (Equal, 2.0),
        &[7.into(), (-3).into()]
    ));
    let mut engine = Engine::with(&rule(&computes(SLIDING(), Aggregate::Sum(bytes()), &[(Greater, 1.0)])));
    engine.send([at(0, "many"), at(1, 1), of("a", 2)]);
    assert_eq!((engine.tally.applied, engine.tally.no_value), (1, 2));
}

#[test]
fn repeats_weigh_where_events_are_counted_and_nowhere_else() {
    let bytes = || MB.to_owned();
    let events = [Event { repeat: 3, ..at(0, 1) }, at(1, 5)];
    let is = |aggregate: Aggregate, value: f64| {
        !found(&computes(TUMBLING(), aggregate, &[(Equal, value)]), &events).is_empty()
    };
    assert!(is(Aggregate::Count, 4.0));
    assert!(is(Aggregate::Sum(bytes()), 8.0));
    assert!(is(Aggregate::Average(bytes()), 2.0));
    assert!(is(Aggregate::RarestShare(bytes()), 25.0));
    assert!(is(
        Aggregate::Percentile {
            field: bytes(),
            percent: 75.0
        },
        1.0
    ));
    assert!(is(Aggregate::Distinct(vec![bytes()]), 2.0));
}

#[test]
fn pairs_of_values_are_told_apart() {
    let pattern = computes(
        SLIDING(),
        Aggregate::Distinct(vec![MB.to_owned(), "source_ip".to_owned()]),
        &[(GreaterOrEqual, 2.0)],
    );
    let from = |event: Event, address: &str| Event {
        source_ip: Some(address.to_owned()),
        ..event
    };
    assert_eq!(found(&pattern, &[from(at(0, "ab"), "c"), from(at(1, "ab"), "c")]), []);
    assert_eq!(
        found(&pattern, &[from(at(0, "ab"), "c"), from(at(1, "a"), "bc")]).len(),
        1
    );
}

#[test]
fn several_limits_must_all_hold() {
    let between = computes(
        TUMBLING(),
        Aggregate::Count,
        &[(GreaterOrEqual, 2.0), (LessOrEqual, 3.0)],
    );
    for (times, expected) in [(&[0][..], 0), (&[0, 1], 1), (&[0, 1, 2], 1), (&[0, 1, 2, 3], 0)] {
        assert_eq!(found(&between, &seconds(times)).len(), expected, "{times:?}");
    }
}

/// Three in a window, which more events can only confirm: at once, whatever the window.
#[test]
fn windows_of_what_is_monotone() {
    let three = |window: Window| computes(window, Aggregate::Count, &[(Greater, 2.0)]);
    let cases: [Case; 11] = [
        (SLIDING(), &[0, 5, 10], &[(0, 10, 3)]),
        (SLIDING(), &[0, 5, 11], &[]),
        (SLIDING(), &[0, 5, 10, 12], &[(0, 10, 3), (5, 12, 3)]),
        (TUMBLING(), &[0, 5, 9, 10], &[(0, 9, 3)]),
        (TUMBLING(), &[5, 9, 10, 11], &[]),
        // In [-4, 6), [0, 10), [4, 14): of those with all three in them the first counts.
        (HOPPING(), &[1, 4, 5], &[(1, 5, 3)]),
        (HOPPING(), &[3, 9, 11], &[]),
        (HOPPING(), &[3, 4, 9, 11], &[(3, 9, 3), (4, 11, 3)]),
        (SESSION(), &[0, 3, 6, 8], &[(0, 6, 3), (0, 8, 4)]),
        (SESSION(), &[0, 3, 7], &[]),
        // At 9 the first is too old, and at 13 a new session has begun.
        (SESSION(), &[0, 3, 6, 9, 13], &[(0, 6, 3), (3, 9, 3)]),
    ];
    for (window, times, expected) in cases {
        assert_eq!(found(&three(window), &seconds(times)), expected, "{window:?} {times:?}");
    }
}

#[test]
fn what_is_monotone_fires_at_once() {
    let sum = computes(SLIDING(), Aggregate::Sum(MB.to_owned()), &[(Greater, 10.0)]);
    let mut engine = Engine::with(&rule(&sum));
    engine.send([at(0, 10)]);
    assert_eq!(engine.told(), []);
    engine.send([at(SECOND, 0.5)]);
    assert_eq!(engine.alerts[0].message, "alice from 203.0.113.7");
    assert_eq!(engine.told(), [opened(0, SECOND, 2)]);
    engine.tick(11 * SECOND + DISORDER + 1);
    assert_eq!(engine.told(), [closed(0, SECOND, 2)]);
    for (aggregate, limit) in [
        (Aggregate::Maximum(MB.to_owned()), (GreaterOrEqual, 5.0)),
        (Aggregate::Minimum(MB.to_owned()), (Less, 6.0)),
        (Aggregate::Distinct(vec![MB.to_owned()]), (GreaterOrEqual, 1.0)),
    ] {
        let mut engine = Engine::with(&rule(&computes(SESSION(), aggregate, &[limit])));
        engine.send([at(0, 5)]);
        assert_eq!(engine.told(), [opened(0, 0, 1)]);
    }
}

/// Fewer than three, which the next event may make untrue: once for each window, when it is over.
#[test]
fn windows_of_what_is_decided_when_they_are_over() {
    let few = |window: Window| computes(window, Aggregate::Count, &[(Less, 3.0)]);
    let cases: [Case; 10] = [
        (SLIDING(), &[0, 5, 10, 11], &[(11, 11, 1)]),
        (SLIDING(), &[0, 11, 16, 21, 22], &[(0, 0, 1), (22, 22, 1)]),
        (TUMBLING(), &[0, 5, 9, 10, 19], &[(10, 19, 2)]),
        (TUMBLING(), &[5, 35], &[(5, 5, 1), (35, 35, 1)]),
        // [-8, 2) and [-4, 6) have one, [0, 10) has three, [4, 14) and [8, 18) have two and one.
        (HOPPING(), &[1, 7, 9], &[(1, 1, 1), (7, 9, 2)]),
        (HOPPING(), &[0, 1, 2, 3], &[(0, 1, 2)]),
        (SESSION(), &[0, 3, 6, 10], &[(10, 10, 1)]),
        (SESSION(), &[0, 3, 7, 10], &[(0, 3, 2), (7, 10, 2)]),
        (SESSION(), &[0, 3, 6, 8, 9], &[(9, 9, 1)]),
        (SESSION(), &[0, 2, 4, 6, 8, 10, 12], &[(10, 12, 2)]),
    ];
    for (window, times, expected) in cases {
        assert_eq!(found(&few(window), &seconds(times)), expected, "{window:?} {times:?}");
    }
}

/// Not a millisecond before the watermark, less the grace, has passed the last moment of the window.
#[test]
fn a_window_is_decided_when_the_watermark_has_passed_it_and_not_before() {
    for (window, last) in [
        (SLIDING(), 11 * SECOND),
        (TUMBLING(), 10 * SECOND - 1),
        (HOPPING(), 2 * SECOND - 1),
        (SESSION(), 4 * SECOND),
    ] {
        let few = computes(window, Aggregate::Count, &[(Less, 3.0)]);
        let rules = timed(&few, |timing| timing.grace = span(GRACE));
        let mut engine = Engine::with(&rules);
        engine.send([at(SECOND, 1)]);
        engine.tick(last + GRACE + DISORDER);
        // What is too late is put aside, and lets the key be looked at.
        engine.send([at(-50 * HOUR, 1)]);
        assert_eq!(engine.told(), [], "{window:?}");
        engine.reload(&rules);
        engine.tick(last + GRACE + DISORDER + 1);
        assert_eq!(engine.alerts[0].message, "alice from 203.0.113.7");
        assert_eq!(engine.told(), [opened(SECOND, SECOND, 1)], "{window:?}");
        engine.tick(HOUR);
        assert_eq!(engine.told(), [closed(SECOND, SECOND, 1)], "{window:?}");
        assert_eq!(engine.keys(), 0);
    }
}

#[test]
fn what_comes_within_the_grace_counts_and_what_is_later_does_not() {
    let run = |late_by: i64| {
        let few = computes(TUMBLING(), Aggregate::Count, &[(Less, 2.0)]);
        let mut engine = Engine::with(&timed(&few, |timing| timing.grace = span(GRACE)));
        engine.send([at(SECOND, 1)]);
        engine.tick(9 * SECOND + GRACE + DISORDER + late_by);
        engine.send([at(9 * SECOND, 1)]);
        engine.tick(HOUR);
        (engine.last_words().len(), engine.tally.late)
    };
    assert_eq!(run(0), (0, 0));
    assert_eq!(run(1), (1, 1));
}

/// A window of a day that moves by the second is not looked at every second.
#[test]
fn a_key_is_woken_only_when_a_window_has_other_events() {
    let fine = Window::Hopping {
        span: span(24 * HOUR),
        every: span(SECOND),
    };
    let mut engine = Engine::with(&rule(&computes(fine, Aggregate::Count, &[(Less, 2.0)])));
    engine.send([at(0, 1), at(10 * SECOND, 1)]);
    for minute in 0..(48 * 60) {
        engine.tick(minute * MINUTE);
    }
    // Of the key itself: the two entries, and what is decided, opened, and forgotten.
    let of_key = engine.changes.iter().filter(|change| change.key.len() > 1).count();
    assert!(of_key < 10, "{of_key} changes");
    assert_eq!(engine.last_words().len(), 1);
}

#[test]
fn windows_that_follow_are_one_alert() {
    let mean = computes(TUMBLING(), Aggregate::Average(MB.to_owned()), &[(Greater, 5.0)]);
    let mut engine = Engine::with(&rule(&mean));
    engine.send([
        at(0, 9),
        at(SECOND, 3),
        at(11 * SECOND, 1),
        at(12 * SECOND, 10),
        at(25 * SECOND, 1),
        at(45 * SECOND, 7),
    ]);
    engine.tick(HOUR);
    let words = engine.last_words();
    let found: Vec<_> = words.iter().map(|alert| (evidence(alert), alert.count)).collect();
    assert_eq!(
        found,
        [
            (vec!["a-0", "a-1000"], 2),
            (vec!["a-11000", "a-12000"], 2),
            (vec!["a-45000"], 1)
        ],
        "their last events are eleven seconds apart, and the window is ten"
    );
    let longer = timed(&mean, |timing| timing.keep_alive = span(11 * SECOND));
    let mut engine = Engine::with(&longer);
    engine.send([
        at(0, 9),
        at(SECOND, 3),
        at(11 * SECOND, 1),
        at(12 * SECOND, 10),
        at(25 * SECOND, 1),
        at(45 * SECOND, 7),
    ]);
    engine.tick(HOUR);
    assert_eq!(engine.last_words()[0].count, 4);
}

#[test]
fn a_flood_is_counted_exactly_and_held_within_bounds() {
    let distinct = computes(
        SLIDING(),
        Aggregate::Distinct(vec![MB.to_owned()]),
        &[(GreaterOrEqual, 5.0)],
    );
    let mut engine = Engine::with(&rule(&distinct));
    for n in 0..20 {
        engine.send((0..250).map(|m| at((n * 250 + m) * 10, (n * 250 + m) % 7)));
        let stored = engine.store.in_memory().map(|(_, value)| value.len()).max();
        assert!(stored < Some(120_000), "{stored:?} bytes");
    }
    engine.tick(HOUR);
    let words = engine.last_words();
    assert_eq!(
        (
            words.len(),
            words[0].count,
            words[0].events.len(),
            words[0].events_omitted
        ),
        (1, 5000, 1000, 4000)
    );
    assert_eq!(engine.tally.forgotten, 0);
}

/// Ten thousand failures of one user do not hide that another five were tried.
#[test]
fn a_flood_of_one_value_does_not_hide_the_others() {
    let distinct = computes(
        Window::Sliding(span(HOUR)),
        Aggregate::Distinct(vec![MB.to_owned()]),
        &[(GreaterOrEqual, 4.0)],
    );
    let mut engine = Engine::with(&rule(&distinct));
    engine.send([at(0, "x"), at(1, "y")]);
    for n in 0..11_i64 {
        engine.send((0..1000).map(|m| at(100 + n * 1000 + m, "z")));
    }
    assert_eq!((engine.told(), engine.tally.forgotten), (vec![], 1002));
    engine.send([at(MINUTE, "w")]);
    assert_eq!(engine.alerts.len(), 1);
}

#[test]
fn beyond_the_limit_the_oldest_are_forgotten_and_counted() {
    let sum = computes(
        Window::Sliding(span(HOUR)),
        Aggregate::Sum(MB.to_owned()),
        &[(GreaterOrEqual, 10_001.0)],
    );
    let mut engine = Engine::with(&rule(&sum));
    engine.send((0..10_000).map(|n| at(n, 1)));
    assert_eq!((engine.told(), engine.tally.forgotten), (vec![], 0));
    engine.send([at(10_000, 1)]);
    // It is computed before one is forgotten.
    assert_eq!((engine.alerts.len(), engine.tally.forgotten), (1, 1));
}
