//! What stands after a colon, and what a `where` compares with.

use jiff::tz::TimeZone;

use super::*;
use crate::Relation;

fn number(comparison: Comparison, value: f64) -> Test {
    Test::Compare(comparison, Literal::Number(value))
}

fn network(name: &str, network: &str) -> Predicate {
    field(name, Test::Network(network.parse().expect("it is one")))
}

fn any(parts: impl IntoIterator<Item = Predicate>) -> Predicate {
    Predicate::Any(parts.into_iter().collect())
}

fn all(parts: impl IntoIterator<Item = Predicate>) -> Predicate {
    Predicate::All(parts.into_iter().collect())
}

#[test]
fn lists() {
    let a = |source| matches("a", source);
    assert_eq!(filter("a:(b OR c*)"), any([a("b"), a("c*")]));
    assert_eq!(filter("a:(b, \"c d\", e:f)"), any([a("b"), a("c d"), a("e:f")]));
    assert_eq!(filter("a:(b)"), a("b"));
    assert_eq!(
        filter("a:(*b* AND NOT (c or d))"),
        all([a("*b*"), not(any([a("c"), a("d")]))])
    );
    assert_eq!(
        filter("NOT a:(b, c AND d) AND x"),
        all([not(any([a("b"), all([a("c"), a("d")])])), word("x")])
    );
    assert_eq!(filter("service:(a, b)"), any([service("a"), service("b")]));
    assert_eq!(
        filter("alert:(one.a OR two)"),
        any([Predicate::Alert("one.a".to_owned()), Predicate::Alert("two".to_owned())])
    );
    assert_eq!(
        filter("a:(>=1 AND <2, [5 TO 6], 10.0.0.0/8, *)"),
        any([
            all([
                field("a", number(Comparison::GreaterOrEqual, 1.0)),
                field("a", number(Comparison::Less, 2.0))
            ]),
            field(
                "a",
                Test::Every(vec![
                    number(Comparison::GreaterOrEqual, 5.0),
                    number(Comparison::LessOrEqual, 6.0)
                ])
            ),
            network("a", "10.0.0.0/8"),
            field("a", Test::Exists),
        ])
    );
}

#[test]
fn ranges() {
    let both = |from, least, to, most| field("a", Test::Every(vec![number(from, least), number(to, most)]));
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let cases = [
        ("a:[1 TO 5]", both(GreaterOrEqual, 1.0, LessOrEqual, 5.0)),
        ("a:{1 TO 5}", both(Greater, 1.0, Less, 5.0)),
        ("a:[-1.5 to 5}", both(GreaterOrEqual, -1.5, Less, 5.0)),
        ("a:{ 1 TO 5 ]", both(Greater, 1.0, LessOrEqual, 5.0)),
        ("(a:[5 TO 5])", both(GreaterOrEqual, 5.0, LessOrEqual, 5.0)),
        ("a:[* TO 5}", field("a", number(Less, 5.0))),
        ("a:{1 TO *]", field("a", number(Greater, 1.0))),
        ("a:[* TO *]", field("a", Test::Exists)),
        ("a:>5", field("a", number(Greater, 5.0))),
        ("a:>= 5", field("a", number(GreaterOrEqual, 5.0))),
        ("a:<-0.5", field("a", number(Less, -0.5))),
        ("a:<=5", field("a", number(LessOrEqual, 5.0))),
        (
            "severity:>=high",
            field("severity", Test::In(vec![text("high"), text("critical")])),
        ),
        (
            "severity:[medium TO critical}",
            field("severity", Test::In(vec![text("medium"), text("high")])),
        ),
        ("level:{info TO *]", condition("level > info")),
    ];
    for (written, expected) in cases {
        assert_eq!(filter(written), expected, "{written}");
    }
    // As it was before there were ranges.
    assert_eq!(filter("guid:{4d36e96e}"), matches("guid", "{4d36e96e}"));
    assert_eq!(filter("a:[b]"), matches("a", "[b]"));
}

#[test]
fn networks() {
    assert_eq!(filter("source_ip:10.1.2.3/8"), network("source_ip", "10.0.0.0/8"));
    assert_eq!(filter("peer:\"2001:db8::/32\""), network("peer", "2001:db8::/32"));
    assert_eq!(condition("a in (10.0.0.0/8)"), network("a", "10.0.0.0/8"));
    assert_eq!(
        condition("source_ip not in (10.0.0.0/8, ::ffff:203.0.113.9, \"2001:DB8::/32\", 203.0.113.8)"),
        not(any([
            field("source_ip", Test::In(vec![text("203.0.113.9"), text("203.0.113.8")])),
            network("source_ip", "10.0.0.0/8"),
            network("source_ip", "2001:db8::/32"),
        ]))
    );
    assert_eq!(
        condition("a in (\"10.0.0.0/8\")"),
        field("a", Test::In(vec![text("10.0.0.0/8")])),
        "in quotes it is text"
    );
}

#[test]
fn regular_expressions() {
    let cases = [
        ("a:/b.c/", "b.c"),
        (r"a:/^\/v[0-9]+\/(admin|root)/", "^/v[0-9]+/(admin|root)"),
        (r#"a:/"x=\d{2,3}",'y'!\\/"#, r#""x=\d{2,3}",'y'!\\"#),
    ];
    for (written, source) in cases {
        assert_eq!(filter(written), field("a", regex(source)), "{written}");
        let beside = filter(&format!("({written}) AND x | where b exists"));
        assert_eq!(
            beside,
            all([field("a", regex(source)), word("x"), field("b", Test::Exists)])
        );
    }
    // What goes on after the second slash, or has a space in it, is a path.
    for path in ["/admin/?", "/a.b/c", "/", "/a.b", "//", "/api/v1.0/users/"] {
        assert_eq!(filter(&format!("path:{path}")), matches("path", path), "{path}");
    }
    assert_eq!(
        filter("path:/ OR path:/"),
        any([matches("path", "/"), matches("path", "/")])
    );
    assert_eq!(filter("path:\"/a.b/\""), matches("path", "/a.b/"));
    assert_eq!(condition(r#"a !~ "b""#), not(field("a", regex("b"))));
}

#[test]
fn what_exists_and_what_alerts() {
    assert_eq!(filter("a:*"), field("a", Test::Exists));
    assert_eq!(filter("NOT a:\"*\""), not(field("a", Test::Exists)));
    assert_eq!(filter("a:?*"), matches("a", "?*"));
    assert_eq!(filter("service:*"), service("*"));
    assert_eq!(
        filter("alert:guide_brute_force"),
        Predicate::Alert("guide_brute_force".to_owned())
    );
}

#[test]
fn fields_beside_fields() {
    let cases = [
        ("=", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<", Comparison::Less),
        ("<=", Comparison::LessOrEqual),
        (">", Comparison::Greater),
        (">=", Comparison::GreaterOrEqual),
    ];
    for (sign, comparison) in cases {
        let relates = Test::Relates(Relation::Compares(comparison), "metadata.b".to_owned());
        assert_eq!(condition(&format!("a {sign} field(metadata.b)")), field("a", relates));
    }
    assert_eq!(
        condition("a = field"),
        field("a", Test::Compare(Comparison::Equal, text("field"))),
        "without a parenthesis it is a word like others"
    );
}

#[test]
fn the_clock_of_another_zone() {
    let zone = |name| Some(TimeZone::get(name).expect("it is one"));
    assert_eq!(
        condition("hour in timezone \"Europe/Berlin\" >= 22"),
        Predicate::Hour(Comparison::GreaterOrEqual, 22, zone("Europe/Berlin"))
    );
    assert_eq!(
        condition("weekday in timezone Asia/Tokyo not in (sat, 7)"),
        not(any([
            Predicate::Weekday(Comparison::Equal, 6, zone("Asia/Tokyo")),
            Predicate::Weekday(Comparison::Equal, 7, zone("Asia/Tokyo")),
        ]))
    );
    assert_eq!(
        condition("hour in timezone utc in (1) OR hour in (2)"),
        any([
            Predicate::Hour(Comparison::Equal, 1, zone("UTC")),
            Predicate::Hour(Comparison::Equal, 2, None),
        ])
    );
}
