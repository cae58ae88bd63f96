//! `count > N in W`: which sets of events are enough.

use crate::driver::{BRUTE_FORCE, Engine, MINUTE, SECOND, event, evidence, failures, opened};

/// How many events the alert speaks of that opens, if one does.
fn opens(events: impl IntoIterator<Item = event::Event>) -> Option<u64> {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send(events);
    assert!(
        engine.alerts.len() <= 1,
        "one attack is one alert: {:#?}",
        engine.alerts
    );
    engine.alerts.first().map(|alert| alert.count)
}

#[test]
fn ten_are_silent_and_the_eleventh_fires_at_once() {
    assert_eq!(opens(failures((0..10).map(|n| n * SECOND))), None);
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    for one in failures((0..11).map(|n| n * SECOND)) {
        assert_eq!(engine.told(), []);
        engine.send([one]);
    }
    assert_eq!(engine.told(), [opened(0, 10 * SECOND, 11)]);
}

#[test]
fn the_window_is_closed_at_both_ends() {
    let within = |last: i64| opens(failures((0..10).chain([last])));
    assert_eq!(within(5 * MINUTE), Some(11));
    assert_eq!(within(5 * MINUTE + 1), None, "the first is a millisecond too old");
}

#[test]
fn a_window_is_any_span_not_a_bucket() {
    let around_a_full_window = (0..6)
        .map(|n| 5 * MINUTE - 60 * SECOND + n)
        .chain((0..5).map(|n| 5 * MINUTE + 60 * SECOND + n));
    assert_eq!(opens(failures(around_a_full_window)), Some(11));
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    for order in [
        vec![10, 0, 5, 1, 9, 2, 8, 3, 7, 4, 6],
        (0..11).rev().collect::<Vec<i64>>(),
    ] {
        assert_eq!(opens(failures(order.iter().map(|n| n * SECOND))), Some(11), "{order:?}");
    }
}

#[test]
fn events_of_one_moment_count_one_by_one() {
    let same = |count: usize| (0..count).map(|n| event(&format!("same-{n}"), "login_failed", 7));
    assert_eq!(opens(same(10)), None);
    assert_eq!(opens(same(11)), Some(11));
}

#[test]
fn a_repeated_message_weighs_what_it_repeats() {
    let weighing = |weights: &[u32]| {
        opens(weights.iter().enumerate().map(|(at, repeat)| event::Event {
            repeat: *repeat,
            ..event(&format!("w-{at}"), "login_failed", i64::try_from(at).unwrap())
        }))
    };
    assert_eq!(weighing(&[5, 5]), None);
    assert_eq!(weighing(&[5, 6]), Some(11));
    assert_eq!(weighing(&[11]), Some(11));
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send([event::Event {
        repeat: 20,
        ..event("sshd", "login_failed", 0)
    }]);
    assert_eq!(engine.alerts[0].events.len(), 1, "it is one record");
    assert_eq!(engine.alerts[0].events[0].weight, 20);
}

#[test]
fn the_same_event_counts_once() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let ten = failures((0..10).map(|n| n * SECOND));
    engine.send(ten.iter().chain(&ten).cloned());
    engine.send(ten.clone());
    assert_eq!(engine.told(), []);
    assert_eq!((engine.tally.applied, engine.tally.duplicate), (10, 20));
    let retried_later = event::Event {
        time: crate::driver::time(20 * SECOND),
        ..ten[3].clone()
    };
    engine.send([retried_later]);
    assert_eq!(
        engine.told(),
        [],
        "a retry with the same id and another time is the same event"
    );
    engine.send(failures([10 * SECOND]));
    assert_eq!(engine.told(), [opened(0, 10 * SECOND, 11)]);
}

#[test]
fn events_without_a_key_are_counted_and_never_pooled() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let without = |source_ip: Option<&str>| {
        let source_ip = source_ip.map(str::to_owned);
        failures(0..20).into_iter().map(move |event| event::Event {
            source_ip: source_ip.clone(),
            ..event
        })
    };
    engine.send(without(None));
    engine.send(without(Some("")));
    assert_eq!(engine.told(), []);
    let tally = engine.matched["rule-0"];
    assert_eq!((tally.matched, tally.missing_key), (40, 40));
    assert_eq!((engine.records.len(), engine.keys()), (0, 0));
}

#[test]
fn groups_are_the_whole_tuple() {
    let mut engine =
        Engine::new(&["security_event:login_failed | window 5m | group by source_ip, user_id | count > 2"]);
    let from = |ip: &str, user: &str, at: i64| event::Event {
        source_ip: Some(ip.to_owned()),
        user_id: Some(user.to_owned()),
        ..event(&format!("{ip}-{user}-{at}"), "login_failed", at)
    };
    engine.send([
        from("a", "x", 0),
        from("a", "y", 1),
        from("b", "x", 2),
        from("a", "x", 3),
        from("xa", "", 4),
    ]);
    assert_eq!(engine.told(), []);
    assert_eq!(engine.matched["rule-0"].missing_key, 1, "half a key is none");
    engine.send([from("a", "x", 5)]);
    assert_eq!(engine.alerts.len(), 1);
    let key = serde_json::to_string(&engine.alerts[0].key).unwrap();
    assert_eq!(key, r#"{"source_ip":"a","user_id":"x"}"#);
    assert_eq!(evidence(&engine.alerts[0]), ["a-x-0", "a-x-3", "a-x-5"]);
    assert_eq!(engine.alerts[0].message, "x from a");
}

#[test]
fn tenants_are_apart_even_with_equal_ids_and_addresses() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let of = |tenant: &str, count: i64| {
        let tenant = tenant.to_owned();
        failures((0..count).map(|n| n * SECOND))
            .into_iter()
            .map(move |event| event::Event {
                tenant: tenant.clone(),
                ..event
            })
    };
    engine.send(of("acme", 10).chain(of("globex", 10)));
    assert_eq!(engine.told(), []);
    engine.send(of("globex", 11));
    assert_eq!(engine.alerts.len(), 1);
    assert_eq!(engine.alerts[0].tenant, "globex");
    assert_eq!(engine.tally.duplicate, 10);
}

#[test]
fn without_a_group_a_tenant_is_one_group() {
    let mut engine = Engine::new(&["security_event:login_failed | window 5m | count >= 3"]);
    engine.send((0..3).map(|n| event::Event {
        source_ip: None,
        user_id: Some(format!("user-{n}")),
        ..event(&format!("e-{n}"), "login_failed", n)
    }));
    assert_eq!(engine.alerts.len(), 1);
    assert!(engine.alerts[0].key.is_empty());
    assert_eq!(engine.alerts[0].message, "user-2 from unknown");
}
