//! Random rules of every pattern, over what [`super::random_events`] makes: spans and limits that its events hit.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use ruleset::{
    AbsencePattern, Aggregate, AggregatePattern, Comparison, CountPattern, JoinPattern, Limit, Literal,
    NewValuePattern, Order, Pattern, Predicate, Rule, RuleSet, SequencePattern, Step, Test, Threshold, Timing, Window,
};

use crate::driver::{of_kind, typed};

/// Rules that show what they mean when a property fails.
#[derive(Clone)]
pub(crate) struct Rules(pub(crate) RuleSet);

impl fmt::Debug for Rules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules = self.0.rules().iter();
        rules.try_for_each(|rule| write!(out, "\n{}: {}", rule.id, rule.meaning()))
    }
}

/// Some rules of these patterns.
pub(crate) fn rule_set(pattern: impl Strategy<Value = Pattern>) -> impl Strategy<Value = Rules> {
    vec((pattern, timing()), 1..4).prop_map(|rules| {
        let rule = |(at, (pattern, timing)): (usize, (Pattern, Timing))| -> Rule {
            typed(&format!("rule-{at}"), pattern, |own| own.clone_from(&timing))
        };
        // No two that mean the same: they would be one rule.
        let rules: BTreeMap<_, Rule> = rules
            .into_iter()
            .enumerate()
            .map(rule)
            .map(|rule| (rule.hash, rule))
            .collect();
        Rules(RuleSet::new(rules.into_values()))
    })
}

pub(crate) fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        2 => counts(),
        2 => joins(),
        2 => sequences(),
        1 => absences(),
        1 => new_values(),
        4 => aggregates(),
    ]
}

pub(crate) fn counts() -> impl Strategy<Value = Pattern> {
    (filter(), window(), names(), 1..8u64).prop_map(|(filter, window, group_by, at_least)| {
        Pattern::Count(CountPattern {
            filter,
            window,
            group_by,
            threshold: Threshold { at_least },
        })
    })
}

pub(crate) fn joins() -> impl Strategy<Value = Pattern> {
    (filter(), filter(), pairs(1), window(), order()).prop_map(|(left, right, on, within, order)| {
        Pattern::Join(JoinPattern {
            left,
            right,
            on,
            within,
            order,
        })
    })
}

pub(crate) fn absences() -> impl Strategy<Value = Pattern> {
    (filter(), filter(), pairs(0), window(), order()).prop_map(|(left, right, on, within, order)| {
        Pattern::Absence(AbsencePattern {
            left,
            right,
            on,
            within,
            order,
        })
    })
}

pub(crate) fn new_values() -> impl Strategy<Value = Pattern> {
    (filter(), value_field(), names(), window()).prop_map(|(filter, field, group_by, within)| {
        Pattern::NewValue(NewValuePattern {
            filter,
            field,
            group_by,
            within,
        })
    })
}

pub(crate) fn sequences() -> impl Strategy<Value = Pattern> {
    let at_least = prop_oneof![3 => Just(1u64), 1 => 2..5u64];
    // A step's key is `k`, `j`, both ways round, or none at all.
    let steps = (0..4usize).prop_flat_map(move |keys| {
        let keys: Vec<Vec<String>> = match keys {
            0 => vec![fields(&["k"])],
            1 => vec![fields(&["k"]), fields(&["j"])],
            2 => vec![fields(&["k", "j"]), fields(&["j", "k"])],
            _ => vec![Vec::new()],
        };
        let step = (filter(), select(keys), at_least.clone());
        vec(
            step.prop_map(|(filter, key, at_least)| Step { filter, key, at_least }),
            2..4,
        )
    });
    (steps, window(), any::<bool>()).prop_map(|(steps, within, is_ordered)| {
        Pattern::Sequence(SequencePattern {
            steps,
            within,
            is_ordered,
        })
    })
}

pub(crate) fn aggregates() -> impl Strategy<Value = Pattern> {
    let aggregate = prop_oneof![
        Just(Aggregate::Count),
        value_field().prop_map(|field| Aggregate::Distinct(vec![field])),
        Just(Aggregate::Distinct(fields(&["v", "w"]))),
        value_field().prop_map(Aggregate::Sum),
        value_field().prop_map(Aggregate::Average),
        value_field().prop_map(Aggregate::Minimum),
        value_field().prop_map(Aggregate::Maximum),
        (
            value_field(),
            select(vec![0.0, 10.0, 25.0, 50.0, 55.0, 75.0, 90.0, 99.9, 100.0])
        )
            .prop_map(|(field, percent)| Aggregate::Percentile { field, percent }),
        value_field().prop_map(Aggregate::RarestShare),
    ];
    (filter(), windows(), names(), aggregate).prop_flat_map(|(filter, window, group_by, aggregate)| {
        let value = match aggregate {
            Aggregate::Count | Aggregate::Distinct(_) => select(vec![0.0, 1.0, 2.0, 3.0, 5.0]),
            Aggregate::RarestShare(_) => select(vec![20.0, 25.0, 50.0, 100.0]),
            Aggregate::Sum(_) => select(vec![0.0, 2.0, 5.5, 10.0]),
            Aggregate::Average(_) | Aggregate::Minimum(_) | Aggregate::Maximum(_) | Aggregate::Percentile { .. } => {
                select(vec![-2.0, 0.0, 1.0, 2.0, 3.0, 5.5])
            }
        };
        let limit = (comparison(), value).prop_map(|(comparison, value)| Limit { comparison, value });
        vec(limit, 1..3).prop_map(move |limits| {
            Pattern::Aggregate(AggregatePattern {
                filter: filter.clone(),
                window,
                group_by: group_by.clone(),
                aggregate: aggregate.clone(),
                limits,
            })
        })
    })
}

fn timing() -> impl Strategy<Value = Timing> {
    let lateness = select(vec![0, 5000, 30_000]);
    let grace = select(vec![0, 3000, 30_000]);
    let keep_alive = select(vec![0, 1, 1000, 4000, 10_000, 25_000, 90_000]);
    let suppress = weighted(0.3, select(vec![1u64, 1000, 20_000]));
    (lateness, grace, keep_alive, suppress).prop_map(|(lateness, grace, keep_alive, suppress)| Timing {
        grace: ms(grace),
        lateness: ms(lateness),
        keep_alive: ms(keep_alive),
        suppress: suppress.map_or(Duration::ZERO, |longer| ms(keep_alive + longer)),
        timezone: "UTC".to_owned(),
    })
}

/// Events of a kind, of two, of any; now and then with a condition more.
fn filter() -> impl Strategy<Value = Predicate> {
    let kinds = prop_oneof![
        4 => select(vec!["a", "b", "c"]).prop_map(of_kind),
        1 => Just(Predicate::Any(vec![of_kind("a"), of_kind("b")])),
        1 => Just(of_any_kind()),
    ];
    let least = Predicate::Field {
        name: "v".to_owned(),
        test: Test::Compare(Comparison::GreaterOrEqual, Literal::Number(1.0)),
    };
    (kinds, weighted(0.1, Just(least))).prop_map(|(kind, more)| match more {
        Some(more) => Predicate::All(vec![kind, more]),
        None => kind,
    })
}

fn of_any_kind() -> Predicate {
    Predicate::Field {
        name: "security_event".to_owned(),
        test: Test::Matches(ruleset::TextPattern::glob("*")),
    }
}

fn windows() -> impl Strategy<Value = Window> {
    let hopping = (window(), 1..4u32).prop_map(|(span, parts)| Window::Hopping {
        span,
        // Also such that the span is no multiple of it.
        every: if parts == 3 { span * 2 / 5 } else { span / parts },
    });
    let session = (window(), 0..4u32).prop_map(|(gap, times)| Window::Session {
        gap,
        max: gap + gap * times / 2,
    });
    prop_oneof![2 => window().prop_map(Window::Sliding), 2 => hopping, 2 => session]
}

fn window() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(5u64),
        4 => Just(1000u64),
        4 => Just(5000u64),
        4 => Just(10_000u64),
        // Longer than a watermark stays behind.
        2 => Just(20_000u64),
        2 => Just(60_000u64),
    ]
    .prop_map(ms)
}

fn order() -> impl Strategy<Value = Order> {
    select(vec![Order::Any, Order::RightFirst, Order::LeftFirst])
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
}

fn value_field() -> impl Strategy<Value = String> {
    select(vec!["v".to_owned(), "w".to_owned()])
}

fn names() -> impl Strategy<Value = Vec<String>> {
    select(vec![fields(&["k"]), fields(&["k"]), fields(&["k", "j"]), Vec::new()])
}

/// At least so many pairs of fields.
fn pairs(least: usize) -> impl Strategy<Value = Vec<(String, String)>> {
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    let all = vec![
        Vec::new(),
        vec![pair("k", "k")],
        vec![pair("k", "j")],
        vec![pair("k", "k"), pair("j", "j")],
    ];
    select(all.into_iter().filter(|pairs| pairs.len() >= least).collect::<Vec<_>>())
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
