//! Whatever order, batching, repetition and progress the same events come with, the alerts end up the same, and are
//! what [`crate::reference`] says.

use std::collections::BTreeMap;

use detection::{Progress, SourceCounts};
use event::{Alert, AlertStatus, Event, Source, SourcePartition, SourceTopic};
use proptest::prelude::*;
use ruleset::RuleSet;

use crate::driver::{DISORDER, Engine, SECOND, Sent, event, rules, time};
use crate::reference::{First, Known, Over, counted, joined};

const LATENESS: i64 = 30 * SECOND;
const WINDOW: i64 = 10 * SECOND;
const SOURCES: SourceCounts = SourceCounts {
    security: 2,
    audit: 0,
    access: 0,
};

/// At least so many, and the keep-alive: as long as the window, shorter, longer, longer than the lateness.
const COUNTS: [(u64, i64); 6] = [
    (3, WINDOW),
    (2, 4 * SECOND),
    (3, 25 * SECOND),
    (4, 90 * SECOND),
    (7, WINDOW),
    (1, WINDOW),
];

/// Which comes first, and the keep-alive.
const JOINS: [(&str, First, i64); 5] = [
    ("", First::Either, WINDOW),
    ("before", First::Right, WINDOW),
    ("after", First::Left, WINDOW),
    ("", First::Either, 4 * SECOND),
    ("", First::Either, 45 * SECOND),
];

fn counting_rules() -> RuleSet {
    let query = |(at_least, keep_alive): &(u64, i64)| {
        format!(
            "security_event:login_failed | window 10s | group by source_ip | count >= {at_least} \
             | keep_alive {keep_alive}ms | lateness 30s"
        )
    };
    let queries: Vec<String> = COUNTS.iter().map(query).collect();
    rules(&queries.iter().map(String::as_str).collect::<Vec<_>>())
}

fn joining_rules() -> RuleSet {
    let query = |(order, _, keep_alive): &(&str, First, i64)| {
        format!(
            "security_event:login_failed | join (security_event:*) {order} on source_ip | within 10s \
             | keep_alive {keep_alive}ms | lateness 30s"
        )
    };
    let queries: Vec<String> = JOINS.iter().map(query).collect();
    rules(&queries.iter().map(String::as_str).collect::<Vec<_>>())
}

/// An event to come: how long after the one before it arrives, and how much earlier it happened.
#[derive(Clone, Debug)]
struct Plan {
    failed: bool,
    address: u8,
    partition: u32,
    step: i64,
    delay: i64,
    repeat: u32,
    /// It comes again with the event that is so much further on, in that one's partition.
    again: Option<usize>,
}

fn plan() -> impl Strategy<Value = Plan> {
    // The delays reach exactly to what is just not late.
    let delay = prop_oneof![6 => 0..6i64, 2 => -20..=40i64, 1 => Just(40i64)];
    let millis = prop_oneof![4 => Just(0i64), 1 => -1..=1i64];
    let again = proptest::option::weighted(0.2, 0..6usize);
    (any::<bool>(), 0..2u8, 0..2u32, 0..7i64, (delay, millis), 1..4u32, again).prop_map(
        |(failed, address, partition, step, (delay, millis), repeat, again)| Plan {
            failed,
            address,
            partition,
            step: step * SECOND,
            delay: (delay * SECOND + millis).min(LATENESS + DISORDER),
            repeat,
            again,
        },
    )
}

/// How the facts partition comes about: which source is read next, how many of its events make a batch, and whether a
/// tick follows.
type Schedule = Vec<(bool, usize, bool)>;

fn schedule() -> impl Strategy<Value = Schedule> {
    proptest::collection::vec((any::<bool>(), 1..6usize, any::<bool>()), 1..40)
}

/// The events as they lie in two partitions. A repeat is a record of its own, or the same record read again.
fn records(plans: &[Plan], repeats_are_records: bool) -> [Vec<Sent>; 2] {
    let mut arrivals = Vec::new();
    let mut now = 1000 * SECOND;
    for plan in plans {
        now += plan.step;
        arrivals.push(now);
    }
    let mut partitions = [Vec::new(), Vec::new()];
    let mut offsets = [0, 0];
    let mut again: BTreeMap<usize, Vec<(Event, Option<Source>)>> = BTreeMap::new();
    for (at, plan) in plans.iter().enumerate() {
        let mut place = |partition: u32| {
            let offset = &mut offsets[partition as usize];
            *offset += 1;
            Source {
                partition: SourcePartition {
                    topic: SourceTopic::Security,
                    partition,
                },
                offset: *offset,
            }
        };
        let name = if plan.failed { "login_failed" } else { "password_reset" };
        let event = Event {
            source_ip: Some(format!("10.0.0.{}", plan.address)),
            repeat: plan.repeat,
            ..event(&format!("e-{at}"), name, arrivals[at] - plan.delay)
        };
        let source = place(plan.partition);
        let mut here = vec![(event.clone(), source)];
        if let Some(later) = plan.again {
            let known = (!repeats_are_records).then_some(source);
            again.entry(at + later).or_default().push((event, known));
        }
        for (event, known) in again.remove(&at).unwrap_or_default() {
            here.push((event, known.unwrap_or_else(|| place(plan.partition))));
        }
        let arrival = time(arrivals[at]);
        for (event, source) in here {
            partitions[plan.partition as usize].push(Sent { event, source, arrival });
        }
    }
    partitions
}

/// Reads the partitions as the schedule says, each in its order, and then to their ends.
fn run(rules: &RuleSet, partitions: &[Vec<Sent>; 2], schedule: &Schedule) -> Engine {
    let mut engine = Engine::declared(rules, SOURCES);
    let mut progress = Progress::default();
    let mut at = [0_usize; 2];
    let to_the_end = [(false, usize::MAX, false), (true, usize::MAX, true)];
    for (second, events, tick) in schedule.iter().chain(&to_the_end) {
        let partition = usize::from(*second);
        let upto = at[partition].saturating_add(*events).min(partitions[partition].len());
        let batch = &partitions[partition][at[partition]..upto];
        at[partition] = upto;
        for Sent { source, arrival, .. } in batch {
            progress.arrived(
                SourcePartition {
                    topic: SourceTopic::Security,
                    partition: u32::from(*second),
                },
                *arrival,
            );
            assert_eq!(source.partition.topic, SourceTopic::Security);
        }
        engine.batch(batch);
        if *tick {
            engine.tick_of(progress.watermarks());
        }
    }
    engine
}

/// Lets so much time pass that everything is over.
fn finish(engine: &mut Engine) {
    let end = |partition| {
        let topic = SourceTopic::Security;
        (SourcePartition { topic, partition }, time(1_000_000 * SECOND))
    };
    engine.tick_of(vec![end(0), end(1)]);
}

/// The last words, by rule and address.
fn found(engine: &Engine) -> BTreeMap<(String, String), Vec<Over>> {
    let mut found: BTreeMap<(String, String), Vec<Over>> = BTreeMap::new();
    for alert in engine.last_words() {
        assert_eq!(alert.status, AlertStatus::Closed);
        assert_eq!(alert.events_omitted, 0);
        let address = alert.key["source_ip"].as_str().unwrap().to_owned();
        found.entry((alert.rule_id, address)).or_default().push(Over {
            first: alert.first_event_at.as_millis(),
            last: alert.last_event_at.as_millis(),
            count: alert.count,
            events: alert.events.into_iter().map(|evidence| evidence.event_id).collect(),
        });
    }
    found
}

/// The events of an address, each once: failures, and all.
fn known(partitions: &[Vec<Sent>; 2], address: &str) -> (Vec<Known>, Vec<Known>) {
    let mut events: BTreeMap<&str, &Sent> = BTreeMap::new();
    for sent in partitions.iter().flatten() {
        events.entry(&sent.event.event_id).or_insert(sent);
    }
    let of_address = |sent: &&&Sent| sent.event.source_ip.as_deref() == Some(address);
    let known = |sent: &&Sent| Known {
        id: sent.event.event_id.clone(),
        time: sent.event.time.as_millis(),
        place: (sent.source.partition.partition, sent.source.offset),
        weight: sent.event.repeat.into(),
    };
    let is_failure = |sent: &&&Sent| sent.event.security_event.as_deref() == Some("login_failed");
    let failures = events
        .values()
        .filter(of_address)
        .filter(is_failure)
        .map(known)
        .collect();
    (failures, events.values().filter(of_address).map(known).collect())
}

/// What must be found.
fn expected(
    partitions: &[Vec<Sent>; 2],
    of_rule: impl Fn(&[Known], &[Known]) -> Vec<(usize, Vec<Over>)>,
) -> BTreeMap<(String, String), Vec<Over>> {
    let mut expected = BTreeMap::new();
    for address in ["10.0.0.0", "10.0.0.1"] {
        let (failures, all) = known(partitions, address);
        for (rule, overs) in of_rule(&failures, &all) {
            if !overs.is_empty() {
                expected.insert((format!("rule-{rule}"), address.to_owned()), overs);
            }
        }
    }
    expected
}

fn entries(engine: &Engine) -> u64 {
    engine.matched.values().map(|tally| tally.matched).sum()
}

fn bytes(alerts: &[Alert]) -> Vec<Vec<u8>> {
    alerts.iter().map(Alert::encode).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_the_reference(plans in proptest::collection::vec(plan(), 0..40), schedule in schedule()) {
        let partitions = records(&plans, true);
        let mut engine = run(&counting_rules(), &partitions, &schedule);
        finish(&mut engine);
        let of_rule = |failures: &[Known], _: &[Known]| {
            let one = |(rule, (at_least, keep_alive)): (usize, &(u64, i64))| {
                (rule, counted(failures, *at_least, WINDOW, *keep_alive))
            };
            COUNTS.iter().enumerate().map(one).collect()
        };
        prop_assert_eq!(found(&engine), expected(&partitions, of_rule));
        let tally = engine.tally;
        prop_assert_eq!(tally.applied + tally.duplicate + tally.late, entries(&engine));
        prop_assert_eq!(engine.keys(), 0, "nothing is left behind");
    }

    #[test]
    fn joins_are_the_reference(plans in proptest::collection::vec(plan(), 0..40), schedule in schedule()) {
        let partitions = records(&plans, false);
        let mut engine = run(&joining_rules(), &partitions, &schedule);
        finish(&mut engine);
        let of_rule = |failures: &[Known], all: &[Known]| {
            let one = |(rule, (_, first, keep_alive)): (usize, &(&str, First, i64))| {
                (rule, joined(failures, all, WINDOW, *first, *keep_alive))
            };
            JOINS.iter().enumerate().map(one).collect()
        };
        prop_assert_eq!(found(&engine), expected(&partitions, of_rule));
        let tally = engine.tally;
        prop_assert_eq!(tally.applied + tally.duplicate + tally.late, entries(&engine));
        prop_assert_eq!(engine.keys(), 0, "nothing is left behind");
    }

    /// Two readings of the same events, in other orders and batches and one of them with repeats, end in the same words.
    #[test]
    fn order_batches_and_repeats_change_nothing(
        plans in proptest::collection::vec(plan(), 0..40),
        (one, other) in (schedule(), schedule()),
    ) {
        let once: Vec<Plan> = plans.iter().map(|plan| Plan { again: None, ..plan.clone() }).collect();
        let mut first = run(&counting_rules(), &records(&plans, true), &one);
        let mut second = run(&counting_rules(), &records(&once, true), &other);
        finish(&mut first);
        finish(&mut second);
        prop_assert_eq!(found(&first), found(&second));
    }

    /// The same records give the same bytes, also if the process is lost on the way and another goes on from the
    /// changelog.
    #[test]
    fn the_same_facts_give_the_same_bytes(
        plans in proptest::collection::vec(plan(), 0..40),
        schedule in schedule(),
        lost_after in any::<proptest::sample::Index>(),
        joins in any::<bool>(),
    ) {
        let rules = if joins { joining_rules() } else { counting_rules() };
        let mut first = run(&rules, &records(&plans, true), &schedule);
        finish(&mut first);
        let lost_after = lost_after.index(first.records.len());
        let mut second = Engine::declared(&rules, SOURCES);
        for (at, record) in first.records.iter().enumerate() {
            if at == lost_after {
                let mut next = Engine::restored(&rules, SOURCES, &second.changes);
                next.alerts = second.alerts;
                next.changes = second.changes;
                second = next;
            }
            second.record(record.clone());
        }
        prop_assert_eq!(bytes(&first.alerts), bytes(&second.alerts));
        prop_assert_eq!(&first.changes, &second.changes);
    }
}
