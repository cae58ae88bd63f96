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

proptest! {
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
    "ü",
    "\\",
];
