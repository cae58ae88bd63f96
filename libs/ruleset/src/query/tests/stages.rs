//! What the stages make together.

use std::time::Duration;

use super::*;
use crate::{
    AbsencePattern, Aggregate, AggregatePattern, CountPattern, JoinPattern, Limit, NewValuePattern, Order,
    SequencePattern, Step, Threshold, Window,
};

#[test]
fn counts() {
    let pattern = |group_by: &[&str], at_least| {
        Pattern::Count(CountPattern {
            filter: word("x"),
            window: Duration::from_secs(300),
            group_by: group_by.iter().map(|field| (*field).to_owned()).collect(),
            threshold: Threshold { at_least },
        })
    };
    assert_eq!(
        read("x | window 5m | group by a, metadata.b | count > 10"),
        pattern(&["a", "metadata.b"], 11)
    );
    assert_eq!(read("x | group by a | window 300s | count >= 10"), pattern(&["a"], 10));
    assert_eq!(read("x | window 300000ms | count > 0"), pattern(&[], 1));
    let query = parse("x | window 5m | count > 1 | keep_alive 1h | grace 0s | lateness 2h").expect("it is one");
    let given = [query.keep_alive, query.grace, query.lateness].map(|given| given.map(|given| given.as_secs()));
    assert_eq!(given, [Some(3600), Some(0), Some(7200)]);
}

#[test]
fn joins() {
    let join = |order, on: &[(&str, &str)]| {
        Pattern::Join(JoinPattern {
            left: word("a"),
            right: Predicate::All(vec![word("b"), field("c", Test::Exists)]),
            on: on
                .iter()
                .map(|(left, right)| ((*left).to_owned(), (*right).to_owned()))
                .collect(),
            within: Duration::from_secs(86_400),
            order,
        })
    };
    assert_eq!(
        read("a | join (b | where c exists) on k | within 24h"),
        join(Order::Any, &[("k", "k")])
    );
    assert_eq!(
        read("a | join (b | where c exists) before on k = l, m | within 1d"),
        join(Order::RightFirst, &[("k", "l"), ("m", "m")])
    );
    assert_eq!(
        read("a | join (b | where c exists) after on k | within 24h"),
        join(Order::LeftFirst, &[("k", "k")])
    );
    assert_eq!(
        read("a | join (b | where c exists) then on k | within 24h"),
        join(Order::LeftFirst, &[("k", "k")])
    );
}

/// What is computed, of the events `x` by `k` within a window.
fn aggregate(window: Window, aggregate: Aggregate, comparison: Comparison, value: f64) -> Pattern {
    Pattern::Aggregate(AggregatePattern {
        filter: word("x"),
        window,
        group_by: vec!["k".to_owned()],
        aggregate,
        limits: vec![Limit { comparison, value }],
    })
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn windows() {
    let hopping = |span, every| Window::Hopping {
        span: secs(span),
        every: secs(every),
    };
    let cases = [
        ("window 1h every 5m", hopping(3600, 300)),
        ("window 1h every 1h", hopping(3600, 3600)),
        ("window 90s tumbling", hopping(90, 90)),
        ("window 24h every 1m", hopping(86_400, 60)),
        (
            "session gap 30m max 24h",
            Window::Session {
                gap: secs(1800),
                max: secs(86_400),
            },
        ),
        (
            "session gap 1h max 1h",
            Window::Session {
                gap: secs(3600),
                max: secs(3600),
            },
        ),
    ];
    for (written, window) in cases {
        let read = read(&format!("x | {written} | group by k | count > 10"));
        assert_eq!(
            read,
            aggregate(window, Aggregate::Count, Comparison::Greater, 10.0),
            "{written}"
        );
    }
}

#[test]
fn everything_that_is_computed() {
    let field = || "f".to_owned();
    let percentile = |percent| Aggregate::Percentile {
        field: field(),
        percent,
    };
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let cases = [
        ("count < 5", Aggregate::Count, Less, 5.0),
        ("count <= 5", Aggregate::Count, LessOrEqual, 5.0),
        ("count = 1", Aggregate::Count, Equal, 1.0),
        ("count != 1", Aggregate::Count, NotEqual, 1.0),
        (
            "count_distinct(f) > 5",
            Aggregate::Distinct(vec![field()]),
            Greater,
            5.0,
        ),
        (
            "count_distinct (f, metadata.g)>=100000",
            Aggregate::Distinct(vec![field(), "metadata.g".to_owned()]),
            GreaterOrEqual,
            100_000.0,
        ),
        ("count_distinct(f) = 2", Aggregate::Distinct(vec![field()]), Equal, 2.0),
        ("sum(f) > 0", Aggregate::Sum(field()), Greater, 0.0),
        ("sum(f) <= 0", Aggregate::Sum(field()), LessOrEqual, 0.0),
        (
            "sum(f) != 1000000000.5",
            Aggregate::Sum(field()),
            NotEqual,
            1_000_000_000.5,
        ),
        ("avg(f) < -1.25", Aggregate::Average(field()), Less, -1.25),
        ("min(f) <= -3", Aggregate::Minimum(field()), LessOrEqual, -3.0),
        ("max(f) = -0", Aggregate::Maximum(field()), Equal, 0.0),
        ("percentile(f, 95) > 500", percentile(95.0), Greater, 500.0),
        ("percentile(f, 99.9) >= -1", percentile(99.9), GreaterOrEqual, -1.0),
        ("percentile(f, 0) < 1", percentile(0.0), Less, 1.0),
        ("percentile(f, 100) < 1", percentile(100.0), Less, 1.0),
    ];
    for (written, computed, comparison, value) in cases {
        let read = read(&format!("x | window 5m | group by k | {written}"));
        let expected = aggregate(Window::Sliding(secs(300)), computed, comparison, value);
        assert_eq!(read, expected, "{written}");
        let Pattern::Aggregate(AggregatePattern { limits, .. }) = read else {
            panic!("{written} is an aggregate");
        };
        assert!(
            limits[0].value.is_sign_positive() || value < 0.0,
            "{written} has one zero"
        );
    }
}

#[test]
fn absences() {
    let absence = |order, on: &[(&str, &str)]| {
        Pattern::Absence(AbsencePattern {
            left: word("a"),
            right: Predicate::All(vec![word("b"), field("c", Test::Exists)]),
            on: pairs(on),
            within: secs(600),
            order,
        })
    };
    let cases = [
        (
            "without (b | where c exists) on k within 10m",
            absence(Order::LeftFirst, &[("k", "k")]),
        ),
        (
            "without (b | where c exists) on k | within 10m",
            absence(Order::LeftFirst, &[("k", "k")]),
        ),
        (
            "without (b | where c exists) after on k within 10m",
            absence(Order::LeftFirst, &[("k", "k")]),
        ),
        (
            "without (b | where c exists) before on k = l, m within 10m",
            absence(Order::RightFirst, &[("k", "l"), ("m", "m")]),
        ),
        (
            "without (b | where c exists) around within 10m",
            absence(Order::Any, &[]),
        ),
        ("without (b AND c:*) within 10m", absence(Order::LeftFirst, &[])),
    ];
    for (written, expected) in cases {
        assert_eq!(read(&format!("a | {written}")), expected, "{written}");
    }
}

fn pairs(on: &[(&str, &str)]) -> Vec<(String, String)> {
    on.iter()
        .map(|(left, right)| ((*left).to_owned(), (*right).to_owned()))
        .collect()
}

/// Each step: its filter, its key and how many.
fn sequence(is_ordered: bool, steps: &[(Predicate, &[&str], u64)]) -> Pattern {
    let step = |(filter, key, at_least): &(Predicate, &[&str], u64)| Step {
        filter: filter.clone(),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        at_least: *at_least,
    };
    Pattern::Sequence(SequencePattern {
        steps: steps.iter().map(step).collect(),
        within: secs(3600),
        is_ordered,
    })
}

#[test]
fn sequences() {
    let b = || Predicate::All(vec![word("b"), field("c", Test::Exists)]);
    let k: &[&str] = &["k"];
    let expected = sequence(true, &[(word("a"), k, 5), (b(), k, 1), (word("d"), k, 3)]);
    let steps = "sequence (a | count >= 5) then (b | where c exists) then (d | count > 2) by k";
    assert_eq!(read(&format!("{steps} within 1h")), expected);
    assert_eq!(read(&format!("{steps} | within 1h")), expected);
    assert_eq!(
        read("sequence (a) and (d) AND (b | where c exists) by k = l = m, s within 1h"),
        sequence(
            false,
            &[
                (word("a"), &["k", "s"], 1),
                (word("d"), &["l", "s"], 1),
                (b(), &["m", "s"], 1)
            ]
        )
    );
    let both = |step| Predicate::All(vec![word("x"), field("y", Test::Exists), word(step)]);
    assert_eq!(
        read("x | where y exists | sequence (a) then (d) within 1h"),
        sequence(true, &[(both("a"), &[], 1), (both("d"), &[], 1)]),
        "what stands before holds for each step"
    );
    let (alert, event) = (Predicate::Alert("one".to_owned()), word("a"));
    assert_eq!(
        read("sequence (alert:one) then (a) by source_ip within 1h"),
        sequence(true, &[(alert, &["source_ip"], 1), (event, &["source_ip"], 1)])
    );
    assert_eq!(
        filter("sequence AND (a)"),
        Predicate::All(vec![word("sequence"), word("a")])
    );
}

#[test]
fn new_values() {
    let news = |group_by: &[&str]| {
        Pattern::NewValue(NewValuePattern {
            filter: word("x"),
            field: "country".to_owned(),
            group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
            within: secs(2_592_000),
        })
    };
    assert_eq!(
        read("x | new value of country by user_id within 30d"),
        news(&["user_id"])
    );
    assert_eq!(read("x | new value of country by a, b | within 30d"), news(&["a", "b"]));
    assert_eq!(read("x | new value of country within 30d"), news(&[]));
}

#[test]
fn episodes() {
    let spans = |text: &str| {
        let query = parse(text).expect(text);
        let millis = |span: Option<Duration>| span.map(|span| span.as_millis());
        (millis(query.keep_alive), millis(query.suppress))
    };
    let counted = "x | window 5m | group by k | count > 1";
    assert_eq!(spans(counted), (None, None));
    assert_eq!(spans(&format!("{counted} | suppress 1h")), (None, Some(3_600_000)));
    assert_eq!(spans(&format!("{counted} | every_match")), (Some(0), None));
    assert_eq!(spans("x | join (y) on k within 5m | every_match"), (Some(0), None));
    assert_eq!(
        spans(&format!("{counted} | keep_alive 10m | suppress 1h")),
        (Some(600_000), Some(3_600_000))
    );
}

#[test]
fn a_filter_with_a_span_of_silence_alerts_once_for_each_group() {
    let first = |window, group_by: &[&str]| {
        Pattern::Count(CountPattern {
            filter: word("x"),
            window: secs(window),
            group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
            threshold: Threshold { at_least: 1 },
        })
    };
    let read = |text: &str| {
        let query = parse(text).expect(text);
        (
            query.pattern,
            query.keep_alive.map(|span| span.as_secs()),
            query.suppress.map(|span| span.as_secs()),
        )
    };
    assert_eq!(
        read("x | group by k | suppress 1h"),
        (first(3600, &["k"]), Some(3600), None)
    );
    assert_eq!(read("x | suppress 1h"), (first(3600, &[]), Some(3600), None));
    assert_eq!(
        read("x | group by k | keep_alive 5m | suppress 1h"),
        (first(300, &["k"]), Some(300), Some(3600))
    );
}
