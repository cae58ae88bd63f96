#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Event, Level, Severity};
use ruleset::{Literal, Piece, RegexPattern};
use serde_json::json;

use super::Truth::{No, Unknown, Yes};
use super::*;

mod time;
mod values;
mod whole;

/// A login with every kind of value: canonical, in metadata, nested, and without a name that rules know.
fn login() -> Event {
    let metadata = json!({
        "attempts": 7,
        "ratio": 0.5,
        "port": "8080",
        "mfa": true,
        "trusted": "false",
        "city": "Zürich",
        "empty": "",
        "nothing": null,
        "roles": ["admin", "user"],
        "geo": {"country": "CH", "asn": 559},
        "geo.country": "flat",
        "service": "billing",
        "nan": "NaN",
        "account": "ALICE",
        "path": "C:\\Users\\alice\\x.exe",
        "limit": 7.0,
        "peer": "[::ffff:203.0.113.7]:443",
        "changed": "2026-03-29T00:59:30+00:00",
        "mixed": ["x", 5, true],
        "far_apart": [4, 9],
        "hundreds": 900,
        "peers": ["198.51.100.1", "2001:db8::1"],
        "deep": [{"note": ["needle in a haystack"]}],
    });
    Event {
        event_id: "e-1".to_owned(),
        time: Timestamp::from_millis(0),
        ingest_time: Timestamp::from_millis(0),
        tenant: "acme".to_owned(),
        service: "Auth-API".to_owned(),
        level: Level::Warn,
        message: "SECURITY: Failed password for root from 203.0.113.7 (new_device_login) ÄRGER".to_owned(),
        security_event: Some("login_failed".to_owned()),
        severity: Severity::High,
        user_id: Some("Alice".to_owned()),
        source_ip: Some("203.0.113.7".to_owned()),
        success: Some(false),
        metadata: metadata.as_object().unwrap().clone(),
        tags: vec!["VPN".to_owned(), "two words".to_owned(), "a.b".to_owned()],
        repeat: 3,
        format: "json".to_owned(),
        ..Event::default()
    }
}

fn ask(predicate: &Predicate, event: &Event) -> Truth {
    at(predicate, event, "UTC", "1970-01-01T00:00:00Z")
}

fn at(predicate: &Predicate, event: &Event, zone: &str, time: &str) -> Truth {
    ask_at(predicate, event, zone, Timestamp::parse(time).unwrap())
}

fn ask_at(predicate: &Predicate, event: &Event, zone: &str, time: Timestamp) -> Truth {
    let mut slots = Slots::default();
    let condition = Condition::new(predicate, &TimeZone::get(zone).unwrap(), &mut slots);
    condition.ask(&Subject::of_event(event, time, &slots))
}

fn field(name: &str, test: Test) -> Predicate {
    let name = name.to_owned();
    Predicate::Field { name, test }
}

fn pattern(source: &str) -> TextPattern {
    let source = source.to_owned();
    TextPattern::glob(&source)
}

fn matches(name: &str, source: &str) -> Predicate {
    field(name, Test::Matches(pattern(source)))
}

fn not(predicate: Predicate) -> Predicate {
    Predicate::Not(Box::new(predicate))
}

fn text(literal: &str) -> Literal {
    Literal::Text(literal.to_owned())
}

fn word(words: &str) -> Predicate {
    Predicate::Word(words.to_owned())
}

#[test]
fn a_field_fits_a_pattern_without_regard_to_case() {
    let cases = [
        ("user_id", "alice", Yes),
        ("user_id", "ALICE", Yes),
        ("user_id", "alic", No),
        ("user_id", "alice ", No),
        ("user_id", "al*", Yes),
        ("user_id", "*ICE", Yes),
        ("user_id", "*l*c*", Yes),
        ("user_id", "a?ice", Yes),
        ("user_id", "a?ce", No),
        ("user_id", "*", Yes),
        ("user_id", "?????*", Yes),
        ("user_id", "??????*", No),
        ("user_id", "**e", Yes),
        ("user_id", "", No),
        ("empty", "", Yes),
        ("empty", "*", Yes),
        ("empty", "?", No),
        ("city", "zürich", Yes),
        ("city", "ZÜRICH", Yes),
        ("city", "z?rich", Yes),
        ("city", "zurich", No),
        // Numbers and truth values fit as they are written.
        ("attempts", "7", Yes),
        ("mfa", "TRUE", Yes),
        ("ratio", "0.*", Yes),
        ("success", "false", Yes),
        ("severity", "HIGH", Yes),
        ("level", "warn*", Yes),
        ("repeat", "3", Yes),
        // A dot is itself, and so is a bracket.
        ("source_ip", "203.0.113.*", Yes),
        ("source_ip", "203x0x113.*", No),
        ("message", "*(new_device_login)*", Yes),
    ];
    for (name, source, expected) in cases {
        assert_eq!(ask(&matches(name, source), &login()), expected, "{name}:{source}");
    }
}

#[test]
fn a_name_is_the_canonical_field_else_one_of_metadata() {
    let cases = [
        ("service", "auth-api", Yes),
        ("metadata.service", "billing", Yes),
        ("port", "8080", Yes),
        ("metadata.port", "8080", Yes),
        ("metadata.user_id", "alice", Unknown),
        ("geo.asn", "559", Yes),
        ("metadata.geo.asn", "559", Yes),
        ("geo.country", "flat", Yes),
        ("geo.city", "*", Unknown),
        ("Attempts", "7", Unknown),
    ];
    for (name, source, expected) in cases {
        assert_eq!(ask(&matches(name, source), &login()), expected, "{name}:{source}");
    }
}

#[test]
fn an_absent_field_is_unknown_and_so_is_its_denial() {
    let absent = || matches("user_role", "admin");
    let (yes, no) = (|| matches("user_id", "alice"), || matches("user_id", "bob"));
    let cases = [
        (absent(), Unknown),
        (not(absent()), Unknown),
        (not(not(absent())), Unknown),
        (not(yes()), No),
        (not(no()), Yes),
        (Predicate::All(vec![yes(), absent()]), Unknown),
        (Predicate::All(vec![no(), absent()]), No),
        (Predicate::All(vec![absent(), no()]), No),
        (Predicate::All(vec![yes(), yes()]), Yes),
        (Predicate::All(vec![]), Yes),
        (Predicate::Any(vec![yes(), absent()]), Yes),
        (Predicate::Any(vec![absent(), yes()]), Yes),
        (Predicate::Any(vec![no(), absent()]), Unknown),
        (Predicate::Any(vec![no(), no()]), No),
        (Predicate::Any(vec![]), No),
        // De Morgan, with one part unknown.
        (not(Predicate::Any(vec![no(), absent()])), Unknown),
        (not(Predicate::Any(vec![yes(), absent()])), No),
        (not(Predicate::All(vec![no(), absent()])), Yes),
        // As docs/rules.md advises where absence shall fit.
        (
            Predicate::Any(vec![not(absent()), not(field("user_role", Test::Exists))]),
            Yes,
        ),
    ];
    for (predicate, expected) in cases {
        assert_eq!(ask(&predicate, &login()), expected, "{predicate:?}");
    }
}

#[test]
fn a_field_exists_if_it_has_a_value() {
    let cases = [
        ("user_id", Yes),
        ("user_role", No),
        ("empty", Yes),
        ("nothing", No),
        ("mfa", Yes),
        ("geo.asn", Yes),
        ("audit", Yes),
        ("roles", Yes),
        // An object has no value of its own.
        ("geo", No),
    ];
    for (name, expected) in cases {
        assert_eq!(ask(&field(name, Test::Exists), &login()), expected, "{name}");
        assert_eq!(
            ask(&not(field(name, Test::Exists)), &login()),
            !expected,
            "never unknown: {name}"
        );
    }
}

#[test]
fn values_compare_as_their_types_do() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    use Literal::{Bool, Number};
    let cases = [
        ("attempts", Greater, Number(6.0), Yes),
        ("attempts", Greater, Number(7.0), No),
        ("attempts", GreaterOrEqual, Number(7.0), Yes),
        ("attempts", Less, Number(7.5), Yes),
        ("attempts", LessOrEqual, Number(6.9), No),
        ("attempts", NotEqual, Number(7.0), No),
        ("ratio", Equal, Number(0.5), Yes),
        // A number in text is a number: 8080 is not below 900.
        ("port", Greater, Number(900.0), Yes),
        ("port", Equal, Number(8080.0), Yes),
        ("port", Equal, text("8080"), Yes),
        ("attempts", Equal, text("7"), Yes),
        // What is no number does not compare with one, neither so nor so.
        ("user_id", Equal, Number(5.0), Unknown),
        ("user_id", NotEqual, Number(5.0), Unknown),
        ("mfa", Equal, Number(1.0), Unknown),
        ("nan", NotEqual, Number(1.0), Unknown),
        ("empty", Equal, Number(0.0), Unknown),
        ("mfa", Equal, Bool(true), Yes),
        ("mfa", NotEqual, Bool(true), No),
        ("trusted", Equal, Bool(false), Yes),
        ("success", Equal, Bool(false), Yes),
        ("attempts", Equal, Bool(true), Unknown),
        ("user_id", Equal, Bool(true), Unknown),
        // Equality of texts regards case.
        ("user_id", Equal, text("Alice"), Yes),
        ("user_id", Equal, text("alice"), No),
        ("user_id", NotEqual, text("alice"), Yes),
        ("user_id", Equal, text("Al*"), No),
        ("user_role", Equal, text("admin"), Unknown),
        ("user_role", NotEqual, text("admin"), Unknown),
    ];
    for (name, comparison, literal, expected) in cases {
        let asked = field(name, Test::Compare(comparison, literal.clone()));
        assert_eq!(ask(&asked, &login()), expected, "{name} {comparison:?} {literal:?}");
    }
}

#[test]
fn severities_and_levels_compare_by_rank() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, NotEqual};
    let with = |severity, level| Event {
        severity,
        level,
        ..login()
    };
    let severity = |comparison, literal: &str, severity| {
        ask(
            &field("severity", Test::Compare(comparison, text(literal))),
            &with(severity, Level::Info),
        )
    };
    for (rank, one) in Severity::ALL.into_iter().enumerate() {
        for (other_rank, other) in Severity::ALL.into_iter().enumerate() {
            let name = other.as_str();
            assert_eq!(severity(GreaterOrEqual, name, one), (rank >= other_rank).into());
            assert_eq!(severity(Less, name, one), (rank < other_rank).into());
            assert_eq!(severity(Equal, name, one), (rank == other_rank).into());
            assert_eq!(severity(NotEqual, name, one), (rank != other_rank).into());
        }
    }
    assert_eq!(severity(Equal, "HIGH", Severity::High), Yes);
    let level = |comparison, literal: &str, level| {
        ask(
            &field("level", Test::Compare(comparison, text(literal))),
            &with(Severity::Low, level),
        )
    };
    // By their letters `critical < warn`.
    assert_eq!(level(Greater, "warn", Level::Critical), Yes);
    assert_eq!(level(Greater, "warn", Level::Debug), No);
    assert_eq!(level(GreaterOrEqual, "error", Level::Error), Yes);
}

#[test]
fn a_value_is_in_a_list_if_it_equals_one_of_it() {
    let cases = [
        ("attempts", vec![Literal::Number(6.0), Literal::Number(7.0)], Yes),
        ("attempts", vec![Literal::Number(6.0)], No),
        ("user_id", vec![text("bob"), text("Alice")], Yes),
        ("user_id", vec![text("bob"), text("alice")], No),
        ("user_id", vec![Literal::Number(1.0), text("Alice")], Yes),
        ("user_id", vec![Literal::Number(1.0), text("bob")], Unknown),
        ("severity", vec![text("critical"), text("high")], Yes),
        ("mfa", vec![Literal::Bool(false)], No),
        ("user_id", vec![], No),
        ("user_role", vec![text("admin")], Unknown),
    ];
    for (name, literals, expected) in cases {
        assert_eq!(
            ask(&field(name, Test::In(literals.clone())), &login()),
            expected,
            "{name} in {literals:?}"
        );
    }
}

#[test]
fn a_regular_expression_is_sought_anywhere_in_the_text() {
    let cases = [
        ("message", "for root from", Yes),
        ("message", "FOR ROOT", No),
        ("message", "(?i)FOR ROOT", Yes),
        ("message", "^Failed", No),
        ("source_ip", r"^203\.0\.113\.\d+$", Yes),
        ("attempts", "^[0-9]$", Yes),
        ("user_role", ".*", Unknown),
    ];
    for (name, source, expected) in cases {
        let test = Test::Regex(RegexPattern(source.parse().unwrap()));
        assert_eq!(ask(&field(name, test), &login()), expected, "{name} ~ {source}");
    }
}

/// A pattern that an author may write by accident, on a text that an attacker may send.
#[test]
fn a_pattern_of_many_stars_ends_soon() {
    let stars = "*a".repeat(50) + "*b";
    let flood = Event {
        message: "a".repeat(20_000),
        ..login()
    };
    assert_eq!(ask(&matches("message", &stars), &flood), No);
}

fn unless(predicate: Predicate) -> Predicate {
    Predicate::Unless(Box::new(predicate))
}

/// `NOT` keeps what is unknown; Sigma's `not` does not.
#[test]
fn unless_holds_where_nothing_is_known() {
    let cases = [
        (matches("user_id", "alice"), No),
        (matches("user_id", "bob"), Yes),
        (matches("user_role", "admin"), Yes),
        (unless(matches("user_role", "admin")), No),
        (not(matches("user_role", "admin")), Yes),
        (Predicate::All(vec![]), No),
        (Predicate::Any(vec![]), Yes),
    ];
    for (predicate, expected) in cases {
        assert_eq!(ask(&unless(predicate.clone()), &login()), expected, "{predicate:?}");
    }
}
