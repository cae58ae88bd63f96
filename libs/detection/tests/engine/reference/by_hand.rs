//! The reference judged by cases small enough to be worked out by hand from `docs/semantics.md`.

use std::time::Duration;

use event::{Event, Source, SourcePartition, SourceTopic};
use ruleset::{
    AbsencePattern, Aggregate, AggregatePattern, Comparison, CountPattern, JoinPattern, Limit, NewValuePattern, Order,
    Pattern, SequencePattern, Step, Threshold, Window,
};
use serde_json::{Value, json};

use super::{Over, Seen, episodes};
use crate::driver::{event, of_kind, typed};

/// An event in the words of these tests: kind, time and value.
type Words = (&'static str, i64, Value);

/// The episodes of one key over these events: first, last, count and the evidence by place.
fn judged(pattern: Pattern, keep_alive: u64, events: &[Words]) -> Vec<(i64, i64, u64, Vec<usize>)> {
    judged_until(pattern, keep_alive, events, i64::MAX)
}

fn judged_until(pattern: Pattern, keep_alive: u64, words: &[Words], past: i64) -> Vec<(i64, i64, u64, Vec<usize>)> {
    let rule = typed("rule", pattern, |timing| {
        timing.keep_alive = Duration::from_millis(keep_alive)
    });
    let events: Vec<Event> = (0..)
        .zip(words)
        .map(|(at, words): (usize, _)| worded(at, words))
        .collect();
    let seen: Vec<Seen> = (0..)
        .zip(&events)
        .map(|(offset, event)| Seen {
            event,
            time: event.time.as_millis(),
            source: Source {
                partition: SourcePartition {
                    topic: SourceTopic::Security,
                    partition: 0,
                },
                offset,
            },
        })
        .collect();
    let mut found = episodes(&rule, &seen, past);
    assert!(found.len() <= 1, "all these events are of one key");
    let places = |over: &Over| over.events.iter().map(|id| id.parse().unwrap()).collect();
    let overs = found.pop_first().map(|(_, overs)| overs).unwrap_or_default();
    overs
        .iter()
        .map(|over| (over.first, over.last, over.count, places(over)))
        .collect()
}

fn worded(at: usize, (kind, time, value): &Words) -> Event {
    let mut event = event(&format!("{at:02}"), kind, *time);
    if !value.is_null() {
        event.metadata.insert("v".to_owned(), value.clone());
    }
    event
}

/// Failures (`a`) at these times.
fn at(times: &[i64]) -> Vec<Words> {
    times.iter().map(|time| ("a", *time, Value::Null)).collect()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn count(at_least: u64) -> Pattern {
    Pattern::Count(CountPattern {
        filter: of_kind("a"),
        window: ms(10),
        group_by: vec!["user_id".to_owned()],
        threshold: Threshold { at_least },
    })
}

fn aggregate(window: Window, aggregate: Aggregate, comparison: Comparison, value: f64) -> Pattern {
    Pattern::Aggregate(AggregatePattern {
        filter: of_kind("a"),
        window,
        group_by: Vec::new(),
        aggregate,
        limits: vec![Limit { comparison, value }],
    })
}

fn joined(order: Order) -> Pattern {
    Pattern::Join(JoinPattern {
        left: of_kind("a"),
        right: of_kind("b"),
        on: vec![("user_id".to_owned(), "user_id".to_owned())],
        within: ms(10),
        order,
    })
}

fn absent(order: Order) -> Pattern {
    Pattern::Absence(AbsencePattern {
        left: of_kind("a"),
        right: of_kind("b"),
        on: Vec::new(),
        within: ms(10),
        order,
    })
}

fn sequence(steps: &[(&str, u64)], is_ordered: bool) -> Pattern {
    let step = |(kind, at_least): &(&str, u64)| Step {
        filter: of_kind(kind),
        key: vec!["user_id".to_owned()],
        at_least: *at_least,
    };
    Pattern::Sequence(SequencePattern {
        steps: steps.iter().map(step).collect(),
        within: ms(10),
        is_ordered,
    })
}

#[test]
fn counts() {
    assert_eq!(judged(count(3), 5, &at(&[0, 4, 11])), []);
    assert_eq!(judged(count(3), 5, &at(&[0, 4, 10])), [(0, 10, 3, vec![0, 1, 2])]);
    assert_eq!(judged(count(3), 5, &at(&[10, 0, 4])), [(0, 10, 3, vec![0, 1, 2])]);
    // Moments at 10 and 15 are one episode, at 10 and 16 two, which share the events before.
    assert_eq!(
        judged(count(3), 5, &at(&[0, 4, 10, 14])),
        [(0, 14, 4, vec![0, 1, 2, 3])]
    );
    assert_eq!(
        judged(count(3), 5, &at(&[0, 4, 10, 16, 17])),
        [(0, 10, 3, vec![0, 1, 2]), (10, 17, 3, vec![2, 3, 4])]
    );
    // What lies between the windows of an episode is none of it.
    assert_eq!(
        judged(count(2), 100, &at(&[0, 1, 20, 40, 41])),
        [(0, 41, 4, vec![0, 1, 3, 4])]
    );
    assert_eq!(
        judged(count(2), 0, &at(&[0, 1, 2])),
        [(0, 1, 2, vec![0, 1]), (0, 2, 3, vec![0, 1, 2])]
    );
}

#[test]
fn joins() {
    let words = [
        ("b", 0, Value::Null),
        ("a", 5, Value::Null),
        ("b", 9, Value::Null),
        ("b", 1, Value::Null),
    ];
    assert_eq!(
        judged(joined(Order::Any), 0, &words),
        [(1, 5, 2, vec![1, 3])],
        "of 1 and 9 the earlier"
    );
    assert_eq!(judged(joined(Order::LeftFirst), 0, &words), [(5, 9, 2, vec![1, 2])]);
    assert_eq!(judged(joined(Order::RightFirst), 0, &words), [(1, 5, 2, vec![1, 3])]);
    let far = |distance| [("a", 0, Value::Null), ("b", distance, Value::Null)];
    assert_eq!(judged(joined(Order::Any), 0, &far(10)).len(), 1);
    assert_eq!(judged(joined(Order::Any), 0, &far(11)).len(), 0);
    assert_eq!(
        judged(joined(Order::LeftFirst), 0, &far(0)).len(),
        1,
        "of one time, the left lies before it"
    );
    assert_eq!(judged(joined(Order::RightFirst), 0, &far(0)).len(), 0);
}

#[test]
fn absences() {
    let words = [
        ("b", 0, Value::Null),
        ("a", 10, Value::Null),
        ("a", 15, Value::Null),
        ("b", 25, Value::Null),
    ];
    assert_eq!(judged(absent(Order::LeftFirst), 0, &words), [(10, 10, 1, vec![1])]);
    assert_eq!(judged(absent(Order::RightFirst), 0, &words), [(15, 15, 1, vec![2])]);
    assert_eq!(judged(absent(Order::Any), 0, &words), []);
    assert_eq!(
        judged_until(absent(Order::LeftFirst), 0, &words, 20),
        [],
        "20 is not past"
    );
    assert_eq!(judged_until(absent(Order::LeftFirst), 0, &words, 21).len(), 1);
    assert_eq!(judged_until(absent(Order::RightFirst), 0, &words, 16).len(), 1);
    let at_once = [("a", 5, Value::Null), ("b", 5, Value::Null)];
    assert_eq!(
        judged(absent(Order::RightFirst), 0, &at_once).len(),
        1,
        "the right lies after it"
    );
    assert_eq!(judged(absent(Order::LeftFirst), 0, &at_once).len(), 0);
}

#[test]
fn new_values() {
    let news = Pattern::NewValue(NewValuePattern {
        filter: of_kind("a"),
        field: "v".to_owned(),
        group_by: Vec::new(),
        within: ms(10),
    });
    let words = [
        ("a", 0, json!("x")),
        ("a", 5, json!("y")),
        ("a", 6, Value::Null),
        ("a", 10, json!("x")),
        ("a", 20, json!("y")),
        ("a", 31, json!("y")),
        ("a", 32, json!(7)),
        ("a", 33, json!("7")),
    ];
    assert_eq!(
        judged(news, 0, &words),
        [(5, 5, 1, vec![1]), (20, 20, 1, vec![4]), (32, 32, 1, vec![6])],
        "at 0 and at 31 nothing is known"
    );
}

#[test]
fn ordered_sequences() {
    let a_a_b = || sequence(&[("a", 2), ("b", 1)], true);
    let none = Value::Null;
    let words = [
        ("a", 0, none.clone()),
        ("a", 3, none.clone()),
        ("a", 5, none.clone()),
        ("b", 11, none.clone()),
    ];
    assert_eq!(
        judged(a_a_b(), 0, &words),
        [(3, 11, 3, vec![1, 2, 3])],
        "the latest are taken"
    );
    let words = [("a", 0, none.clone()), ("a", 3, none.clone()), ("b", 11, none.clone())];
    assert_eq!(judged(a_a_b(), 0, &words), [], "the first is 11 before the last");
    let words = [("b", 1, none.clone()), ("a", 1, none.clone()), ("a", 1, none.clone())];
    assert_eq!(judged(a_a_b(), 0, &words), [], "of one time, the place decides");
    let a_a = || sequence(&[("a", 1), ("a", 1)], true);
    assert_eq!(judged(a_a(), 0, &at(&[5])), [], "an event stands in one step");
    assert_eq!(judged(a_a(), 0, &at(&[5, 5])), [(5, 5, 2, vec![0, 1])]);
}

#[test]
fn sequences_in_any_order() {
    let both = || sequence(&[("a", 2), ("b", 1)], false);
    let none = Value::Null;
    let words = [
        ("a", 0, none.clone()),
        ("b", 2, none.clone()),
        ("a", 10, none.clone()),
        ("a", 11, none),
    ];
    assert_eq!(
        judged(both(), 0, &words),
        [(0, 10, 3, vec![0, 1, 2]), (2, 11, 3, vec![1, 2, 3])]
    );
    assert_eq!(
        judged(sequence(&[("a", 1), ("a", 1)], false), 0, &at(&[5])),
        [(5, 5, 1, vec![0])]
    );
}

#[test]
fn monotone_aggregates() {
    use Comparison::{Greater, Less};
    let values = |values: &[(i64, Value)]| -> Vec<Words> {
        values.iter().map(|(time, value)| ("a", *time, value.clone())).collect()
    };
    let sliding = Window::Sliding(ms(10));
    let sum = |limit| aggregate(sliding, Aggregate::Sum("v".to_owned()), Greater, limit);
    let words = values(&[
        (0, json!(3)),
        (4, json!(-9)),
        (5, json!("4")),
        (6, json!("x")),
        (15, json!(2)),
    ]);
    assert_eq!(judged(sum(6.0), 0, &words), [(0, 5, 2, vec![0, 2])]);
    assert_eq!(judged(sum(5.0), 10, &words), [(0, 15, 3, vec![0, 2, 4])]);
    let least = aggregate(sliding, Aggregate::Minimum("v".to_owned()), Less, -8.0);
    assert_eq!(
        judged(least, 0, &words),
        [(0, 4, 2, vec![0, 1]), (0, 5, 3, vec![0, 1, 2])]
    );
    let distinct = aggregate(sliding, Aggregate::Distinct(vec!["v".to_owned()]), Greater, 1.0);
    assert_eq!(
        judged(distinct, 0, &values(&[(0, json!(7)), (1, json!("7")), (2, json!("8"))])).len(),
        1
    );
}

#[test]
fn monotone_windows() {
    let counted = |window, more_than| aggregate(window, Aggregate::Count, Comparison::Greater, more_than);
    let tumbling = Window::Hopping {
        span: ms(10),
        every: ms(10),
    };
    assert_eq!(judged(counted(tumbling, 1.0), 0, &at(&[9, 10])), []);
    assert_eq!(
        judged(counted(tumbling, 1.0), 0, &at(&[10, 19])),
        [(10, 19, 2, vec![0, 1])]
    );
    assert_eq!(
        judged(counted(tumbling, 1.0), 0, &at(&[-1, 0, -10])),
        [(-10, -1, 2, vec![0, 2])]
    );
    let hopping = Window::Hopping {
        span: ms(10),
        every: ms(5),
    };
    assert_eq!(
        judged(counted(hopping, 1.0), 0, &at(&[6, 14])),
        [(6, 14, 2, vec![0, 1])],
        "both are in [5, 15)"
    );
    // At 9, of [0, 10) and [5, 15) the former began first, and takes in what lies at 1.
    assert_eq!(
        judged(counted(hopping, 1.0), 0, &at(&[1, 6, 9]))[1],
        (1, 9, 3, vec![0, 1, 2])
    );
    let session = Window::Session {
        gap: ms(5),
        max: ms(12),
    };
    assert_eq!(
        judged(counted(session, 3.0), 0, &at(&[0, 5, 10, 12])),
        [(0, 12, 4, vec![0, 1, 2, 3])]
    );
    assert_eq!(
        judged(counted(session, 3.0), 0, &at(&[0, 5, 10, 13])),
        [],
        "the first is 13 before the last"
    );
    assert_eq!(judged(counted(session, 2.0), 0, &at(&[0, 6, 11])), [], "a gap of 6");
}

#[test]
fn aggregates_that_are_decided_when_the_window_is_over() {
    let few = |window| aggregate(window, Aggregate::Count, Comparison::Less, 3.0);
    let times = at(&[0, 10, 11, 12, 13, 30]);
    let sliding = || few(Window::Sliding(ms(10)));
    assert_eq!(
        judged(sliding(), 0, &times),
        [(0, 10, 2, vec![0, 1]), (30, 30, 1, vec![5])]
    );
    assert_eq!(judged_until(sliding(), 0, &times, 40).len(), 1, "40 is not past");
    let tumbling = || {
        few(Window::Hopping {
            span: ms(10),
            every: ms(10),
        })
    };
    assert_eq!(
        judged(tumbling(), 0, &times),
        [(0, 0, 1, vec![0]), (30, 30, 1, vec![5])]
    );
    assert_eq!(judged_until(tumbling(), 0, &times, 9), []);
    assert_eq!(
        judged_until(tumbling(), 0, &times, 10).len(),
        1,
        "9 is the last that may be in it"
    );
    let hopping = || {
        few(Window::Hopping {
            span: ms(10),
            every: ms(5),
        })
    };
    // [-5, 5), [0, 10), [5, 15) with 4, [10, 20) with 4, [25, 35), [30, 40).
    assert_eq!(judged(hopping(), 0, &times), [(0, 0, 1, vec![0]), (30, 30, 1, vec![5])]);
    let session = || {
        few(Window::Session {
            gap: ms(5),
            max: ms(12),
        })
    };
    assert_eq!(
        judged(session(), 0, &at(&[0, 5, 11, 16])),
        [(0, 5, 2, vec![0, 1]), (11, 16, 2, vec![2, 3])]
    );
    assert_eq!(
        judged(session(), 0, &at(&[0, 5, 10, 13])),
        [(13, 13, 1, vec![3])],
        "a session of 0 to 12, and a new one"
    );
    assert_eq!(judged_until(session(), 0, &at(&[0, 5, 10, 13]), 18), []);
    assert_eq!(judged_until(session(), 0, &at(&[0, 5, 10, 13]), 19).len(), 1);
}

#[test]
fn what_is_computed() {
    use Aggregate::{Average, Maximum, Percentile, RarestShare};
    let exactly = |aggregated, value, words: &[Words]| {
        judged(
            aggregate(Window::Sliding(ms(10)), aggregated, Comparison::Equal, value),
            0,
            words,
        )
        .len()
            == 1
    };
    let v = || "v".to_owned();
    let words: Vec<Words> = (1..=20).map(|n| ("a", n % 10, json!(n))).collect();
    assert!(exactly(Average(v()), 10.5, &words));
    assert!(exactly(Maximum(v()), 20.0, &words));
    let percentiles = [
        (0.0, 1.0),
        (5.0, 1.0),
        (5.1, 2.0),
        (50.0, 10.0),
        (55.0, 11.0),
        (95.0, 19.0),
        (95.1, 20.0),
        (100.0, 20.0),
    ];
    for (percent, value) in percentiles {
        assert!(exactly(Percentile { field: v(), percent }, value, &words), "{percent}");
    }
    let shares = [
        ("a", 0, json!("x")),
        ("a", 0, json!("x")),
        ("a", 0, json!("x")),
        ("a", 1, json!("y")),
    ];
    assert!(exactly(RarestShare(v()), 25.0, &shares));
}

#[test]
fn suppression_is_a_longer_gap() {
    let silent = |suppress| {
        let rule = typed("rule", count(1), |timing| {
            timing.keep_alive = ms(5);
            timing.suppress = ms(suppress);
        });
        let events: Vec<Event> = [0, 5, 15].map(|time| event(&time.to_string(), "a", time)).into();
        let partition = SourcePartition {
            topic: SourceTopic::Security,
            partition: 0,
        };
        let seen = |event| Seen {
            event,
            time: event.time.as_millis(),
            source: Source { partition, offset: 0 },
        };
        let seen: Vec<Seen> = events.iter().map(seen).collect();
        episodes(&rule, &seen, i64::MAX).values().map(Vec::len).sum::<usize>()
    };
    assert_eq!((silent(0), silent(9), silent(10)), (2, 2, 1));
}
