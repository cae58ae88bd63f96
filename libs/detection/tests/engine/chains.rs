//! Rules that read the alerts of other rules.

use event::{Alert, Event, FactRecord};
use ruleset::{Mode, RuleSet};

use crate::driver::{BRUTE_FORCE, Engine, HOUR, MINUTE, SECOND, event, evidence, failures, rules, time, told};

/// Eleven failures from `address` against `user`, from `start` on: what brute force opens on.
pub(crate) fn attack(address: &str, user: &str, start: i64) -> Vec<Event> {
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

pub(crate) fn of_rule<'a>(engine: &'a Engine, id: &str) -> Vec<&'a Alert> {
    engine.alerts.iter().filter(|alert| alert.rule_id == id).collect()
}

/// How many alerts of each rule opened.
pub(crate) fn opened<const N: usize>(engine: &Engine) -> [usize; N] {
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

pub(crate) const TWICE: &str = "alert:rule-0 | window 1h | group by source_ip | count > 1";
pub(crate) const TRAVEL: &str = "security_event:impossible_travel";

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
fn alerts_that_open_at_one_record_are_in_the_order_in_which_they_open() {
    let mut engine = Engine::new(&[
        TRAVEL,
        "security_event:impossible_travel AND user_id:alice",
        "sequence (alert:rule-0) then (alert:rule-1) by user_id within 1h",
        "sequence (alert:rule-1) then (alert:rule-0) by user_id within 1h",
        "(alert:rule-0 OR alert:rule-1) | window 1h | group by user_id | count > 1",
    ]);
    engine.send([event("a", "impossible_travel", 0)]);
    assert_eq!(opened(&engine), [1, 1, 1, 0, 1]);
    let both: Vec<String> = engine.alerts[..2]
        .iter()
        .map(|alert| alert.alert_id.to_string())
        .collect();
    for rule in ["rule-2", "rule-4"] {
        assert_eq!(evidence(of_rule(&engine, rule)[0]), both, "{rule}");
    }
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
    let silent = changed(&[TRAVEL, "alert:rule-0"], |rule| rule.generates = rule.id != "rule-0");
    let mut engine = Engine::with(&silent);
    engine.send([event("a", "impossible_travel", 0)]);
    assert_eq!(opened(&engine), [0, 1]);
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
    engine.send(attack("203.0.113.7", "alice", -20 * MINUTE));
    engine.send(attack("203.0.113.7", "alice", 0));
    assert_eq!(
        opened(&engine),
        [2, 0],
        "alerts are of severity high, and do not join each other"
    );
    engine.send([event("in", "login_success", MINUTE)]);
    assert_eq!(opened(&engine), [2, 1]);
    let joined = of_rule(&engine, "rule-1")[0];
    assert_eq!(evidence(joined)[1], "in");
    assert_eq!(joined.count, 2);
}
