//! Random queries with every value, condition and stage, each beside what it has to be read as.

use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::*;
use crate::{
    AbsencePattern, Aggregate, AggregatePattern, Comparison, CountPattern, JoinPattern, Limit, Literal,
    NewValuePattern, Order, Relation, SequencePattern, Step, Test, TextPattern, Threshold, Window,
};

/// How it is written, and what that is.
type Written<T> = (String, T);

fn condition_of(name: &str, test: Test) -> Predicate {
    Predicate::Field {
        name: name.to_owned(),
        test,
    }
}

fn number(comparison: Comparison, value: i32) -> Test {
    Test::Compare(comparison, Literal::Number(f64::from(value)))
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,4}".prop_map(|name| format!("f{name}"))
}

fn network_of() -> impl Strategy<Value = Written<Test>> {
    let read = |text: String| {
        let test = Test::Network(text.parse().expect("it is a network"));
        (text, test)
    };
    prop_oneof![
        (0..=255_u8, 0..=255_u8).prop_map(|(a, b)| format!("{a}.{b}.0.0/16")),
        (0..=0xffff_u16).prop_map(|group| format!("2001:{group:x}::/32")),
    ]
    .prop_map(move |text| {
        let canonical = network(&text).expect("it is a network").to_string();
        (text, read(canonical).1)
    })
}

fn range_of() -> impl Strategy<Value = Written<Test>> {
    let limit = |is_open: bool, value: i32| if is_open { "*".to_owned() } else { value.to_string() };
    let ends = (any::<bool>(), any::<bool>(), 0..4_u8, -1000..1000_i32, 1..1000_i32);
    ends.prop_map(move |(takes_low, takes_high, open, low, wide)| {
        let high = low + wide;
        let (no_low, no_high) = (open == 1 || open == 3, open == 2 || open == 3);
        let (begin, from) = if takes_low {
            ('[', Comparison::GreaterOrEqual)
        } else {
            ('{', Comparison::Greater)
        };
        let (end, to) = if takes_high {
            (']', Comparison::LessOrEqual)
        } else {
            ('}', Comparison::Less)
        };
        let text = format!("{begin}{} TO {}{end}", limit(no_low, low), limit(no_high, high));
        let test = match (no_low, no_high) {
            (true, true) => Test::Exists,
            (true, false) => number(to, high),
            (false, true) => number(from, low),
            (false, false) => Test::Every(vec![number(from, low), number(to, high)]),
        };
        (text, test)
    })
}

/// What may stand after a colon, within parentheses or not.
fn value_of() -> impl Strategy<Value = Written<Test>> {
    let glob = |text: String| (text.clone(), Test::Matches(TextPattern::glob(&text)));
    let limited = (select(&COMPARISONS[2..]), -1000..1000_i32);
    prop_oneof![
        "x[a-z0-9_.*?-]{0,6}".prop_map(glob),
        network_of(),
        range_of(),
        Just(("*".to_owned(), Test::Exists)),
        limited.prop_map(|((sign, comparison), value)| (format!("{sign}{value}"), number(comparison, value))),
    ]
}

const REGEXES: [&str; 4] = ["^a|b$", "x{2,3}", "(?i)[a-z]+=\\d", "\"a,(b)\""];

fn regex_of(source: &str) -> Test {
    Test::Regex(crate::RegexPattern(regex::Regex::new(source).expect("it is one")))
}

/// A term of a filter.
fn term_of() -> impl Strategy<Value = Written<Predicate>> {
    let one = (name(), value_of());
    let many = (
        name(),
        prop::collection::vec(value_of(), 1..4),
        select(&[" OR ", ", "][..]),
    );
    prop_oneof![
        one.prop_map(|(name, (text, test))| (format!("{name}:{text}"), condition_of(&name, test))),
        many.prop_map(|(name, values, between)| {
            let (texts, tests): (Vec<_>, Vec<_>) = values.into_iter().unzip();
            let any = any_of(tests.into_iter().map(|test| condition_of(&name, test)));
            (format!("{name}:({})", texts.join(between)), any)
        }),
        (name(), select(&REGEXES[..]))
            .prop_map(|(name, source)| (format!("{name}:/{source}/"), condition_of(&name, regex_of(source)))),
        "r[a-z0-9_.-]{0,6}".prop_map(|id| (format!("alert:{id}"), Predicate::Alert(id))),
        "w[a-z]{0,6}".prop_map(|word| (word.clone(), Predicate::Word(word))),
    ]
}

fn literal_of() -> impl Strategy<Value = Written<Literal>> {
    prop_oneof![
        (-1000..1000_i32).prop_map(|value| (value.to_string(), Literal::Number(f64::from(value)))),
        any::<bool>().prop_map(|value| (value.to_string(), Literal::Bool(value))),
        "[a-z0-9 |()~=]{0,8}".prop_map(|text| (format!("\"{text}\""), Literal::Text(text))),
    ]
}

fn clock_of() -> impl Strategy<Value = Written<Predicate>> {
    let zones = [None, Some("Europe/Berlin"), Some("UTC"), Some("America/New_York")];
    (
        any::<bool>(),
        select(&COMPARISONS[..]),
        2..6_i64,
        select(zones.to_vec()),
    )
        .prop_map(|(is_hour, (sign, comparison), value, zone)| {
            let named = zone.map(|zone| format!(" in timezone {zone}")).unwrap_or_default();
            let zone = zone.map(|zone| TimeZone::get(zone).expect("it is one"));
            let (word, condition) = if is_hour {
                ("hour", Predicate::Hour(comparison, value, zone))
            } else {
                ("weekday", Predicate::Weekday(comparison, value, zone))
            };
            (format!("{word}{named} {sign} {value}"), condition)
        })
}

/// A condition of a `where`.
fn compared_of() -> impl Strategy<Value = Written<Predicate>> {
    let numbered = (name(), select(&COMPARISONS[..]), -1000..1000_i32);
    let related = (name(), select(&COMPARISONS[..]), name());
    let listed = (
        name(),
        prop::collection::vec(literal_of(), 1..4),
        prop::option::of(network_of()),
    );
    prop_oneof![
        numbered.prop_map(|(name, (sign, comparison), value)| {
            (
                format!("{name} {sign} {value}"),
                condition_of(&name, number(comparison, value)),
            )
        }),
        related.prop_map(|(name, (sign, comparison), other)| {
            let test = Test::Relates(Relation::Compares(comparison), format!("m{other}"));
            (format!("{name} {sign} field(m{other})"), condition_of(&name, test))
        }),
        listed.prop_map(|(name, values, network)| {
            let (mut texts, literals): (Vec<_>, Vec<_>) = values.into_iter().unzip();
            let mut tests = vec![condition_of(&name, Test::In(literals))];
            if let Some((text, test)) = network {
                texts.push(text);
                tests.push(condition_of(&name, test));
            }
            (format!("{name} in ({})", texts.join(", ")), any_of(tests))
        }),
        (name(), select(&REGEXES[2..3])).prop_map(|(name, source)| {
            let denied = Predicate::Not(Box::new(condition_of(&name, regex_of(source))));
            (format!("{name} !~ \"{source}\""), denied)
        }),
        clock_of(),
    ]
}

/// Terms or conditions with `AND`, `OR` and `NOT`.
fn combined(leaf: BoxedStrategy<Written<Predicate>>) -> impl Strategy<Value = Written<Predicate>> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            (several, any::<bool>()).prop_map(|(parts, is_and)| {
                let (texts, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                if is_and {
                    (format!("({})", texts.join(" AND ")), all_of(parts))
                } else {
                    (format!("({})", texts.join(" or ")), any_of(parts))
                }
            }),
            inner.prop_map(|(text, part)| (format!("NOT {text}"), Predicate::Not(Box::new(part)))),
        ]
    })
}

/// A filter, with a `where` or without.
fn events_of() -> impl Strategy<Value = Written<Predicate>> {
    let filter = combined(term_of().boxed());
    (filter, prop::option::of(combined(compared_of().boxed()))).prop_map(
        |((text, filter), condition)| match condition {
            Some((more, condition)) => (format!("{text} | where {more}"), all_of([filter, condition])),
            None => (text, filter),
        },
    )
}

fn span_of() -> impl Strategy<Value = Written<Duration>> {
    (1..1000_u64).prop_map(|minutes| (format!("{minutes}m"), Duration::from_secs(minutes * 60)))
}

fn keys_of() -> impl Strategy<Value = Vec<String>> {
    let names = ["k", "source_ip", "metadata.m"].map(str::to_owned).to_vec();
    subsequence(names, 1..=3)
}

fn window_of() -> impl Strategy<Value = Written<Window>> {
    prop_oneof![
        span_of().prop_map(|(text, span)| (format!("window {text}"), Window::Sliding(span))),
        span_of().prop_map(|(text, span)| (format!("window {text} tumbling"), Window::Hopping { span, every: span })),
        (span_of(), 1..10_u32).prop_map(|((text, every), times)| {
            let span = every * times;
            (
                format!("window {}s every {text}", span.as_secs()),
                Window::Hopping { span, every },
            )
        }),
        (span_of(), 1..10_u32).prop_map(|((text, gap), times)| {
            let max = gap * times;
            (
                format!("session gap {text} max {}s", max.as_secs()),
                Window::Session { gap, max },
            )
        }),
    ]
}

/// What is computed, without its limit.
fn aggregate_of() -> impl Strategy<Value = Written<Aggregate>> {
    let of_field = |(word, aggregate): (&'static str, fn(String) -> Aggregate)| {
        name().prop_map(move |name| (format!("{word}({name})"), aggregate(name)))
    };
    prop_oneof![
        Just(("count".to_owned(), Aggregate::Count)),
        keys_of().prop_map(|keys| (
            format!("count_distinct({})", keys.join(", ")),
            Aggregate::Distinct(keys)
        )),
        of_field(("sum", Aggregate::Sum)),
        of_field(("avg", Aggregate::Average)),
        of_field(("min", Aggregate::Minimum)),
        of_field(("max", Aggregate::Maximum)),
        (name(), 0..=1000_u16).prop_map(|(field, tenths)| {
            let percent = f64::from(tenths) / 10.0;
            (
                format!("percentile({field}, {percent})"),
                Aggregate::Percentile { field, percent },
            )
        }),
    ]
}

fn computation() -> impl Strategy<Value = Written<Pattern>> {
    let limit = (select(&COMPARISONS[..]), 2..10_000_u32);
    (events_of(), window_of(), keys_of(), aggregate_of(), limit).prop_map(
        |((text, filter), (window_text, window), group_by, (computed, aggregate), ((sign, comparison), number))| {
            let text = format!(
                "{text} | {window_text} | group by {} | {computed} {sign} {number}",
                group_by.join(", ")
            );
            let at_least = match comparison {
                Comparison::Greater => Some(u64::from(number) + 1),
                Comparison::GreaterOrEqual => Some(u64::from(number)),
                Comparison::Equal | Comparison::NotEqual | Comparison::Less | Comparison::LessOrEqual => None,
            };
            let limits = vec![Limit {
                comparison,
                value: f64::from(number),
            }];
            let pattern = match (&aggregate, window, at_least) {
                (Aggregate::Count, Window::Sliding(window), Some(at_least)) => Pattern::Count(CountPattern {
                    filter,
                    window,
                    group_by,
                    threshold: Threshold { at_least },
                }),
                _ => Pattern::Aggregate(AggregatePattern {
                    filter,
                    window,
                    group_by,
                    aggregate,
                    limits,
                }),
            };
            (text, pattern)
        },
    )
}

fn pairs_of() -> impl Strategy<Value = Written<Vec<(String, String)>>> {
    keys_of().prop_map(|keys| {
        let pairs: Vec<_> = keys.into_iter().map(|key| (key.clone(), format!("r{key}"))).collect();
        let texts: Vec<_> = pairs.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        (texts.join(", "), pairs)
    })
}

fn pair_of_events() -> impl Strategy<Value = Written<Pattern>> {
    let order = select(vec![
        (" before", Order::RightFirst),
        (" after", Order::LeftFirst),
        ("", Order::Any),
    ]);
    (
        events_of(),
        events_of(),
        pairs_of(),
        order,
        span_of(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |((text, left), (other, right), (on_text, on), (word, order), (span, within), is_join, has_bar)| {
                let bar = if has_bar { " |" } else { "" };
                let stage = if is_join { "join" } else { "without" };
                // What says nothing is either side for a join, and afterwards for an absence.
                let word = if !is_join && order == Order::Any {
                    " around"
                } else {
                    word
                };
                let text = format!("{text} | {stage} ({other}){word} on {on_text}{bar} within {span}");
                let pattern = if is_join {
                    Pattern::Join(JoinPattern {
                        left,
                        right,
                        on,
                        within,
                        order,
                    })
                } else {
                    Pattern::Absence(AbsencePattern {
                        left,
                        right,
                        on,
                        within,
                        order,
                    })
                };
                (text, pattern)
            },
        )
}

fn sequence() -> impl Strategy<Value = Written<Pattern>> {
    let steps = prop::collection::vec((events_of(), prop::option::of(1..100_u64)), 2..=5);
    let before = prop::option::of(combined(term_of().boxed()));
    (before, steps, keys_of(), any::<bool>(), any::<bool>(), span_of()).prop_map(
        |(before, steps, keys, is_ordered, is_named, (span, within))| {
            let count = steps.len();
            let key = |key: &String| match is_named {
                true => (0..count).map(|step| format!("{key}{step}")).collect(),
                false => vec![key.clone()],
            };
            let entries: Vec<Vec<String>> = keys.iter().map(key).collect();
            let by: Vec<_> = entries.iter().map(|names| names.join(" = ")).collect();
            let mut texts = Vec::new();
            let mut read = Vec::new();
            for (number, ((text, filter), needed)) in steps.into_iter().enumerate() {
                texts.push(match needed {
                    Some(needed) => format!("({text} | count >= {needed})"),
                    None => format!("({text})"),
                });
                let before = before.iter().map(|(_, filter)| filter.clone());
                let names = entries
                    .iter()
                    .map(|names| names.get(number).unwrap_or(&names[0]).clone());
                read.push(Step {
                    filter: all_of(before.chain([filter])),
                    key: names.collect(),
                    at_least: needed.unwrap_or(1),
                });
            }
            let link = if is_ordered { " then " } else { " and " };
            let begins = before.map(|(text, _)| format!("{text} | ")).unwrap_or_default();
            let text = format!(
                "{begins}sequence {} by {} within {span}",
                texts.join(link),
                by.join(", ")
            );
            let pattern = SequencePattern {
                steps: read,
                within,
                is_ordered,
            };
            (text, Pattern::Sequence(pattern))
        },
    )
}

fn news() -> impl Strategy<Value = Written<Pattern>> {
    (events_of(), name(), keys_of(), span_of()).prop_map(|((text, filter), field, group_by, (span, within))| {
        let text = format!(
            "{text} | new value of {field} by {} | within {span}",
            group_by.join(", ")
        );
        let pattern = NewValuePattern {
            filter,
            field,
            group_by,
            within,
        };
        (text, Pattern::NewValue(pattern))
    })
}

/// Any query, and what it is.
pub(super) fn any_query() -> impl Strategy<Value = Written<Pattern>> {
    prop_oneof![
        events_of().prop_map(|(text, filter)| (text, Pattern::Each(filter))),
        computation(),
        pair_of_events(),
        sequence(),
        news(),
    ]
}
