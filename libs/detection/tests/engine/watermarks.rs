//! How far time is: ticks of declared sources, and nothing else.

use detection::{SourceCounts, SourceSet};
use event::{SourcePartition, SourceTopic};

use crate::driver::{BRUTE_FORCE, Engine, HOUR, MINUTE, SECOND, closed, event, failures, rules, time};

fn partition(topic: SourceTopic, partition: u32) -> SourcePartition {
    SourcePartition { topic, partition }
}

const COUNTS: SourceCounts = SourceCounts {
    security: 2,
    audit: 1,
    access: 1,
    facts: 1,
};

#[test]
fn a_rule_waits_for_the_slowest_declared_partition_of_the_topics_it_reads() {
    let mut engine = Engine::declared(&rules(&[BRUTE_FORCE]), COUNTS);
    engine.send(failures((0..11).map(|n| n * SECOND)));
    engine.alerts.clear();
    engine.tick_of(vec![(partition(SourceTopic::Security, 0), time(HOUR))]);
    engine.tick_of(vec![(partition(SourceTopic::Security, 1), time(HOUR))]);
    assert_eq!(engine.told(), [], "nothing is known of the audit events");
    engine.tick_of(vec![(partition(SourceTopic::Audit, 0), time(5 * MINUTE + 10 * SECOND))]);
    assert_eq!(engine.told(), [], "not passed yet");
    engine.tick_of(vec![(partition(SourceTopic::Audit, 0), time(HOUR))]);
    assert_eq!(
        engine.told(),
        [closed(0, 10 * SECOND, 11)],
        "the access topic has said nothing, and is not read"
    );
}

#[test]
fn a_rule_that_reads_every_topic_waits_for_every_topic() {
    let mut engine = Engine::new(&["service:app | window 5m | group by source_ip | count > 10"]);
    engine.send(failures((0..11).map(|n| n * SECOND)));
    engine.alerts.clear();
    let all = SourceTopic::ALL.map(|topic| (partition(topic, 0), time(HOUR)));
    engine.tick_of(all[..2].to_vec());
    assert_eq!(engine.told(), []);
    engine.tick_of(all[2..3].to_vec());
    assert_eq!(engine.told(), [closed(0, 10 * SECOND, 11)]);
}

#[test]
fn which_topics_a_rule_reads_follows_from_its_filter() {
    let security = [
        "security_event:login_failed",
        "security_event:* AND service:web",
        "security_event:a OR security_event:b",
        "service:web | where security_event exists",
        "security_event:a | join (security_event:b) on user_id | within 1h",
        "NOT security_event:a AND security_event:b*",
    ];
    let every = [
        "service:security",
        "security_event:a OR service:web",
        "NOT security_event:a",
        "service:web | where security_event not exists",
        "security_event:a | join (service:web) on user_id | within 1h",
    ];
    let reads_access = |query: &str| SourceSet::of(&rules(&[query]).rules()[0]).contains(SourceTopic::Access);
    for query in security {
        assert!(!reads_access(query), "{query}");
    }
    for query in every {
        assert!(reads_access(query), "{query}");
    }
}

#[test]
fn a_watermark_never_retreats() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.tick(3 * HOUR);
    let records = engine.changes.len();
    engine.tick_of(vec![(partition(SourceTopic::Security, 0), time(0))]);
    assert_eq!(
        engine.changes.len(),
        records,
        "a tick that says nothing new changes nothing"
    );
    engine.send_at(3 * HOUR, failures([HOUR]));
    assert_eq!(engine.tally.late, 1);
}

#[test]
fn a_partition_that_is_not_declared_is_not_waited_for() {
    let mut engine = Engine::declared(&rules(&[BRUTE_FORCE]), COUNTS);
    engine.send(failures((0..11).map(|n| n * SECOND)));
    let declared = [
        (SourceTopic::Security, 0),
        (SourceTopic::Security, 1),
        (SourceTopic::Audit, 0),
    ];
    engine.tick_of(declared.map(|(topic, at)| (partition(topic, at), time(HOUR))).to_vec());
    engine.tick_of(vec![(partition(SourceTopic::Security, 7), time(0))]);
    assert_eq!(engine.told().last(), Some(&closed(0, 10 * SECOND, 11)));
}

#[test]
fn watermarks_are_state_and_survive() {
    let mut engine = Engine::new(&[BRUTE_FORCE]);
    engine.tick(3 * HOUR);
    engine.reload(&rules(&[BRUTE_FORCE]));
    engine.send_at(3 * HOUR, failures([HOUR]));
    assert_eq!(engine.tally.late, 1);
}

#[test]
fn alerts_do_not_wait_for_a_watermark() {
    let mut engine = Engine::new(&[
        BRUTE_FORCE,
        "security_event:login_success | join (security_event:login_failed) on user_id | within 1h",
    ]);
    engine.send(failures((0..11).map(|n| n * SECOND)));
    engine.send([event("in", "login_success", MINUTE)]);
    assert_eq!(engine.alerts.len(), 2);
}
