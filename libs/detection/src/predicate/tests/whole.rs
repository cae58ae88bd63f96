//! What is asked of the event as a whole.

use super::*;

#[test]
fn a_word_is_a_tag_or_a_term_of_the_message() {
    let cases = [
        ("new_device_login", Yes),
        ("NEW_DEVICE_LOGIN", Yes),
        ("new_device", No),
        ("device", No),
        ("failed", Yes),
        ("fail", No),
        ("security", Yes),
        ("vpn", Yes),
        ("vp", No),
        ("two words", Yes),
        ("words", No),
        ("a.b", Yes),
        // A phrase: the words next to each other, in that order.
        ("failed password", Yes),
        ("FAILED PASSWORD for", Yes),
        ("password failed", No),
        ("failed for", No),
        ("failed  password", Yes),
        // An address is one word to its author and four terms to us.
        ("203.0.113.7", Yes),
        ("203.0.113.70", No),
        ("0.113", Yes),
        // Letters beyond ASCII have two cases too.
        ("ärger", Yes),
        ("", No),
        ("()", No),
    ];
    for (words, expected) in cases {
        assert_eq!(ask(&word(words), &login()), expected, "{words}");
        assert_eq!(ask(&not(word(words)), &login()), !expected, "never unknown: {words}");
    }
    let silent = Event {
        message: String::new(),
        tags: Vec::new(),
        ..login()
    };
    assert_eq!(ask(&word("failed"), &silent), No);
}

#[test]
fn service_has_two_places_and_security_is_also_what_says_what_happened() {
    let service = |source: &str| Predicate::Service(pattern(source));
    let plain = || {
        let mut event = login();
        event.security_event = None;
        event.metadata.clear();
        event
    };
    let of = |change: fn(&mut Event)| {
        let mut event = plain();
        change(&mut event);
        event
    };
    let security = |event: &Event| ask(&service("security"), event);
    assert_eq!(security(&plain()), No);
    assert_eq!(ask(&not(service("security")), &plain()), Yes);
    assert_eq!(security(&of(|event| event.service = "Security".to_owned())), Yes);
    assert_eq!(
        security(&of(|event| {
            event.metadata.insert("service".to_owned(), "SECURITY".into());
        })),
        Yes
    );
    assert_eq!(security(&of(|event| event.security_event = Some("x".to_owned()))), Yes);
    let failed = login();
    for (source, expected) in [
        ("auth-api", Yes),
        ("auth-*", Yes),
        ("billing", Yes),
        ("secur*", Yes),
        ("web", No),
        ("login_failed", No),
    ] {
        assert_eq!(ask(&service(source), &failed), expected, "service:{source}");
    }
}

#[test]
fn anywhere_is_every_text_and_nothing_else() {
    let anywhere = |source: &str| Predicate::Anywhere(Test::Matches(pattern(source)));
    let cases = [
        ("*failed password*", Yes),
        ("auth-api", Yes),
        ("ALICE", Yes),
        ("acme", Yes),
        ("high", Yes),
        ("login_failed", Yes),
        ("zürich", Yes),
        // Within a list in an object in a list.
        ("needle in*", Yes),
        ("admin", Yes),
        ("8080", Yes),
        // Neither the names of fields, nor numbers, nor tags, nor when it was.
        ("country", No),
        ("559", No),
        ("vpn", No),
        ("1970*", No),
        ("true", No),
        ("3", No),
    ];
    for (source, expected) in cases {
        assert_eq!(ask(&anywhere(source), &login()), expected, "{source}");
        assert_eq!(
            ask(&not(anywhere(source)), &login()),
            !expected,
            "never unknown: {source}"
        );
    }
    let regex = |source: &str| Predicate::Anywhere(Test::Regex(RegexPattern(source.parse().unwrap())));
    assert_eq!(ask(&regex("^needle.*stack$"), &login()), Yes);
    assert_eq!(ask(&regex("^haystack"), &login()), No);
}

#[test]
fn a_pattern_may_regard_case_and_have_its_wildcards_escaped() {
    let of = |pattern: TextPattern| field("user_id", Test::Matches(pattern));
    let cases = [
        (TextPattern::glob("Alice").cased(), Yes),
        (TextPattern::glob("alice").cased(), No),
        (TextPattern::glob("A*e").cased(), Yes),
        (TextPattern::glob("a*e").cased(), No),
        (TextPattern::glob("*lic*").cased(), Yes),
        (TextPattern::glob("*LIC*").cased(), No),
        (TextPattern::exact("A*e"), No),
        (TextPattern::new(vec![Piece::Text("al".to_owned()), Piece::Many]), Yes),
    ];
    for (pattern, expected) in cases {
        assert_eq!(ask(&of(pattern.clone()), &login()), expected, "{pattern:?}");
    }
    let starred = Event {
        user_id: Some("a*E".to_owned()),
        ..login()
    };
    assert_eq!(ask(&of(TextPattern::exact("A*e")), &starred), Yes);
}

/// Events are not alerts; an alert is one of the rule it names.
#[test]
fn an_alert_is_the_opening_of_an_alert_of_that_rule() {
    let asked = Predicate::All(vec![
        Predicate::Alert("brute_force".to_owned()),
        matches("source_ip", "203.*"),
    ]);
    assert_eq!(ask(&asked, &login()), No);
    let mut slots = Slots::default();
    let condition = Condition::new(&asked, &TimeZone::UTC, &mut slots);
    let alert_of = |id: &'static str| {
        let value = |name: &str| (name == "source_ip").then(|| FieldValue::from("203.0.113.7"));
        let subject = Subject {
            time: Timestamp::from_millis(0),
            values: slots.fill(value),
            tags: Vec::new(),
            texts: Vec::new(),
            alert_of: Some(id),
        };
        condition.ask(&subject)
    };
    assert_eq!(alert_of("brute_force"), Yes);
    assert_eq!(alert_of("Brute_Force"), No);
}
