//! What is asked of values beyond their text.

use super::*;

#[test]
fn of_a_list_one_element_has_to_fit() {
    use Comparison::{Equal, Greater, NotEqual};
    use Literal::{Bool, Number};
    let network = |text: &str| Test::Network(text.parse().unwrap());
    let cases = [
        ("roles", Test::Matches(pattern("ADMIN")), Yes),
        ("roles", Test::Matches(pattern("adm*")), Yes),
        ("roles", Test::Matches(pattern("root")), No),
        // The list as a whole is no text.
        ("roles", Test::Matches(pattern("admin, user")), No),
        ("roles", Test::Compare(Equal, text("user")), Yes),
        // One that is not `user` is enough.
        ("roles", Test::Compare(NotEqual, text("user")), Yes),
        ("roles", Test::In(vec![text("root"), text("admin")]), Yes),
        ("roles", Test::Regex(RegexPattern("^use".parse().unwrap())), Yes),
        ("mixed", Test::Compare(Greater, Number(4.0)), Yes),
        // `x` is no number, so nobody knows.
        ("mixed", Test::Compare(Greater, Number(5.0)), Unknown),
        ("mixed", Test::Compare(Equal, Bool(true)), Yes),
        ("peers", network("2001:db8::/32"), Yes),
        ("peers", network("10.0.0.0/8"), No),
        ("mixed", network("10.0.0.0/8"), Unknown),
    ];
    for (name, test, expected) in cases {
        assert_eq!(ask(&field(name, test.clone()), &login()), expected, "{name} {test:?}");
    }
    assert_eq!(ask(&not(matches("roles", "admin")), &login()), No);
    assert_eq!(ask(&not(matches("roles", "root")), &login()), Yes);
}

#[test]
fn a_range_is_fitted_by_one_value() {
    let between = |low, high| {
        let limit = |comparison, value| Test::Compare(comparison, Literal::Number(value));
        let limits = vec![
            limit(Comparison::GreaterOrEqual, low),
            limit(Comparison::LessOrEqual, high),
        ];
        Test::Every(limits)
    };
    let cases = [
        ("attempts", 7.0, 9.0, Yes),
        ("attempts", 8.0, 9.0, No),
        ("attempts", 1.0, 6.0, No),
        ("city", 1.0, 6.0, Unknown),
        ("nowhere", 1.0, 6.0, Unknown),
        // 4 is below, 9 above, and neither between.
        ("far_apart", 5.0, 8.0, No),
        ("far_apart", 5.0, 9.0, Yes),
    ];
    for (name, low, high, expected) in cases {
        assert_eq!(
            ask(&field(name, between(low, high)), &login()),
            expected,
            "{name} {low} {high}"
        );
    }
}

#[test]
fn an_address_is_in_a_network_however_it_is_spelled() {
    let cases = [
        ("source_ip", "203.0.113.0/24", Yes),
        ("source_ip", "203.0.113.7/32", Yes),
        ("source_ip", "203.0.112.0/24", No),
        ("source_ip", "0.0.0.0/0", Yes),
        ("source_ip", "::/0", No),
        ("source_ip", "::ffff:203.0.113.0/120", Yes),
        ("peer", "203.0.113.0/24", Yes),
        ("peer", "10.0.0.0/8", No),
        ("user_id", "0.0.0.0/0", Unknown),
        ("attempts", "0.0.0.0/0", Unknown),
        ("user_role", "0.0.0.0/0", Unknown),
    ];
    for (name, network, expected) in cases {
        let asked = field(name, Test::Network(network.parse().unwrap()));
        assert_eq!(ask(&asked, &login()), expected, "{name} in {network}");
    }
}

#[test]
fn fields_relate_as_text_in_any_case_and_numbers_as_numbers() {
    use Comparison::{Equal, Greater, Less, NotEqual};
    use Relation::{Compares, Contains, EndsWith, StartsWith};
    let cases = [
        ("user_id", Compares(Equal), "account", Yes),
        ("user_id", Compares(NotEqual), "account", No),
        ("user_id", Compares(Equal), "city", No),
        ("user_id", Compares(Less), "city", Yes),
        ("user_id", Compares(Greater), "city", No),
        // 7 and 7.0; and 8080 in text is above 900, which its letters are not.
        ("attempts", Compares(Equal), "limit", Yes),
        ("port", Compares(Greater), "hundreds", Yes),
        ("hundreds", Compares(Less), "port", Yes),
        ("path", Contains, "user_id", Yes),
        ("path", Contains, "city", No),
        ("path", Contains, "empty", Yes),
        ("empty", Contains, "empty", Yes),
        ("message", Contains, "source_ip", Yes),
        ("path", StartsWith, "user_id", No),
        ("account", StartsWith, "user_id", Yes),
        ("empty", StartsWith, "user_id", No),
        ("account", EndsWith, "user_id", Yes),
        ("user_id", EndsWith, "path", No),
        // One element of either list.
        ("roles", Compares(Equal), "mixed", No),
        ("mixed", Compares(Equal), "mixed", Yes),
        ("user_id", Compares(Equal), "user_role", Unknown),
        ("user_role", Compares(Equal), "user_id", Unknown),
    ];
    for (name, relation, other, expected) in cases {
        let asked = field(name, Test::Relates(relation, other.to_owned()));
        assert_eq!(ask(&asked, &login()), expected, "{name} {relation:?} {other}");
    }
    let capital = Event {
        user_id: Some("ZÜR".to_owned()),
        ..login()
    };
    for (relation, expected) in [(StartsWith, Yes), (Contains, Yes), (EndsWith, No)] {
        let asked = field("city", Test::Relates(relation, "user_id".to_owned()));
        assert_eq!(ask(&asked, &capital), expected, "{relation:?}");
    }
}
