//! Rules that read the alerts of other rules.

use detection::SourceCounts;
use event::{Alert, Event, FactRecord, SourcePartition, SourceTopic, Tick, Timestamp};
use ruleset::{Mode, RuleSet};

use crate::driver::{
    BRUTE_FORCE, Engine, FACTS, HOUR, MINUTE, SECOND, closed, event, evidence, failures, rules, time, told,
};

/// Eleven failures from `address` against `user`, from `start` on: what brute force opens on.
fn attack(address: &str, user: &str, start: i64) -> Vec<Event> {
    let by = |failure: Event| Event {
        event_id: format!("{address} {user} {}", failure.time.as_millis()),
        source_ip: Some(address.to_owned()),
        user_id: Some(user.to_owned()),
        ..failure
    };
    failures((0..11).map(|n| start + n * SECOND))
        .into_iter()
        .map(by)
        .collect()
}

fn of_rule<'a>(engine: &'a Engine, id: &str) -> Vec<&'a Alert> {
    engine.alerts.iter().filter(|alert| alert.rule_id == id).collect()
}

/// How many alerts of each rule opened.
fn opened<const N: usize>(engine: &Engine) -> [usize; N] {
    let of_rule = |at| {
        let of_rule = of_rule(engine, &format!("rule-{at}")).into_iter();
        of_rule.filter(|alert| alert.revision == 1).count()
    };
    std::array::from_fn(of_rule)
}

/// The same rules, each changed by `change`.
fn changed(queries: &[&str], change: impl Fn(&mut ruleset::Rule)) -> RuleSet {
    let change = |rule: &std::sync::Arc<ruleset::Rule>| {
        let mut rule = (**rule).clone();
        change(&mut rule);
        rule
    };
    RuleSet::new(rules(queries).rules().iter().map(change))
}

const TWICE: &str = "alert:rule-0 | window 1h | group by source_ip | count > 1";
const TRAVEL: &str = "security_event:impossible_travel";

#[test]
fn a_rule_counts_the_alerts_of_another() {
    let mut engine = Engine::new(&[BRUTE_FORCE, TWICE]);
    engine.send(attack("203.0.113.7", "alice", 0));
    assert_eq!(opened(&engine), [1, 0]);
    engine.send(attack("203.0.113.8", "alice", 10 * MINUTE));
    assert_eq!(opened(&engine), [2, 0], "of another address");
    engine.send(attack("203.0.113.7", "alice", 40 * MINUTE));
    assert_eq!(opened(&engine), [3, 1]);
    let [chain] = of_rule(&engine, "rule-1")[..] else {
        panic!("one alert")
    };
    let read: Vec<String> = of_rule(&engine, "rule-0")
        .iter()
        .filter(|alert| alert.key["source_ip"] == "203.0.113.7")
        .map(|alert| alert.alert_id.to_string())
        .collect();
    assert_eq!(evidence(chain), read);
    assert_eq!(
        told(chain),
        crate::driver::opened(10 * SECOND, 40 * MINUTE + 10 * SECOND, 2)
    );
    assert_eq!(chain.message, "unknown from 203.0.113.7");
    let places = chain
        .events
        .iter()
        .map(|evidence| (evidence.topic.as_str(), evidence.offset));
    let fact_of = |place: (&str, u64)| match FactRecord::decode(&engine.records[usize::try_from(place.1).unwrap()]) {
        Ok(FactRecord::Fact(fact)) => (place.0.to_owned(), fact.level, fact.entries.len()),
        other => panic!("{other:?}"),
    };
    let at: Vec<_> = places.map(fact_of).collect();
    let expected = ("facts".to_owned(), 0, 11);
    assert_eq!(
        at,
        [expected.clone(), expected],
        "evidence is the record at which an alert opened"
    );
}

#[test]
fn alerts_too_far_apart_are_no_chain() {
    let mut engine = Engine::new(&[BRUTE_FORCE, TWICE]);
    for start in [0, 61 * MINUTE, 122 * MINUTE] {
        engine.send(attack("203.0.113.7", "alice", start));
    }
    assert_eq!(opened(&engine), [3, 0]);
}

#[test]
fn a_rule_may_group_alerts_by_a_part_of_their_key() {
    let by_both = "security_event:login_failed | window 5m | group by user_id, source_ip | count > 10";
    let by_user = "alert:rule-0 | window 1h | group by user_id | count > 1";
    let mut engine = Engine::new(&[by_both, by_user]);
    engine.send(attack("203.0.113.7", "alice", 0));
    engine.send(attack("203.0.113.8", "bob", MINUTE));
    assert_eq!(opened(&engine), [2, 0]);
    engine.send(attack("203.0.113.9", "alice", 2 * MINUTE));
    assert_eq!(opened(&engine), [3, 1]);
    assert_eq!(of_rule(&engine, "rule-1")[0].key["user_id"], "alice");
}

#[test]
fn an_alert_without_the_key_field_counts_nowhere_and_is_counted() {
    let mut engine = Engine::new(&[BRUTE_FORCE, "alert:rule-0 | window 1h | group by user_id | count > 0"]);
    engine.send(attack("203.0.113.7", "alice", 0));
    assert_eq!(opened(&engine), [1, 0]);
    let tally = engine.matched["rule-1"];
    assert_eq!((tally.matched, tally.missing_key), (1, 1));
}

#[test]
fn three_levels() {
    let each = |below: usize, window| format!("alert:rule-{below} | window {window} | group by source_ip | count > 1");
    let queries = [BRUTE_FORCE.to_owned(), each(0, "1h"), each(1, "2h"), each(2, "6h")];
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let mut engine = Engine::new(&queries);
    for round in 0..8 {
        // Two attacks within an hour are one of the second kind; two of those within two hours are one of the third.
        let start = (round / 4) * 300 * MINUTE + (round / 2 % 2) * 90 * MINUTE + (round % 2) * 20 * MINUTE;
        engine.send(attack("203.0.113.7", "alice", start));
        engine.tick(start + MINUTE);
    }
    assert_eq!(opened(&engine), [8, 4, 2, 1]);
    let levels = engine
        .records
        .iter()
        .filter_map(|record| match FactRecord::decode(record) {
            Ok(FactRecord::Fact(fact)) => Some(fact.level),
            Ok(FactRecord::Tick(_)) | Err(_) => None,
        });
    let mut counts = [0; 5];
    levels.for_each(|level| counts[usize::from(level)] += 1);
    assert_eq!(counts, [8, 8, 4, 2, 0]);
    engine.tick(100 * HOUR);
    let last = engine.last_words();
    assert!(
        last.iter().all(|alert| alert.status == event::AlertStatus::Closed),
        "{last:#?}"
    );
}

#[test]
fn a_stateless_rule_alerts_where_the_alert_opens_and_can_be_read() {
    let mut engine = Engine::new(&[
        BRUTE_FORCE,
        "alert:rule-0 AND source_ip:203.0.113.*",
        "alert:rule-1 | window 1h | group by source_ip | count > 1",
    ]);
    engine.send(attack("198.51.100.1", "alice", 0));
    assert_eq!(opened(&engine), [1, 0, 0]);
    engine.send(attack("203.0.113.7", "alice", 0));
    engine.send(attack("203.0.113.7", "alice", 20 * MINUTE));
    assert_eq!(opened(&engine), [3, 2, 1]);
    let on_alert = of_rule(&engine, "rule-1")[0];
    assert_eq!(evidence(on_alert), [of_rule(&engine, "rule-0")[1].alert_id.to_string()]);
    assert_eq!(
        (on_alert.message.as_str(), on_alert.count),
        ("unknown from 203.0.113.7", 1)
    );
    assert_eq!(on_alert.opened_at, time(10 * SECOND));
}

#[test]
fn the_alert_of_a_stateless_rule_has_the_fields_of_its_event() {
    let mut engine = Engine::new(&[
        TRAVEL,
        "alert:rule-0 AND security_event:impossible* | window 1h | group by user_id | count > 1",
        "alert:rule-0 AND severity:critical",
        "alert:rule-0 AND user_id:alice AND alert:rule-0",
        "alert:rule-3 | window 1h | group by source_ip | count > 1",
    ]);
    let trip = |id: &str, millis| Event {
        severity: event::Severity::Critical,
        ..event(id, "impossible_travel", millis)
    };
    engine.send([trip("a", 0), trip("b", MINUTE)]);
    assert_eq!(opened(&engine), [2, 1, 0, 2, 1], "the severity is that of the rule");
    let ids = |rule| -> Vec<String> {
        let of_rule = of_rule(&engine, rule);
        of_rule.iter().map(|alert| alert.alert_id.to_string()).collect()
    };
    assert_eq!(evidence(of_rule(&engine, "rule-1")[0]), ids("rule-0"));
    assert_eq!(evidence(of_rule(&engine, "rule-4")[0]), ids("rule-3"));
    let place = &of_rule(&engine, "rule-4")[0].events[1];
    assert_eq!((place.topic.as_str(), place.offset), ("events.security", 2));
}

#[test]
fn what_is_repeated_in_the_log_is_one_alert_to_read() {
    let mut engine = Engine::new(&[TRAVEL, "alert:rule-0 | window 1h | group by user_id | count > 1"]);
    engine.send([event("a", "impossible_travel", 0), event("a", "impossible_travel", 0)]);
    engine.send([event("a", "impossible_travel", 0)]);
    assert_eq!(opened::<2>(&engine)[1], 0);
    assert_eq!(engine.tally.duplicate, 2);
}

#[test]
fn alerts_that_open_at_one_record_are_told_apart() {
    let mut engine = Engine::new(&[
        TRAVEL,
        "security_event:impossible_travel AND user_id:alice",
        "(alert:rule-0 OR alert:rule-1) | window 1h | group by user_id | count > 1 | keep_alive 1ms",
    ]);
    engine.send([event("a", "impossible_travel", 0)]);
    let mut expected: Vec<String> = engine
        .alerts
        .iter()
        .take(2)
        .map(|alert| alert.alert_id.to_string())
        .collect();
    let [both] = of_rule(&engine, "rule-2")[..] else {
        panic!("one alert")
    };
    let mut found = evidence(both);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(both.alert_id, {
        // It opened on the second of the two.
        let key = event::Key::new("acme", ["alice"]);
        let rules = rules(&[
            TRAVEL,
            "security_event:impossible_travel AND user_id:alice",
            "(alert:rule-0 OR alert:rule-1) | window 1h | group by user_id | count > 1 | keep_alive 1ms",
        ]);
        let hash = rules.rules()[2].hash;
        event::AlertId::new(
            "acme",
            "rule-2",
            hash,
            &key,
            &engine.alerts[1].alert_id.to_string(),
            time(0),
        )
    });
}

#[test]
fn rules_that_tell_nobody_feed_chains() {
    let silent = [
        changed(&[BRUTE_FORCE, TWICE], |rule| {
            if rule.id == "rule-0" {
                rule.mode = Mode::Test;
            }
        }),
        changed(&[BRUTE_FORCE, TWICE], |rule| rule.generates = rule.id != "rule-0"),
    ];
    for rules in silent {
        let mut engine = Engine::with(&rules);
        engine.send(attack("203.0.113.7", "alice", 0));
        engine.send(attack("203.0.113.7", "alice", 20 * MINUTE));
        assert_eq!(opened(&engine), [0, 1]);
    }
    let off = changed(&[BRUTE_FORCE, TWICE], |rule| {
        if rule.id == "rule-0" {
            rule.mode = Mode::Off;
        }
    });
    let mut engine = Engine::with(&off);
    engine.send(attack("203.0.113.7", "alice", 0));
    engine.send(attack("203.0.113.7", "alice", 20 * MINUTE));
    assert_eq!(opened(&engine), [0, 0]);
}

#[test]
fn of_an_alert_is_known_what_an_alert_has() {
    let holds = [
        "alert:rule-0 AND severity:high",
        "alert:rule-0 AND rule_id:rule-0",
        "alert:rule-0 AND message:*203.0.113.7",
        "alert:rule-0 AND metadata.source_ip:203.0.113.7",
        "alert:rule-0 | where source_ip exists",
        "alert:rule-0 AND NOT service:security",
        "alert:rule-0 | where hour < 1",
        "service:nothing OR alert:rule-0",
    ];
    let fails = [
        "alert:rule-0 AND severity:low",
        "alert:rule-0 AND NOT alert:rule-0",
        "alert:rule-0 AND user_id:*",
        "alert:rule-0 AND NOT level:error",
        "alert:rule-0 AND login_failed",
        "alert:rule-0 | where hour > 1",
    ];
    for (expected, queries) in [(1, &holds[..]), (0, &fails)] {
        for query in queries {
            let mut engine = Engine::new(&[BRUTE_FORCE, query]);
            engine.send(attack("203.0.113.7", "alice", 0));
            assert_eq!(opened(&engine), [1, expected], "{query}");
        }
    }
}

#[test]
fn a_side_that_names_no_alert_takes_events_alone() {
    let join = "severity:high AND NOT login_failed | join (alert:rule-0) on source_ip | within 1h";
    let mut engine = Engine::new(&[BRUTE_FORCE, join]);
    engine.send(attack("203.0.113.7", "alice", 0));
    assert_eq!(
        opened(&engine),
        [1, 0],
        "the alert is of severity high, and does not join itself"
    );
    engine.send([event("in", "login_success", MINUTE)]);
    assert_eq!(opened(&engine), [1, 1]);
    let joined = of_rule(&engine, "rule-1")[0];
    assert_eq!(evidence(joined)[1], "in");
    assert_eq!(joined.count, 2);
}

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
    engine.tick(25 * MINUTE);
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
    let changes = again.changes.len();
    again.record(FactRecord::Tick(of_level_1()).encode());
    assert_eq!(again.changes.len(), changes, "it was known");
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
