use super::*;
use crate::{Comparison, Literal, RegexPattern, Test, TextPattern};

mod refused;
mod stages;
mod values;

fn read(text: &str) -> Pattern {
    parse(text)
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
        .pattern
}

/// The filter of a stateless query.
fn filter(text: &str) -> Predicate {
    let Pattern::Each(filter) = read(text) else {
        panic!("{text} is no filter");
    };
    filter
}

/// Every fault of a text, as its column from 1 and its message.
fn faults(text: &str) -> Vec<(usize, String)> {
    let faults = parse(text).expect_err(text);
    faults
        .into_iter()
        .map(|fault| (fault.at.start + 1, fault.message))
        .collect()
}

fn word(word: &str) -> Predicate {
    Predicate::Word(word.to_owned())
}

fn matches(name: &str, source: &str) -> Predicate {
    field(name, Test::Matches(TextPattern::glob(source)))
}

fn field(name: &str, test: Test) -> Predicate {
    Predicate::Field {
        name: name.to_owned(),
        test,
    }
}

fn service(source: &str) -> Predicate {
    Predicate::Service(TextPattern::glob(source))
}

fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}

fn regex(source: &str) -> Test {
    Test::Regex(RegexPattern(regex::Regex::new(source).expect("it is one")))
}

/// One condition of a `where`.
fn condition(text: &str) -> Predicate {
    let Predicate::All(mut parts) = filter(&format!("x | where {text}")) else {
        panic!("{text} is not added to the filter");
    };
    parts.remove(1)
}

fn not(inner: Predicate) -> Predicate {
    Predicate::Not(Box::new(inner))
}

#[test]
fn and_binds_tighter_than_or_and_not_tightest() {
    let abc = |first, second, third| (word(first), word(second), word(third));
    let (a, b, c) = abc("a", "b", "c");
    assert_eq!(
        filter("a OR b AND NOT c"),
        Predicate::Any(vec![a.clone(), Predicate::All(vec![b.clone(), not(c.clone())])])
    );
    assert_eq!(
        filter("(a OR b) and c"),
        Predicate::All(vec![Predicate::Any(vec![a.clone(), b.clone()]), c.clone()])
    );
    assert_eq!(filter("NOT a AND b"), Predicate::All(vec![not(a.clone()), b.clone()]));
    assert_eq!(filter("not (a AND b)"), not(Predicate::All(vec![a.clone(), b.clone()])));
    assert_eq!(filter("((a) AND (b AND c))"), Predicate::All(vec![a, b, c]));
}

#[test]
fn terms() {
    assert_eq!(filter("service:security"), service("security"));
    assert_eq!(filter("security_event:login_*"), matches("security_event", "login_*"));
    assert_eq!(
        filter(r#"message:"failed password""#),
        matches("message", "failed password")
    );
    assert_eq!(filter(r#""failed password""#), word("failed password"));
    assert_eq!(filter("path:/a?b"), matches("path", "/a?b"));
    assert_eq!(
        filter("url:https://x.example:8080"),
        matches("url", "https://x.example:8080")
    );
    assert_eq!(filter("metadata.new_role:admin"), matches("metadata.new_role", "admin"));
    assert_eq!(
        filter("source_ip:::FFFF:1.2.3.4"),
        matches("source_ip", "1.2.3.4"),
        "one spelling an address"
    );
    assert_eq!(filter("source_ip:10.*"), matches("source_ip", "10.*"));
    assert_eq!(filter("severity:HIGH"), matches("severity", "high"));
}

#[test]
fn conditions() {
    let compare = |comparison, value| Test::Compare(comparison, value);
    assert_eq!(
        condition(r#"a = "5""#),
        field("a", compare(Comparison::Equal, text("5")))
    );
    assert_eq!(
        condition("a != -1.5"),
        field("a", compare(Comparison::NotEqual, Literal::Number(-1.5)))
    );
    assert_eq!(
        condition("a>=5"),
        field("a", compare(Comparison::GreaterOrEqual, Literal::Number(5.0)))
    );
    assert_eq!(
        condition("a = admin"),
        field("a", compare(Comparison::Equal, text("admin")))
    );
    assert_eq!(
        condition("success = false"),
        field("success", compare(Comparison::Equal, Literal::Bool(false)))
    );
    assert_eq!(
        condition("a = 10.0.0.1"),
        field("a", compare(Comparison::Equal, text("10.0.0.1")))
    );
    assert_eq!(
        condition(r#"a in ("b", 3, true)"#),
        field(
            "a",
            Test::In(vec![text("b"), Literal::Number(3.0), Literal::Bool(true)])
        )
    );
    assert_eq!(condition("a not in (b)"), not(field("a", Test::In(vec![text("b")]))));
    assert_eq!(condition(r#"a like "adm*""#), matches("a", "adm*"));
    assert_eq!(condition("a exists"), field("a", Test::Exists));
    assert_eq!(condition("a not exists"), not(field("a", Test::Exists)));
    assert_eq!(condition(r#"a ~ "^\d+$""#), field("a", regex(r"^\d+$")));
    assert_eq!(
        condition("severity >= high"),
        field("severity", Test::In(vec![text("high"), text("critical")]))
    );
    assert_eq!(
        condition("level < warn"),
        field("level", Test::In(vec![text("debug"), text("info")]))
    );
    let hour = |comparison, hour| Predicate::Hour(comparison, hour, None);
    assert_eq!(
        condition("hour >= 22 OR hour <= 6"),
        Predicate::Any(vec![
            hour(Comparison::GreaterOrEqual, 22),
            hour(Comparison::LessOrEqual, 6)
        ])
    );
    let day = |day| Predicate::Weekday(Comparison::Equal, day, None);
    assert_eq!(
        condition("weekday in (sat, Sunday, 1)"),
        Predicate::Any(vec![day(6), day(7), day(1)])
    );
    assert_eq!(condition("weekday not in (sat)"), not(day(6)));
}

#[test]
fn two_wheres_are_one_and() {
    assert_eq!(
        filter("x | where a exists AND b exists | where c exists"),
        filter("x | where a exists AND b exists AND c exists")
    );
    let alternatives = filter("x | where a exists OR b exists | where c exists");
    assert!(
        matches!(alternatives, Predicate::All(parts) if parts.len() == 3),
        "`OR` stays within its stage"
    );
}

#[test]
fn likely_mistakes_are_warned_about() {
    let warned = |text: &str| {
        parse(text)
            .expect(text)
            .warnings
            .into_iter()
            .map(|fault| fault.message)
            .collect::<String>()
    };
    assert!(warned("x | where path like \"%admin%\"").contains("`*` is any text"));
    assert!(warned("x | where user_id != target_id").contains("`field(target_id)`"));
    assert!(warned("x | where peer = 10.0.0.0/8").contains("`in (10.0.0.0/8)`"));
    assert_eq!(warned("x | where user_id != \"target_id\" AND action = message"), "");
    assert!(warned("x | window 5m | count > 1 | grace 1m").contains("`grace` has no effect"));
    assert_eq!(warned("x | window 5m | count < 5 | grace 1m"), "");
    assert!(warned("x | window 5m | count < 5 | lateness 1m").contains("`lateness` has no effect"));
    assert_eq!(warned("x | window 5m | count > 1 | lateness 1m"), "");
}

#[test]
fn what_nests_too_deep_or_is_too_long_is_refused() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(50)).is_ok());
    assert!(faults(&nested(51))[0].1.contains("at most 50 deep"));
    assert!(faults(&("NOT ".repeat(51) + "a"))[0].1.contains("at most 50 deep"));
    assert!(faults(&nested(QUERY_BYTES_MAX))[0].1.contains("at most 16384 bytes"));
    let regexes = vec!["b ~ \"c\""; 21].join(" OR ");
    assert!(
        faults(&format!("a | where {regexes}"))[0]
            .1
            .contains("at most 20 regular expressions")
    );
    assert!(
        faults(&format!("a | where b ~ \"{}\"", "c".repeat(4097)))[0]
            .1
            .contains("at most 4096 bytes")
    );
    assert!(
        faults(&format!("a | where b ~ \"{}b{}\"", "(".repeat(60), ")".repeat(60)))[0]
            .1
            .contains("not a regular expression")
    );
}
