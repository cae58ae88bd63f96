//! When an alert opens, goes on, closes and begins anew.

use event::AlertStatus;

use crate::driver::{
    BRUTE_FORCE, DISORDER, Engine, HOUR, MINUTE, SECOND, changed, closed, event, evidence, failures, opened, updated,
};

/// Three failures within a minute; an episode lasts until two minutes after.
const QUICK: &str = "security_event:login_failed | window 1m | group by source_ip | count >= 3 | keep_alive 2m";

/// Three failures, a second apart, of which the last makes it true.
fn burst(last: i64) -> Vec<event::Event> {
    failures([last - 2 * SECOND, last - SECOND, last])
}

#[test]
fn an_attack_is_one_alert_that_closes_with_everything_in_it() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    for one in failures((0..30).map(|n| n * SECOND)) {
        engine.send([one]);
    }
    assert_eq!(engine.told(), [opened(0, 10 * SECOND, 11)]);
    let ends_after = 29 * SECOND + 5 * MINUTE;
    engine.tick(ends_after + DISORDER);
    assert_eq!(
        engine.told(),
        [],
        "the watermark has reached its end, and not passed it"
    );
    engine.send(failures([ends_after + 1]));
    assert_eq!(engine.told(), [], "nor does an event after its end close it");
    engine.tick(ends_after + DISORDER + 1);
    let last = engine.alerts.clone();
    assert_eq!(engine.told(), [closed(0, 29 * SECOND, 30)]);
    let ids: Vec<String> = (0..30).map(|n| format!("at-{}", n * SECOND)).collect();
    assert_eq!(evidence(&last[0]), ids);
    assert_eq!((last[0].revision, last[0].events_omitted), (2, 0));
    assert_eq!(last[0].opened_at.as_millis(), 10 * SECOND);
    engine.tick(ends_after + 2 * HOUR);
    assert_eq!(engine.told(), [], "it closes once");
}

#[test]
fn exactly_keep_alive_apart_is_the_same_episode_and_a_millisecond_more_is_not() {
    for (gap, alerts) in [(2 * MINUTE, 1), (2 * MINUTE + 1, 2)] {
        let mut engine = Engine::new(&[QUICK]);
        engine.send(burst(10 * SECOND));
        engine.send(burst(10 * SECOND + gap));
        engine.tick(HOUR);
        let words = engine.last_words();
        assert_eq!(words.len(), alerts, "{gap} ms");
        assert!(words.iter().all(|alert| alert.status == AlertStatus::Closed));
        let first_to_last = (
            words[0].first_event_at.as_millis(),
            words[alerts - 1].last_event_at.as_millis(),
        );
        assert_eq!(first_to_last, (8 * SECOND, 10 * SECOND + gap));
    }
}

#[test]
fn after_a_gap_it_fires_again_though_the_old_one_is_not_closed_yet() {
    let mut engine = Engine::new(&[QUICK]);
    engine.send(burst(10 * SECOND));
    engine.send(burst(10 * MINUTE));
    assert_eq!(
        engine.told(),
        [
            opened(8 * SECOND, 10 * SECOND, 3),
            opened(10 * MINUTE - 2 * SECOND, 10 * MINUTE, 3)
        ]
    );
    engine.tick(HOUR);
    assert_eq!(
        engine.told(),
        [
            closed(8 * SECOND, 10 * SECOND, 3),
            closed(10 * MINUTE - 2 * SECOND, 10 * MINUTE, 3)
        ]
    );
}

#[test]
fn a_late_event_extends_an_alert_that_was_closed() {
    let mut engine = Engine::new(&[QUICK]);
    engine.send(burst(10 * SECOND));
    engine.tick(30 * MINUTE);
    engine.alerts.clear();
    engine.send(failures([20 * SECOND]));
    assert_eq!(engine.told(), [closed(8 * SECOND, 20 * SECOND, 4)]);
    engine.send(failures([7 * SECOND]));
    assert_eq!(
        engine.told(),
        [closed(7 * SECOND, 20 * SECOND, 5)],
        "before its first event too"
    );
}

#[test]
fn an_alert_is_remembered_as_long_as_an_event_may_belong_to_it() {
    let mut engine = Engine::new(&[QUICK]);
    engine.send(burst(10 * SECOND));
    let ends_after = 10 * SECOND + 2 * MINUTE;
    engine.tick(ends_after + HOUR + DISORDER);
    engine.alerts.clear();
    let late = |n| event(&format!("late-{n}"), "login_failed", ends_after);
    engine.send((0..3).map(late));
    assert_eq!(engine.told(), [closed(8 * SECOND, ends_after, 6)]);
}

#[test]
fn a_late_event_opens_a_closed_alert_again_if_it_is_not_over() {
    let mut engine = Engine::new(&[QUICK]);
    engine.send(burst(10 * SECOND));
    engine.tick(10 * SECOND + 2 * MINUTE + DISORDER + 1);
    assert_eq!(engine.told().last().unwrap().status, AlertStatus::Closed);
    engine.send(failures([20 * SECOND]));
    assert_eq!(engine.told(), [updated(8 * SECOND, 20 * SECOND, 4)]);
    engine.tick(HOUR);
    assert_eq!(engine.told(), [closed(8 * SECOND, 20 * SECOND, 4)]);
}

#[test]
fn a_late_event_joins_two_episodes_and_the_earlier_goes_on() {
    let mut engine = Engine::new(&[QUICK]);
    engine.send(burst(60 * SECOND));
    engine.send(burst(290 * SECOND));
    let ids: Vec<_> = engine.alerts.iter().map(|alert| alert.alert_id).collect();
    assert_eq!(ids.len(), 2);
    engine.tick(HOUR);
    engine.alerts.clear();
    engine.send(failures([173 * SECOND, 174 * SECOND, 175 * SECOND]));
    let alerts = engine.alerts.clone();
    assert_eq!(
        engine.told(),
        [
            closed(288 * SECOND, 290 * SECOND, 3),
            closed(58 * SECOND, 290 * SECOND, 9)
        ]
    );
    assert_eq!((alerts[0].alert_id, alerts[0].merged_into), (ids[1], Some(ids[0])));
    assert_eq!((alerts[1].alert_id, alerts[1].merged_into), (ids[0], None));
    assert_eq!((alerts[0].revision, alerts[1].revision), (3, 3));
}

/// A keep-alive longer than the window: between two moments of truth lie events that no window holds. They contribute
/// only if a late event makes a window of them.
#[test]
fn what_lies_between_the_windows_of_an_episode_does_not_contribute() {
    let mut engine =
        Engine::new(&["security_event:login_failed | window 1m | group by source_ip | count >= 3 | keep_alive 10m"]);
    engine.send(burst(60 * SECOND));
    engine.send(failures([200 * SECOND, 300 * SECOND, 301 * SECOND]));
    engine.tick(HOUR + 60 * SECOND + DISORDER);
    engine.send(failures([501 * SECOND]));
    engine.send(failures([502 * SECOND, 503 * SECOND]));
    engine.send(failures([299 * SECOND]));
    engine.tick(5 * HOUR);
    let words = engine.last_words();
    assert_eq!((words.len(), words[0].count), (1, 9), "{words:#?}");
    assert!(!evidence(&words[0]).contains(&"at-200000"));
    assert!(evidence(&words[0]).contains(&"at-300000"));
}

#[test]
fn people_are_told_again_at_tenfold_growth() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    for one in failures((0..1100).map(|n| n * 100)) {
        engine.send([one]);
    }
    let counts: Vec<_> = engine.told().iter().map(|told| (told.status, told.count)).collect();
    assert_eq!(
        counts,
        [
            (AlertStatus::Opened, 11),
            (AlertStatus::Updated, 110),
            (AlertStatus::Updated, 1100)
        ]
    );
}

#[test]
fn people_are_told_again_after_an_hour() {
    let mut engine = Engine::new(&[QUICK]);
    for one in failures((0..500).map(|n| n * 20 * SECOND)) {
        engine.send([one]);
    }
    let told = engine.told();
    let times: Vec<_> = told.iter().map(|told| told.last).collect();
    let tenfold = 29 * 20 * SECOND;
    assert_eq!(
        times,
        [40 * SECOND, tenfold, tenfold + HOUR, tenfold + 2 * HOUR],
        "{told:?}"
    );
}

#[test]
fn a_rule_under_test_tells_nobody() {
    let rules = changed(QUICK, |rule| rule.mode = ruleset::Mode::Test);
    let mut engine = Engine::with(&rules);
    engine.send(burst(10 * SECOND));
    engine.tick(HOUR);
    assert_eq!(engine.told(), []);
    assert_eq!(engine.tally.applied, 3, "it runs and is counted");
    let rules = changed(QUICK, |rule| rule.mode = ruleset::Mode::Off);
    let mut engine = Engine::with(&rules);
    engine.send(burst(10 * SECOND));
    assert_eq!(
        (engine.told(), engine.records.len()),
        (Vec::new(), 0),
        "a rule that is off does not run"
    );
}

/// A keep-alive shorter than the window: what one late event makes true may be two episodes, and those are two alerts.
#[test]
fn two_episodes_that_one_event_opens_have_ids_of_their_own() {
    let mut engine =
        Engine::new(&["security_event:login_failed | window 5m | group by source_ip | count >= 3 | keep_alive 1m"]);
    engine.send(failures([0, 10 * SECOND, 305 * SECOND]));
    assert_eq!(engine.told(), []);
    engine.send(failures([30 * SECOND]));
    engine.tick(HOUR);
    let words = engine.last_words();
    let spans: Vec<_> = words
        .iter()
        .map(|alert| (alert.first_event_at.as_millis(), alert.last_event_at.as_millis()))
        .collect();
    assert_eq!(spans, [(0, 30 * SECOND), (10 * SECOND, 305 * SECOND)]);
}

#[test]
fn a_replay_gives_the_same_bytes() {
    let run = |rules| {
        let mut engine = Engine::with(&rules);
        engine.send(burst(10 * SECOND));
        engine.send(burst(3 * MINUTE));
        engine.tick(HOUR);
        engine
    };
    let bytes = |engine: &Engine| engine.alerts.iter().map(event::Alert::encode).collect::<Vec<_>>();
    let (first, second) = (run(changed(QUICK, |_| ())), run(changed(QUICK, |_| ())));
    assert_eq!(bytes(&first), bytes(&second));
    let ids = |engine: &Engine| engine.alerts.iter().map(|alert| alert.alert_id).collect::<Vec<_>>();
    let edited = run(changed(QUICK, |rule| {
        rule.title = "Another title".to_owned();
        rule.message.parts.clear();
        rule.severity = event::Severity::Low;
    }));
    assert_eq!(ids(&first), ids(&edited), "an edit of the words is not another alert");
    let stricter = run(crate::driver::rules(&[&QUICK.replace(">= 3", ">= 2")]));
    assert!(ids(&first).iter().all(|id| !ids(&stricter).contains(id)));
    let renamed = run(changed(QUICK, |rule| rule.id = "another".to_owned()));
    assert!(ids(&first).iter().all(|id| !ids(&renamed).contains(id)));
}
