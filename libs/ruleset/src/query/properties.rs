//! Whatever is written is read back, and whatever is read is no panic.

use proptest::prelude::*;

use super::*;
use crate::{Test, TextPattern};

fn filter(text: &str) -> Predicate {
    match parse(text) {
        Ok(Query {
            pattern: Pattern::Each(filter),
            ..
        }) => filter,
        other => panic!("{text} is {other:?}"),
    }
}

fn field(name: &str, source: String) -> Predicate {
    Predicate::Field {
        name: name.to_owned(),
        test: Test::Matches(TextPattern::glob(&source)),
    }
}

/// Conditions in the form that reading gives them: no `All` in an `All`, none of fewer than two.
fn any_condition() -> impl Strategy<Value = Predicate> {
    let value = "[a-z0-9_.*?-]{1,8}".prop_map(|value| format!("x{value}"));
    let leaf = prop_oneof![
        "[a-z]{1,6}".prop_map(|text| Predicate::Word(format!("w{text}"))),
        ("[a-z]{1,3}", value.clone()).prop_map(|(name, source)| field(&format!("f{name}"), source)),
        value.prop_map(|source| Predicate::Service(TextPattern::glob(&source))),
        Just(Predicate::Word("two words".to_owned())),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(all_of),
            prop::collection::vec(inner.clone(), 2..4).prop_map(any_of),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

/// Writes a condition with no more parentheses than precedence asks for.
fn written(condition: &Predicate, parent: u8) -> String {
    let joined = |parts: &[Predicate], word: &str, own: u8| {
        let parts: Vec<_> = parts.iter().map(|part| written(part, own)).collect();
        let text = parts.join(word);
        if own < parent { format!("({text})") } else { text }
    };
    match condition {
        Predicate::Any(parts) => joined(parts, " OR ", 0),
        Predicate::All(parts) => joined(parts, " AND ", 1),
        Predicate::Not(inner) => format!("NOT {}", written(inner, 2)),
        Predicate::Word(word) if word.contains(' ') => format!("\"{word}\""),
        Predicate::Word(word) => word.clone(),
        Predicate::Service(pattern) => format!("service:{}", pattern.source().expect("it was written so")),
        Predicate::Field {
            name,
            test: Test::Matches(pattern),
        } => format!("{name}:\"{}\"", pattern.source().expect("it was written so")),
        Predicate::Field { .. }
        | Predicate::Unless(_)
        | Predicate::Anywhere(_)
        | Predicate::Hour(..)
        | Predicate::Weekday(..)
        | Predicate::Alert(_) => panic!("{condition:?} is not generated"),
    }
}

mod patterns;

proptest! {
    #[test]
    fn every_form_of_a_query_is_read_as_what_it_was_made_of((text, pattern) in patterns::any_query()) {
        // A rule has at most twenty regular expressions.
        prop_assume!(text.matches(":/").count() + text.matches("!~").count() <= 20);
        let read = parse(&text);
        prop_assert!(read.is_ok(), "{}: {:?}", text, read);
        prop_assert_eq!(read.expect("it was asked").pattern, pattern, "{}", text);
    }

    #[test]
    fn a_query_that_is_cut_or_changed_in_one_place_is_no_panic(
        (text, _) in patterns::any_query(),
        at in any::<prop::sample::Index>(),
        instead in prop::sample::select(WORDS),
    ) {
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = boundaries[at.index(boundaries.len())];
        drop(parse(&text[..at]));
        drop(parse(&format!("{} {instead} {}", &text[..at], &text[at..])));
    }

    #[test]
    fn what_is_written_is_read_back(condition in any_condition()) {
        prop_assert_eq!(filter(&written(&condition, 0)), condition);
    }

    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,200}") {
        drop(parse(&text));
    }

    #[test]
    fn no_row_of_words_is_a_panic_and_every_fault_has_a_place(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..40),
    ) {
        let text = words.join(" ");
        if let Err(faults) = parse(&text) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(fault.at.start <= text.len() && fault.at.start < fault.at.end, "{}: {:?}", text, fault);
            }
        }
    }
}

const WORDS: &[&str] = &[
    "a",
    "b:c",
    "d:",
    "service:x",
    "\"two words\"",
    "\"",
    "(",
    ")",
    "|",
    ",",
    "AND",
    "or",
    "NOT",
    "=",
    "!=",
    ">",
    "<=",
    "~",
    "where",
    "window",
    "5m",
    "group",
    "by",
    "count",
    "10",
    "join",
    "on",
    "before",
    "within",
    "24h",
    "keep_alive",
    "grace",
    "lateness",
    "hour",
    "weekday",
    "in",
    "like",
    "exists",
    "severity",
    "high",
    "session",
    "gap",
    "max",
    "every",
    "tumbling",
    "count_distinct",
    "percentile",
    "sum",
    "avg",
    "min",
    "without",
    "sequence",
    "then",
    "and",
    "around",
    "after",
    "new",
    "value",
    "of",
    "suppress",
    "every_match",
    "timezone",
    "UTC",
    "field",
    "a:[1",
    "5]",
    "a:{",
    "}",
    "a:(",
    "a:/b+/",
    "a:>=",
    "10.0.0.0/8",
    "alert:r",
    "*",
    "!~",
    "/",
    "TO",
    "ü",
    "\\",
];
