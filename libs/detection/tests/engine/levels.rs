//! When rules that read alerts are decided: how far levels are.

use detection::SourceCounts;
use event::{Event, FactRecord, SourcePartition, SourceTopic, Tick, Timestamp};

use crate::chains::{TRAVEL, TWICE, attack, of_rule, opened};
use crate::driver::{BRUTE_FORCE, Engine, FACTS, HOUR, MINUTE, SECOND, closed, event, evidence, rules, time, told};

#[test]
fn a_rule_waits_for_every_partition_in_which_its_alerts_may_open() {
    let two = SourceCounts {
        security: 1,
        audit: 1,
        access: 1,
        facts: 2,
    };
    let mut engine = Engine::declared(
        &rules(&[BRUTE_FORCE, "alert:rule-0 | window 5m | group by source_ip | count > 0"]),
        two,
    );
    engine.send(attack("203.0.113.7", "alice", 0));
    engine.tick(2 * HOUR);
    let over = closed(10 * SECOND, 10 * SECOND, 1);
    let closed_of = |engine: &Engine, rule: &str| {
        of_rule(engine, rule)
            .iter()
            .any(|alert| told(alert).status == over.status)
    };
    assert!(closed_of(&engine, "rule-0"), "it reads events alone");
    assert!(!closed_of(&engine, "rule-1"), "the other partition has said nothing");
    let other = SourcePartition {
        topic: SourceTopic::Facts,
        partition: 1,
    };
    let mut tick_of_level = |level, partition, millis| {
        let tick = Tick {
            level,
            rule_set: event::SemanticHash::new(""),
            watermarks: vec![(partition, time(millis))],
        };
        engine.record(FactRecord::Tick(tick).encode());
        closed_of(&engine, "rule-1")
    };
    assert!(!tick_of_level(2, other, HOUR), "that is of another level");
    assert!(!tick_of_level(0, other, HOUR), "that is of another level");
    assert!(
        !tick_of_level(1, FACTS, 9 * HOUR),
        "that is the partition that has spoken"
    );
    assert!(!tick_of_level(1, other, 5 * MINUTE + 10 * SECOND), "not passed yet");
    assert!(tick_of_level(1, other, HOUR));
    assert_eq!(told(of_rule(&engine, "rule-1")[1]), over);
}

#[test]
fn a_rule_that_reads_alerts_of_stateless_rules_waits_for_events_alone() {
    let two = SourceCounts {
        security: 1,
        audit: 1,
        access: 1,
        facts: 2,
    };
    let chain = "alert:rule-0 | window 5m | group by user_id | count > 0";
    let mut engine = Engine::declared(&rules(&[TRAVEL, chain]), two);
    engine.send([event("a", "impossible_travel", 0)]);
    engine.tick(HOUR);
    assert_eq!(engine.alerts.last().map(told), Some(closed(0, 0, 1)));
}

#[test]
fn an_alert_that_could_not_open_earlier_is_not_late() {
    // The left event is twenty hours old when the right one comes, and late for nobody.
    let join = "security_event:login_success | join (security_event:password_reset) on user_id | within 24h";
    let mut engine = Engine::new(&[
        join,
        "alert:rule-0 | window 5m | group by user_id | count > 0 | lateness 0s",
    ]);
    engine.send([event("in", "login_success", 0)]);
    engine.tick(20 * HOUR);
    engine.send([event("reset", "password_reset", 20 * HOUR)]);
    assert_eq!(opened(&engine), [1, 1]);
    assert_eq!(engine.tally.late, 0);
    engine.tick(23 * HOUR);
    assert_eq!(of_rule(&engine, "rule-1").len(), 1, "more such alerts may come");
    engine.tick(25 * HOUR);
    assert_eq!(told(of_rule(&engine, "rule-1")[1]), closed(0, 0, 1));
}

#[test]
fn an_alert_that_opens_because_of_a_late_event_is_as_late_for_its_readers() {
    for (lateness, late, alerts) in [("1h", 0, [1, 1]), ("10m", 1, [1, 0])] {
        let chain = format!("alert:rule-0 | window 5m | group by source_ip | count > 0 | lateness {lateness}");
        let mut engine = Engine::new(&[BRUTE_FORCE, &chain]);
        engine.send(attack("203.0.113.7", "alice", 0).split_off(1));
        engine.tick(50 * MINUTE);
        engine.send_at(50 * MINUTE, attack("203.0.113.7", "alice", 0).drain(..1));
        assert_eq!((opened(&engine), engine.tally.late), (alerts, late), "{lateness}");
    }
}

#[test]
fn an_absence_after_an_alert_is_decided_when_alerts_and_events_have_come() {
    let silent = "alert:rule-0 | without (security_event:login_success) on source_ip within 10m";
    let mut engine = Engine::new(&[BRUTE_FORCE, silent]);
    engine.send(attack("203.0.113.7", "alice", 0));
    engine.send(attack("203.0.113.8", "alice", 0));
    let success = Event {
        source_ip: Some("203.0.113.8".to_owned()),
        ..event("in", "login_success", 5 * MINUTE)
    };
    engine.send([success]);
    assert_eq!(opened(&engine), [2, 0]);
    // Ten minutes after the alert, ten minutes of grace, ten seconds of disorder.
    engine.tick(20 * MINUTE + 20 * SECOND);
    assert_eq!(opened(&engine), [2, 0]);
    engine.tick(20 * MINUTE + 20 * SECOND + 1);
    assert_eq!(opened(&engine), [2, 1]);
    let alone = of_rule(&engine, "rule-1")[0];
    assert_eq!(
        (&alone.key["source_ip"], alone.opened_at),
        (&"203.0.113.7".into(), time(10 * SECOND))
    );
    assert_eq!(evidence(alone), [of_rule(&engine, "rule-0")[0].alert_id.to_string()]);
}

#[test]
fn a_rule_reads_what_is_decided_by_watermarks_as_soon_as_it_is_decided() {
    let silent = "security_event:mfa_challenge | without (security_event:mfa_success) on user_id within 10m";
    let twice = "alert:rule-0 | window 1h | group by user_id | count > 1 | lateness 0s";
    let mut engine = Engine::new(&[silent, twice]);
    engine.send([event("a", "mfa_challenge", 0), event("b", "mfa_challenge", 30 * MINUTE)]);
    // The one is decided, and what it reads is done to behind the other.
    engine.tick(40 * MINUTE);
    assert_eq!(opened(&engine), [1, 0]);
    engine.tick(2 * HOUR);
    assert_eq!((opened(&engine), engine.tally.late), ([2, 1], 0));
}

#[test]
fn what_was_known_of_levels_is_known_after_a_restart() {
    let one = SourceCounts {
        security: 1,
        audit: 1,
        access: 1,
        facts: 1,
    };
    let set = rules(&[BRUTE_FORCE, TWICE]);
    let mut engine = Engine::with(&set);
    engine.tick(5 * HOUR);
    let mut again = Engine::restored(&set, one, &engine.changes);
    let late = attack("203.0.113.7", "alice", 3 * HOUR);
    again.send_at(5 * HOUR, late.clone());
    assert_eq!(again.tally.late, 11, "what was told to be over is over");
    let of_level_1 = || Tick {
        level: 1,
        rule_set: set.hash(),
        watermarks: vec![(FACTS, time(5 * HOUR - 10 * SECOND))],
    };
    again.record(FactRecord::Tick(of_level_1()).encode());
    assert_eq!(again.changes, [], "it was known");
    // A state of before there were rules that read alerts loads, and knows nothing of levels.
    let mut plain = Engine::new(&[BRUTE_FORCE]);
    plain.tick(5 * HOUR);
    let mut upgraded = Engine::restored(&set, one, &plain.changes);
    upgraded.send_at(5 * HOUR, late);
    assert_eq!(upgraded.tally.late, 11);
    upgraded.record(FactRecord::Tick(of_level_1()).encode());
    assert_eq!(upgraded.changes.len(), 1, "it is news");
}

#[test]
fn what_a_chain_left_behind_goes_when_its_rules_are_gone() {
    let mut engine = Engine::new(&[BRUTE_FORCE, TWICE]);
    engine.send(attack("203.0.113.7", "alice", 0));
    assert_eq!(engine.keys(), 2);
    engine.reload(&rules(&[
        "security_event:other | window 5m | group by source_ip | count > 10",
    ]));
    engine.tick(100 * HOUR);
    assert_eq!(engine.keys(), 0);
}

#[test]
fn a_tick_of_a_level_goes_out_when_it_brings_news_and_never_for_rules_without_levels() {
    let levels = |engine: &Engine| -> Vec<(u8, Timestamp)> {
        let ticks = engine
            .records
            .iter()
            .filter_map(|record| match FactRecord::decode(record) {
                Ok(FactRecord::Tick(tick)) if tick.level > 0 => Some((tick.level, tick.watermarks[0].1)),
                Ok(FactRecord::Fact(_) | FactRecord::Tick(_)) | Err(_) => None,
            });
        ticks.filter(|(_, watermark)| *watermark > Timestamp::MIN).collect()
    };
    let mut engine = Engine::new(&[
        BRUTE_FORCE,
        TRAVEL,
        "alert:rule-1 | window 5m | group by user_id | count > 1",
    ]);
    engine.tick(HOUR);
    assert_eq!(levels(&engine), []);
    let mut engine = Engine::new(&[BRUTE_FORCE, TWICE, "alert:rule-1"]);
    engine.tick(HOUR);
    engine.tick(HOUR);
    let done = time(HOUR - 10 * SECOND);
    assert_eq!(levels(&engine), [(1, done), (2, done)]);
}
