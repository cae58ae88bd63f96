//! Random conditions on random events: match passes what [`crate::reference::predicates`] passes.

use std::str::FromStr;

use detection::{Matched, Matcher};
use event::{Event, Level, Severity, Source, SourcePartition, SourceTopic};
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use ruleset::{
    CalendarPart, Comparison, Literal, Pattern, Piece, Predicate, RegexPattern, Relation, RuleSet, Test, TextPattern,
};
use serde_json::{Value, json};

use crate::driver::{MINUTE, cases, time, typed};
use crate::reference::Seen;
use crate::reference::predicates::passes;

const TEXTS: [&str; 13] = [
    "", "a", "A", "ab", "Abc", "a*b", "b?", "7", "07", "-2.5", "true", "True", "É é",
];
const FIELDS: [&str; 10] = [
    "user_id",
    "user_role",
    "success",
    "repeat",
    "source_ip",
    "message",
    "t",
    "n",
    "l",
    "metadata.o.p",
];
const ADDRESSES: [&str; 6] = [
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "10.2.0.1",
    "2001:db8::1",
    "not an address",
    "10.1.2.3/32",
];
const TIMES: [&str; 5] = [
    "2026-01-05T06:59:59Z",
    "2026-01-05T23:30:00+01:00",
    "2026-12-31T23:59:59.999Z",
    "2024-02-29T12:00:00Z",
    "yesterday",
];
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "Asia/Kolkata"];

fn text() -> impl Strategy<Value = String> {
    select(&TEXTS[..]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = f64> {
    select(vec![-2.5, 0.0, 1.0, 7.0, 7.5])
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => text().prop_map(Value::from),
        3 => number().prop_map(Value::from),
        2 => (-1..8i64).prop_map(Value::from),
        2 => any::<bool>().prop_map(Value::from),
        1 => select(&ADDRESSES[..]).prop_map(Value::from),
        2 => select(&TIMES[..]).prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let list = vec(scalar(), 0..4).prop_map(Value::from);
    prop_oneof![6 => scalar(), 2 => list, 1 => scalar().prop_map(|value| json!({"p": value}))]
}

fn random_event() -> impl Strategy<Value = Event> {
    let names = (
        weighted(0.7, text()),
        weighted(0.5, text()),
        weighted(0.5, any::<bool>()),
        1..9u32,
    );
    let worst = (select(&Severity::ALL[..]), select(&Level::ALL[..]));
    let address = weighted(0.7, select(&ADDRESSES[..4]));
    let metadata = vec((select(vec!["t", "n", "l", "o", "service"]), value()), 0..6);
    let message = select(vec!["", "a login failed", "New_Device login", "ab-A.7", "login"]);
    let tags = vec(select(vec!["a", "New_device", "login"]), 0..2);
    let kind = (
        select(vec!["app", "security", "Web"]),
        weighted(0.5, Just("login_failed")),
    );
    let moment = 1_767_225_600_000..1_800_000_000_000i64;
    (names, worst, address, metadata, message, tags, kind, moment).prop_map(
        |((user_id, user_role, success, repeat), (severity, level), address, metadata, message, tags, kind, moment)| {
            Event {
                event_id: "e".to_owned(),
                tenant: "acme".to_owned(),
                time: time(moment),
                user_id,
                user_role,
                success,
                repeat,
                severity,
                level,
                source_ip: address.map(str::to_owned),
                metadata: metadata
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                message: message.to_owned(),
                tags: tags.into_iter().map(str::to_owned).collect(),
                service: kind.0.to_owned(),
                security_event: kind.1.map(str::to_owned),
                format: "test".to_owned(),
                ..Event::default()
            }
        },
    )
}

fn pattern() -> impl Strategy<Value = TextPattern> {
    let piece = prop_oneof![
        3 => select(vec!["a", "B", "b", "7", "*", "é"]).prop_map(|text| Piece::Text(text.to_owned())),
        1 => Just(Piece::Many),
        1 => Just(Piece::One),
    ];
    let pieces = prop_oneof![
        1 => text().prop_map(|text| TextPattern::exact(&text)),
        2 => vec(piece, 0..5).prop_map(TextPattern::new),
    ];
    (pieces, any::<bool>()).prop_map(|(pattern, is_cased)| if is_cased { pattern.cased() } else { pattern })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
    3 => text().prop_map(Literal::Text),
    2 => number().prop_map(Literal::Number),
    1 => any::<bool>().prop_map(Literal::Bool),
    ]
}

fn of_text() -> impl Strategy<Value = Test> {
    let regex = select(vec!["^a", "(?i)ab", "[0-9]+$", "^$", "login"]);
    prop_oneof![
        2 => pattern().prop_map(Test::Matches),
        1 => regex.prop_map(|source| Test::Regex(RegexPattern(regex::Regex::new(source).unwrap()))),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let network = select(vec!["10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "::/0"]);
    let relation = prop_oneof![
        3 => comparison().prop_map(Relation::Compares),
        1 => Just(Relation::Contains),
        1 => Just(Relation::StartsWith),
        1 => Just(Relation::EndsWith),
    ];
    let part = select(vec![
        (CalendarPart::Minute, 59),
        (CalendarPart::Hour, 6),
        (CalendarPart::Hour, 23),
        (CalendarPart::Day, 5),
        (CalendarPart::Week, 53),
        (CalendarPart::Month, 1),
        (CalendarPart::Year, 2026),
    ]);
    let equality = select(vec![Comparison::Equal, Comparison::NotEqual]);
    let one = prop_oneof![
        1 => Just(Test::Exists),
        3 => of_text(),
        2 => (comparison(), number()).prop_map(|(comparison, number)| Test::Compare(comparison, Literal::Number(number))),
        // Loading refuses an order of other texts than severities, and of true and false.
        2 => (equality, literal()).prop_map(|(equality, literal)| Test::Compare(equality, literal)),
        2 => vec(literal(), 0..4).prop_map(Test::In),
        1 => network.prop_map(|network| Test::Network(FromStr::from_str(network).unwrap())),
        2 => (relation, select(&FIELDS[..])).prop_map(|(relation, field)| Test::Relates(relation, field.to_owned())),
        2 => (part, comparison()).prop_map(|((part, number), comparison)| Test::Calendar(part, comparison, number)),
    ];
    let every = vec(one.clone(), 0..3).prop_map(Test::Every);
    prop_oneof![8 => one, 1 => every]
}

/// Loading sees to it that they are compared with nothing else.
fn severity() -> impl Strategy<Value = Predicate> {
    let words = prop_oneof![
        select(&Severity::ALL[..]).prop_map(|severity| ("severity", severity.as_str())),
        select(&Level::ALL[..]).prop_map(|level| ("level", level.as_str())),
    ];
    (words, comparison()).prop_map(|((name, word), comparison)| Predicate::Field {
        name: name.to_owned(),
        test: Test::Compare(comparison, Literal::Text(word.to_owned())),
    })
}

fn condition() -> impl Strategy<Value = Predicate> {
    let zone = weighted(0.3, select(&ZONES[..])).prop_map(|zone| zone.map(|zone| TimeZone::get(zone).unwrap()));
    let one = prop_oneof![
        10 => (select(&FIELDS[..]), test()).prop_map(|(name, test)| Predicate::Field { name: name.to_owned(), test }),
        2 => severity(),
        2 => of_text().prop_map(Predicate::Anywhere),
        1 => select(vec!["app", "security", "we?", "*"]).prop_map(|text| Predicate::Service(TextPattern::glob(text))),
        1 => select(vec!["login", "new_device", "New_device login", "a login", "device"])
            .prop_map(|word| Predicate::Word(word.to_owned())),
        1 => (comparison(), 0..24i64, zone.clone()).prop_map(|(comparison, hour, zone)| Predicate::Hour(comparison, hour, zone)),
        1 => (comparison(), 1..8i64, zone).prop_map(|(comparison, day, zone)| Predicate::Weekday(comparison, day, zone)),
        1 => Just(Predicate::Alert("other".to_owned())),
    ];
    one.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Predicate::All),
            vec(inner.clone(), 0..3).prop_map(Predicate::Any),
            inner.clone().prop_map(|part| Predicate::Not(Box::new(part))),
            inner.prop_map(|part| Predicate::Unless(Box::new(part))),
        ]
    })
}

/// Whether a rule of this condition alone fires.
fn fires(condition: &Predicate, event: &Event, timezone: &str, arrival: i64) -> bool {
    let rule = typed("rule", Pattern::Each(condition.clone()), |timing| {
        timezone.clone_into(&mut timing.timezone)
    });
    let mut matched = Matched::default();
    let mut matcher = Matcher::new(&RuleSet::new([rule]));
    matcher
        .evaluate(&event.encode(), PLACE, time(arrival), &mut matched)
        .unwrap();
    assert!(matched.alerts.len() <= 1, "one event is one alert");
    matched.alerts.len() == 1
}

const PLACE: Source = Source {
    partition: SourcePartition {
        topic: SourceTopic::Access,
        partition: 0,
    },
    offset: 0,
};

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn match_passes_what_the_reference_passes(
        condition in condition(),
        event in random_event(),
        timezone in select(&ZONES[..]),
        future in select(vec![0, 5 * MINUTE, 26 * 60 * MINUTE]),
    ) {
        let arrival = event.time.as_millis() - future;
        let seen = Seen { event: &event, time: event.time.as_millis().min(arrival + 5 * MINUTE), source: PLACE };
        let expected = passes(&condition, &seen, timezone);
        prop_assert_eq!(fires(&condition, &event, timezone, arrival), expected);
        let not = Predicate::Not(Box::new(condition));
        prop_assert_eq!(fires(&not, &event, timezone, arrival), passes(&not, &seen, timezone), "its contrary");
    }
}
