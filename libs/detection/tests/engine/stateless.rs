//! Rules without window, join or group: one alert for each event, which never closes.

use event::AlertStatus;

use crate::driver::{Engine, HOUR, changed, event, evidence};

const IMPOSSIBLE_TRAVEL: &str = "service:security AND security_event:impossible_travel";

#[test]
fn each_event_is_an_alert_that_never_closes() {
    let mut engine = Engine::new(&[IMPOSSIBLE_TRAVEL]);
    engine.send((0..3).map(|n| event(&format!("trip-{n}"), "impossible_travel", n)));
    engine.send([event("other", "login_failed", 5)]);
    engine.tick(100 * HOUR);
    assert_eq!(engine.alerts.len(), 3);
    for (at, alert) in engine.alerts.iter().enumerate() {
        assert_eq!((alert.status, alert.revision, alert.count), (AlertStatus::Opened, 1, 1));
        assert_eq!(evidence(alert), [format!("trip-{at}")]);
        assert_eq!(alert.message, "alice from 203.0.113.7");
        assert_eq!(
            (alert.opened_at, alert.first_event_at),
            (alert.last_event_at, alert.opened_at)
        );
    }
    assert_eq!(engine.last_words().len(), 3, "each has an id of its own");
    assert_eq!(
        (engine.records.len(), engine.keys()),
        (1, 0),
        "nothing is asked of correlate but the tick"
    );
}

#[test]
fn its_id_is_of_the_event_the_meaning_and_nothing_else() {
    let id = |rules: &ruleset::RuleSet, event: event::Event| {
        let mut engine = Engine::with(rules);
        engine.send_at(10, [crate::driver::event("before", "impossible_travel", 1), event]);
        engine.alerts[1].alert_id
    };
    let same = changed(IMPOSSIBLE_TRAVEL, |_| ());
    let trip = || event("trip", "impossible_travel", 7);
    assert_eq!(id(&same, trip()), id(&same, trip()));
    let edited = changed(IMPOSSIBLE_TRAVEL, |rule| {
        rule.title = "Other".to_owned();
        rule.message.parts.clear();
    });
    assert_eq!(id(&same, trip()), id(&edited, trip()));
    let narrower = crate::driver::rules(&[&format!("{IMPOSSIBLE_TRAVEL} AND user_id:alice")]);
    assert_ne!(id(&same, trip()), id(&narrower, trip()));
    assert_ne!(id(&same, trip()), id(&same, event("trap", "impossible_travel", 7)));
    assert_ne!(id(&same, trip()), id(&same, event("trip", "impossible_travel", 8)));
    let elsewhere = event::Event {
        tenant: "globex".to_owned(),
        ..trip()
    };
    assert_ne!(id(&same, trip()), id(&same, elsewhere));
}

#[test]
fn a_rule_under_test_or_off_tells_nobody() {
    for (mode, matched) in [(ruleset::Mode::Test, 1), (ruleset::Mode::Off, 0)] {
        let mut engine = Engine::with(&changed(IMPOSSIBLE_TRAVEL, |rule| rule.mode = mode));
        engine.send([event("trip", "impossible_travel", 0)]);
        assert_eq!(engine.told(), []);
        assert_eq!(engine.matched.get("rule-0").map_or(0, |tally| tally.matched), matched);
    }
}

#[test]
fn a_repeated_message_is_one_alert_that_says_how_often() {
    let mut engine = Engine::new(&[IMPOSSIBLE_TRAVEL]);
    engine.send([event::Event {
        repeat: 4,
        ..event("trip", "impossible_travel", 0)
    }]);
    assert_eq!(engine.alerts.iter().map(|alert| alert.count).collect::<Vec<_>>(), [4]);
}
