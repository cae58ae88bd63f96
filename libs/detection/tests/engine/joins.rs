//! `A | join (B) on k | within W`: pairs, their order, and one alert for a stretch of them.

use event::{AlertId, Event, Key};

use crate::driver::{Engine, HOUR, MINUTE, SECOND, changed, closed, event, evidence, opened, time, updated};

fn query(order: &str) -> String {
    format!("security_event:login_success | join (security_event:password_reset) {order} on user_id | within 1h")
}

fn login(millis: i64) -> Event {
    event(&format!("login-{millis}"), "login_success", millis)
}

fn reset(millis: i64) -> Event {
    event(&format!("reset-{millis}"), "password_reset", millis)
}

/// Whether it fires, whichever of the two arrives first.
fn fires(order: &str, left: &Event, right: &Event) -> bool {
    let of = |events: [&Event; 2]| {
        let mut engine = Engine::new(&[&query(order)]);
        for event in events {
            engine.send([event.clone()]);
        }
        engine.alerts.len() == 1
    };
    let (one, other) = (of([left, right]), of([right, left]));
    assert_eq!(one, other, "the order of arrival matters");
    one
}

#[test]
fn the_two_are_at_most_so_far_apart_and_in_the_order_that_is_asked_for() {
    let (before, after) = (&login(10 * HOUR), 10 * HOUR);
    let cases = [
        ("", -HOUR, true),
        ("", -HOUR - 1, false),
        ("", HOUR, true),
        ("", HOUR + 1, false),
        ("before", -HOUR, true),
        ("before", -HOUR - 1, false),
        ("before", -1, true),
        ("before", 1, false),
        ("after", 1, true),
        ("after", HOUR, true),
        ("after", HOUR + 1, false),
        ("after", -1, false),
        ("then", 1, true),
        ("then", -1, false),
    ];
    for (order, distance, expected) in cases {
        assert_eq!(
            fires(order, before, &reset(after + distance)),
            expected,
            "{order} {distance}"
        );
    }
}

#[test]
fn of_equal_times_the_record_that_comes_first_is_before() {
    for (order, login_first, expected) in [
        ("before", true, false),
        ("before", false, true),
        ("then", true, true),
        ("then", false, false),
        ("", true, true),
    ] {
        let mut engine = Engine::new(&[&query(order)]);
        let events = if login_first {
            [login(0), reset(0)]
        } else {
            [reset(0), login(0)]
        };
        engine.send(events);
        assert_eq!(engine.alerts.len() == 1, expected, "{order} {login_first}");
    }
}

#[test]
fn keys_are_equal_values_of_one_tenant_and_never_absent() {
    let other = |change: fn(&mut Event)| {
        let mut event = reset(0);
        change(&mut event);
        event
    };
    assert!(fires("", &login(0), &other(|_| ())));
    assert!(!fires(
        "",
        &login(0),
        &other(|event| event.user_id = Some("bob".to_owned()))
    ));
    assert!(!fires(
        "",
        &login(0),
        &other(|event| event.user_id = Some("Alice".to_owned()))
    ));
    assert!(!fires(
        "",
        &login(0),
        &other(|event| event.tenant = "globex".to_owned())
    ));
    let nobody = |mut event: Event| {
        event.user_id = None;
        event
    };
    assert!(!fires("", &nobody(login(0)), &nobody(reset(0))));
    let mut engine = Engine::new(&[&query("")]);
    engine.send([nobody(login(0)), nobody(reset(0))]);
    assert_eq!(
        (engine.matched["rule-0"].matched, engine.matched["rule-0"].missing_key),
        (2, 2)
    );
}

#[test]
fn the_fields_of_the_two_sides_may_have_different_names() {
    let mut engine = Engine::new(&[
        "security_event:role_changed | join (security_event:login_success) on target_id = user_id | within 7d",
    ]);
    let mut changed = event("change", "role_changed", HOUR);
    changed.metadata.insert("target_id".to_owned(), "mallory".into());
    let by_mallory = Event {
        user_id: Some("mallory".to_owned()),
        ..login(0)
    };
    engine.send([by_mallory, login(1), changed]);
    assert_eq!(engine.alerts.len(), 1);
    assert_eq!(evidence(&engine.alerts[0]), ["login-0", "change"]);
    assert_eq!(engine.alerts[0].key["target_id"], "mallory");
}

#[test]
fn an_event_does_not_join_itself() {
    let both = "security_event:login_* | join (service:app) on user_id | within 1h";
    let mut engine = Engine::new(&[both]);
    engine.send([login(0)]);
    assert_eq!(engine.told(), []);
    engine.send([login(0)]);
    assert_eq!((engine.told(), engine.tally.duplicate), (vec![], 2));
    engine.send([login(1)]);
    engine.tick(5 * HOUR);
    let words = engine.last_words();
    assert_eq!(words.len(), 1);
    assert_eq!(
        (words[0].count, evidence(&words[0])),
        (2, vec!["login-0", "login-1"]),
        "each event once"
    );
}

#[test]
fn the_nearest_on_the_right_is_the_evidence() {
    let cases: [(&str, &[i64], &[&str]); 6] = [
        ("", &[-50, -20, 30], &["reset--20", "login-0"]),
        ("", &[-50, 20, 30], &["login-0", "reset-20"]),
        ("", &[-20, 20], &["reset--20", "login-0"]),
        ("before", &[-50, -20, 10], &["reset--20", "login-0"]),
        ("after", &[-10, 30, 20], &["login-0", "reset-20"]),
        ("", &[-2 * HOUR, 2 * HOUR, -HOUR], &["reset--3600000", "login-0"]),
    ];
    for (order, resets, expected) in cases {
        let mut engine = Engine::new(&[&query(order)]);
        engine.send([login(0)]);
        for reset_at in resets {
            engine.send([reset(*reset_at)]);
        }
        engine.tick(10 * HOUR);
        let words = engine.last_words();
        assert_eq!(words.len(), 1);
        assert_eq!(evidence(&words[0]), expected, "{order} {resets:?}");
        assert_eq!(words[0].count, 2);
    }
}

#[test]
fn a_stretch_of_pairs_is_one_alert() {
    let mut engine = Engine::new(&[&query("")]);
    engine.send([
        reset(0),
        login(MINUTE),
        login(2 * MINUTE),
        reset(3 * MINUTE),
        login(4 * MINUTE),
    ]);
    assert_eq!(engine.told(), [opened(0, MINUTE, 2)]);
    engine.tick(4 * MINUTE + HOUR + 11 * SECOND);
    let words = engine.alerts.clone();
    assert_eq!(
        engine.told(),
        [closed(0, 4 * MINUTE, 5)],
        "each login and the reset nearest to it, and not six pairs"
    );
    assert_eq!(
        evidence(&words[0]),
        ["reset-0", "login-60000", "login-120000", "reset-180000", "login-240000"]
    );
}

#[test]
fn pairs_further_apart_than_keep_alive_are_two_alerts() {
    for (gap, expected) in [(HOUR, 1), (HOUR + 1, 2)] {
        let mut engine = Engine::new(&[&query("")]);
        engine.send([reset(0), login(0), login(gap), reset(gap)]);
        engine.tick(10 * HOUR);
        assert_eq!(engine.last_words().len(), expected, "{gap}");
    }
}

/// A reset between two logins that are further apart than the keep-alive opens an episode at each of them.
#[test]
fn two_stretches_that_one_event_opens_are_two_alerts() {
    let mut engine = Engine::new(&[&query("")]);
    engine.send([login(0), login(2 * HOUR)]);
    engine.send([reset(HOUR)]);
    engine.tick(10 * HOUR);
    let words = engine.last_words();
    let spans: Vec<_> = words
        .iter()
        .map(|alert| {
            (
                alert.first_event_at.as_millis(),
                alert.last_event_at.as_millis(),
                alert.opened_at.as_millis(),
            )
        })
        .collect();
    assert_eq!(spans, [(0, HOUR, 0), (HOUR, 2 * HOUR, 2 * HOUR)]);
    let key = Key::new("acme", ["alice"]);
    for (alert, (opening, at)) in words.iter().zip([("login-0", 0), ("login-7200000", 2 * HOUR)]) {
        let id = AlertId::new("acme", "rule-0", alert.rule_hash, &key, opening, time(at));
        assert_eq!(alert.alert_id, id, "of the login that it is about");
    }
}

#[test]
fn a_late_pair_joins_two_stretches() {
    let mut engine = Engine::new(&[&query("")]);
    engine.send([reset(0), login(0), reset(100 * MINUTE), login(100 * MINUTE)]);
    engine.send([login(50 * MINUTE)]);
    let merged: Vec<_> = engine
        .alerts
        .iter()
        .filter(|alert| alert.merged_into.is_some())
        .collect();
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].merged_into, Some(engine.alerts[0].alert_id));
    engine.alerts.retain(|alert| alert.merged_into.is_none());
    engine.tick(10 * HOUR);
    assert_eq!(engine.told().last(), Some(&closed(0, 100 * MINUTE, 5)));
}

#[test]
fn what_was_told_of_a_closed_alert_is_corrected_when_nearer_evidence_comes_late() {
    let mut engine = Engine::new(&[&format!("{} | lateness 3h", query(""))]);
    engine.send([
        reset(0),
        login(0),
        login(30 * MINUTE),
        reset(40 * MINUTE),
        login(60 * MINUTE),
        reset(60 * MINUTE),
    ]);
    engine.tick(121 * MINUTE);
    assert_eq!(engine.told().last(), Some(&closed(0, 60 * MINUTE, 6)));
    engine.send([reset(35 * MINUTE)]);
    let words = engine.alerts.clone();
    assert_eq!(
        engine.told(),
        [closed(0, 60 * MINUTE, 6)],
        "as long and as many as before, but others"
    );
    assert!(evidence(&words[0]).contains(&"reset-2100000"));
    assert!(!evidence(&words[0]).contains(&"reset-2400000"));
    engine.send([reset(50 * MINUTE)]);
    assert_eq!(engine.told(), [], "one that is no evidence is no news");
}

#[test]
fn a_message_speaks_of_the_left_event_even_if_the_right_one_comes_later() {
    let told = |reset_first: bool| {
        let mut engine = Engine::new(&[&query("")]);
        let (left, mut right) = (login(0), reset(1));
        right.source_ip = Some("198.51.100.9".to_owned());
        engine.send(if reset_first { [right, left] } else { [left, right] });
        engine.alerts[0].message.clone()
    };
    assert_eq!(told(true), "alice from 203.0.113.7");
    assert_eq!(told(false), "alice from 203.0.113.7");
}

/// Of two left events of one moment, the message speaks of the one at which the rule holds.
#[test]
fn a_message_speaks_of_the_event_that_joined_and_not_of_its_neighbour() {
    let mut engine = Engine::new(&[&query("before")]);
    let neighbour = Event {
        source_ip: Some("198.51.100.9".to_owned()),
        ..event("neighbour", "login_success", 0)
    };
    engine.send([neighbour, reset(0), login(0)]);
    assert_eq!(engine.alerts[0].message, "alice from 203.0.113.7");
    assert_eq!(evidence(&engine.alerts[0]), ["reset-0", "login-0"]);
}

#[test]
fn a_right_event_alone_or_more_of_them_tell_nobody() {
    let mut engine = Engine::new(&[&query("")]);
    engine.send((0..50).map(|n| reset(n * SECOND)));
    assert_eq!(engine.told(), []);
    engine.send([login(HOUR)]);
    assert_eq!(engine.told(), [opened(49 * SECOND, HOUR, 2)]);
}

#[test]
fn a_login_that_goes_on_for_hours_is_told_of_hourly() {
    let mut engine = Engine::with(&changed(&query(""), |_| ()));
    for n in 0..9 {
        engine.send([login(n * 20 * MINUTE), reset(n * 20 * MINUTE)]);
    }
    let told = engine.told();
    assert_eq!(told[0], opened(0, 0, 2));
    assert_eq!(told[1..], [updated(0, 60 * MINUTE, 7), updated(0, 120 * MINUTE, 13)]);
}
