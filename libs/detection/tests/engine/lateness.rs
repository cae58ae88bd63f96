//! What comes too late, and where every entry of a fact goes.

use crate::driver::{BRUTE_FORCE, DISORDER, Engine, HOUR, MINUTE, SECOND, changed, event, failures, opened, rules};

#[test]
fn older_than_lateness_goes_to_the_late_facts_and_counts_nowhere() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    let watermark = 2 * HOUR;
    engine.tick(watermark + DISORDER);
    engine.send(failures((0..10).map(|n| HOUR + n)));
    engine.send(failures([HOUR - 1]));
    assert_eq!(engine.told(), [], "the eleventh is a millisecond older than an hour");
    assert_eq!((engine.tally.applied, engine.tally.late), (10, 1));
    assert_eq!(engine.late.len(), 1);
    let ids: Vec<_> = engine.late[0].entries.iter().map(|entry| &entry.event_id).collect();
    assert_eq!(ids, [&format!("at-{}", HOUR - 1)]);
    engine.send(failures([HOUR + 10]));
    assert_eq!(
        engine.told()[0],
        opened(HOUR, HOUR + 10, 11),
        "what is exactly an hour old counts"
    );
}

#[test]
fn a_rule_says_how_late_is_late() {
    let mut engine = Engine::new(&[
        &format!("{BRUTE_FORCE} | lateness 24h"),
        &format!("{BRUTE_FORCE} | lateness 0s"),
    ]);
    engine.tick(24 * HOUR + DISORDER);
    engine.send(failures((0..11).map(|n| n * SECOND)));
    assert_eq!(
        engine.alerts.iter().filter(|alert| alert.rule_id == "rule-0").count(),
        2,
        "opened, and closed at once"
    );
    assert_eq!((engine.tally.applied, engine.tally.late), (11, 11));
    assert!(engine.alerts.iter().all(|alert| alert.rule_id == "rule-0"));
}

#[test]
fn the_late_fact_carries_what_came_late_and_nothing_else() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.tick(2 * HOUR + DISORDER);
    engine.send(failures([0, 2 * HOUR, 1, 2 * HOUR + 1]));
    let late = &engine.late[0];
    let times: Vec<_> = late.entries.iter().map(|entry| entry.time.as_millis()).collect();
    assert_eq!(times, [0, 1]);
    assert_eq!(late.key.values().collect::<Vec<_>>(), ["203.0.113.7"]);
    assert_eq!(late.names, ["source_ip", "user_id"]);
    assert_eq!(late.entries[0].values.len(), 2);
}

#[test]
fn every_entry_is_applied_or_duplicate_or_late_or_of_an_unknown_rule() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send(failures(0..5));
    engine.send(failures(3..8));
    engine.tick(3 * HOUR);
    engine.send(failures(10..13));
    engine.reload(&rules(&[
        "security_event:login_failed | window 7m | group by source_ip | count > 3",
    ]));
    let of_before = engine.records.clone();
    for record in of_before {
        engine.record(record);
    }
    let tally = engine.tally;
    assert_eq!(
        (tally.applied, tally.duplicate, tally.late, tally.unknown_rule),
        (8, 2, 3, 13)
    );
}

#[test]
fn nothing_is_left_of_a_key_when_its_time_has_passed() {
    let mut engine = Engine::new(&[
        BRUTE_FORCE,
        "security_event:login_success | join (security_event:login_failed) on user_id | within 1h",
    ]);
    engine.send(failures((0..20).map(|n| n * SECOND)));
    engine.send([event("in", "login_success", 5 * MINUTE)]);
    assert_eq!(engine.keys(), 2);
    let count_gone = 19 * SECOND + 5 * MINUTE + HOUR;
    engine.tick(count_gone + DISORDER);
    assert_eq!(engine.keys(), 2);
    engine.tick(count_gone + DISORDER + 1);
    assert_eq!(engine.keys(), 1);
    // A right event of the last hour may make a left event true that is an hour older still.
    engine.tick(5 * MINUTE + 3 * HOUR + DISORDER);
    assert_eq!(engine.keys(), 1);
    engine.tick(5 * MINUTE + 3 * HOUR + DISORDER + 1);
    assert_eq!(engine.keys(), 0);
    let last = engine.changes.last().unwrap();
    assert_eq!(last.value, None, "the changelog forgets it too");
    assert!(
        engine
            .last_words()
            .iter()
            .all(|alert| alert.status == event::AlertStatus::Closed)
    );
}

#[test]
fn the_state_of_a_rule_that_is_gone_goes_too() {
    let reads_all_topics = "service:web | window 5m | group by source_ip | count > 10";
    let mut engine = Engine::new(&[reads_all_topics]);
    engine.send(failures(0..5).into_iter().map(|event| event::Event {
        service: "web".to_owned(),
        ..event
    }));
    assert_eq!(engine.keys(), 1);
    engine.reload(&rules(&[BRUTE_FORCE]));
    engine.tick(3 * HOUR);
    assert_eq!(
        engine.keys(),
        0,
        "though no rule that is left waits for the same topics"
    );
}

#[test]
fn an_edit_of_the_words_keeps_the_state() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.send(failures((0..10).map(|n| n * SECOND)));
    engine.reload(&changed(BRUTE_FORCE, |rule| rule.title = "New words".to_owned()));
    engine.send(failures([10 * SECOND]));
    assert_eq!(engine.alerts[0].title, "New words");
    assert_eq!(engine.told(), [opened(0, 10 * SECOND, 11)]);
}
