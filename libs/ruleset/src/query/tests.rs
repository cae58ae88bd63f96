use std::time::Duration;

use super::*;
use crate::{Comparison, CountPattern, JoinPattern, Literal, Order, RegexPattern, Test, TextPattern, Threshold};

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
    let condition = |text: &str| {
        let Predicate::All(mut parts) = filter(&format!("x | where {text}")) else {
            panic!("{text} is not added to the filter");
        };
        parts.remove(1)
    };
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
    let regex = RegexPattern(regex::Regex::new(r"^\d+$").expect("it is one"));
    assert_eq!(condition(r#"a ~ "^\d+$""#), field("a", Test::Regex(regex)));
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

/// Each: a text, the column of its first fault, and what the message says.
const REFUSED: &[(&str, usize, &str)] = &[
    ("", 1, "a query begins with a filter"),
    ("| where a = 1", 1, "a query begins with a filter"),
    ("a | | b", 5, "a stage is missing"),
    ("a |", 4, "a stage is missing"),
    ("a | windw 5m", 5, "unknown stage `windw`: did you mean `window`?"),
    (
        "a | group_by b",
        5,
        "unknown stage `group_by`: did you mean `group by`?",
    ),
    ("a | frobnicate", 5, "it is one of where, window, session, group by"),
    ("a b", 3, "expected `AND`, `OR` or `|`, found `b`"),
    ("a AND", 6, "expected a condition"),
    (
        "a AND OR b",
        7,
        "expected a condition such as `field:value`, found `OR`",
    ),
    ("(a OR b", 8, "expected `)`"),
    ("a)", 2, "found `)`"),
    ("a && b", 3, "did you mean `AND`?"),
    ("severity:hihg", 10, "`hihg` is not a severity: did you mean `high`?"),
    ("level:wran", 7, "did you mean `warn`?"),
    ("source_ip:example", 11, "is not an address"),
    ("source_ip:10.0.0.0/33", 11, "is not a network"),
    ("a: b", 1, "without a space"),
    (":b", 1, "is not a field name"),
    ("a:b=c", 4, "goes in quotes"),
    ("hour:22", 1, "| where hour >= 22"),
    ("tags:x", 1, "bare word"),
    ("fail*", 1, "wildcard"),
    ("\"\"", 1, "no word"),
    ("a | where b:c", 11, "`b = \"c\"`"),
    ("a | where b", 12, "expected an operator after `b`"),
    ("a | where b lik c", 13, "unknown operator `lik`: did you mean `like`?"),
    ("a | where b == c", 13, "unknown operator `==`: did you mean `=`?"),
    ("a | where b = 'c'", 15, "double quotes"),
    ("a | where b =", 14, "a value to compare `b` with"),
    ("a | where b > c", 15, "text has no order"),
    ("a | where b > true", 15, "have no order"),
    ("a | where severity > critical", 22, "no severity is that"),
    ("a | where b = 9007199254740993", 15, "too large"),
    ("a | where b in ()", 17, "a value to compare"),
    ("a | where b in (c", 18, "expected `,` or `)`"),
    ("a | where hour = 24", 18, "is not an hour from 0 to 23"),
    ("a | where hour >= x", 19, "is not an hour from 0 to 23"),
    ("a | where weekday = mo", 21, "is not a weekday"),
    ("a | where b ~ \"(\"", 15, "not a regular expression: unclosed group"),
    ("a | where b ~ \"a(?=b)\"", 15, "look-around"),
    ("a | where b ~ \"(a{1000}){1000}\"", 15, "needs more than"),
    ("a | window", 11, "a span of time, as in `window 5m`"),
    ("a | window 5m", 5, "`window` needs a `count`"),
    ("a | window 5 | count > 1", 12, "has no unit"),
    ("a | window 0s | count > 1", 12, "1ms to 30d"),
    ("a | window 31d | count > 1", 12, "1ms to 30d"),
    ("a | window 5m | window 6m | count > 1", 17, "a second time"),
    ("a | count > 1", 5, "`count` needs a window"),
    ("a | group by b", 5, "`group by` needs a window"),
    ("a | window 5m | group b | count > 1", 23, "`by` after `group`"),
    ("a | window 5m | group by b, b | count > 1", 29, "already in the group"),
    (
        "a | window 5m | group by a,b,c,d,e,f,g,h,i | count > 1",
        42,
        "at most 8 fields",
    ),
    ("a | window 5m | count > 1 | group by b", 29, "comes before `count`"),
    ("a | window 5m | count > 1 | where b = 1", 29, "comes before `window`"),
    (
        "a | window 5m | count 5",
        23,
        "one of = != > >= < <=, as in `count > 10`",
    ),
    ("a | window 5m | count >= 0", 26, "always true"),
    ("a | window 5m | count > 100000", 25, "to 100000 at most"),
    ("a | window 5m | count > 18446744073709551615", 25, "to 100000 at most"),
    ("a | window 5m | count > -1", 25, "is not a whole number"),
    ("a | join (b) on k", 18, "`join` needs a span: add `within 24h`"),
    ("a | within 24h", 5, "`within` belongs to `join`, `without`"),
    (
        "a | join b on k | within 24h",
        10,
        "`(` and a filter, as in `join (security_event:login_success)`",
    ),
    ("a | join (b) | within 24h", 14, "`before`, `after`, `then` or `on`"),
    ("a | join (b) on k l | within 24h", 19, "the end of the query"),
    (
        "a | join (b | count > 1) on k | within 24h",
        15,
        "inside the parentheses of `join` stands no stage but `where`",
    ),
    ("a | join (b) on k, k | within 24h", 20, "already in the join"),
    ("a | join (b) on k | within 24h | count > 1", 5, "does not go together"),
    ("a | keep_alive 5m", 5, "has no effect"),
    ("a | lateness 25h | window 5m | count > 1", 14, "0s to 24h"),
];

#[test]
fn every_mistake_is_told_at_its_column() {
    let mut wrong = Vec::new();
    for (text, column, says) in REFUSED {
        let (found, message) = faults(text).remove(0);
        if found != *column || !message.contains(says) {
            wrong.push(format!("{text}\n  at {found}: {message}\n  not {column}: {says}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_faults_of_a_query_are_told_at_once() {
    let found = faults("severity:hihg | where hour = 25 | windw 5m | count < 1");
    assert_eq!(
        found.iter().map(|(column, _)| *column).collect::<Vec<_>>(),
        [10, 30, 35, 54]
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
