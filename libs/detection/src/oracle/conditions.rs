//! Random conditions over the names and texts of random records.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ruleset::{CalendarPart, Comparison, Literal, Predicate, RegexPattern, Relation, Test, TextPattern};

use super::random::{NAMES, TEXTS};

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

fn comparison() -> impl Strategy<Value = Comparison> {
    prop_oneof![Just(Comparison::Equal), select(&COMPARISONS[..])]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        3 => select(&TEXTS[..]).prop_map(|text| Literal::Text(text.to_owned())),
        1 => select(&[0.0, -0.0, 7.0, 1e300, -1500.0][..]).prop_map(Literal::Number),
        1 => any::<bool>().prop_map(Literal::Bool),
    ]
}

fn pattern() -> impl Strategy<Value = TextPattern> {
    let wild = select(&["*", "a*", "*n", "*dm*", "?", "A?m*n", "*\u{212a}*"][..]).prop_map(TextPattern::glob);
    let plain = select(&TEXTS[..]).prop_map(TextPattern::exact);
    let either = prop_oneof![1 => wild, 2 => plain];
    (either, any::<bool>()).prop_map(|(pattern, is_cased)| if is_cased { pattern.cased() } else { pattern })
}

fn name() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(str::to_owned)
}

fn test() -> impl Strategy<Value = Test> {
    let relations = [Relation::Contains, Relation::StartsWith, Relation::EndsWith];
    let relation = prop_oneof![
        comparison().prop_map(Relation::Compares),
        (0..relations.len()).prop_map(move |at| relations[at])
    ];
    let regex = select(&["^a", "(?i)ADMIN", "7$"][..]);
    let leaf = prop_oneof![
        Just(Test::Exists),
        pattern().prop_map(Test::Matches),
        pattern().prop_map(Test::Matches),
        (comparison(), literal()).prop_map(|(comparison, literal)| Test::Compare(comparison, literal)),
        vec(literal(), 0..4).prop_map(Test::In),
        regex.prop_map(|source| Test::Regex(RegexPattern(source.parse().expect("it is one")))),
        Just(Test::Network("0.0.0.0/0".parse().expect("it is one"))),
        (relation, name()).prop_map(|(relation, other)| Test::Relates(relation, other)),
        Just(Test::Calendar(CalendarPart::Year, Comparison::Equal, 1970)),
    ];
    leaf.prop_recursive(1, 3, 3, |inner| vec(inner, 0..3).prop_map(Test::Every))
}

/// A condition.
pub(crate) fn condition() -> impl Strategy<Value = Predicate> {
    let leaf = prop_oneof![
        6 => (name(), test()).prop_map(|(name, test)| Predicate::Field { name, test }),
        1 => test().prop_map(Predicate::Anywhere),
        1 => pattern().prop_map(Predicate::Service),
        1 => Just(Predicate::Service(TextPattern::exact("Security"))),
        1 => select(&TEXTS[..]).prop_map(|word| Predicate::Word(word.to_owned())),
        1 => (comparison(), 0_i64..24).prop_map(|(comparison, hour)| Predicate::Hour(comparison, hour, None)),
        1 => (comparison(), 1_i64..8).prop_map(|(comparison, day)| Predicate::Weekday(comparison, day, None)),
        1 => Just(Predicate::Alert("other".to_owned())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..4).prop_map(Predicate::All),
            3 => vec(inner.clone(), 0..4).prop_map(Predicate::Any),
            1 => inner.clone().prop_map(|part| Predicate::Not(Box::new(part))),
            1 => inner.prop_map(|part| Predicate::Unless(Box::new(part))),
        ]
    })
}
