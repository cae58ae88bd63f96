//! Counters commit with the transaction.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use broker::memory::{Keep, Log};
use broker::{Output, Pace, Publisher as _, Worker};
use detector::{MATCH_GROUP, MatchSettings, MatchStage, Metrics};
use event::{Event, Timestamp, topic};
use ruleset::RuleSet;

fn counted(registry: &prometheus::Registry, name: &str) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters of a test are small"
    )]
    let value = family.get_metric()[0].get_counter().get_value() as u64;
    value
}

fn publish(log: &Log, output: Output) {
    log.publish(vec![output], Box::new(|done| assert!(done.is_ok())))
        .unwrap();
}

#[test]
fn an_aborted_transaction_counts_nothing_and_its_second_evaluation_once() {
    let log = Log::new(|| Timestamp::from_millis(0));
    for name in topic::EVENTS {
        log.create_topic(name, 1, Keep::All);
    }
    for name in [topic::FACTS, topic::ALERTS, topic::DEAD_LETTERS] {
        log.create_topic(name, 1, Keep::All);
    }
    let registry = prometheus::Registry::new();
    let settings = MatchSettings {
        facts_partitions: 1,
        alerts_partitions: 1,
        tick_interval: Duration::MAX,
    };
    let now: broker::Stopwatch = Arc::new(|| Duration::ZERO);
    let stage = MatchStage::new(
        &RuleSet::default(),
        settings,
        now.clone(),
        Metrics::register(&registry).unwrap(),
    );
    let session = log.session(MATCH_GROUP, "0", &topic::EVENTS).unwrap();
    // Nothing is due by itself: the test says when to commit.
    let pace = Pace {
        commit_interval: Duration::MAX,
        poll_wait: Duration::ZERO,
        ..Pace::default()
    };
    let mut worker = Worker::new(session, stage, pace, now);
    let evaluated = || counted(&registry, "tidewatch_detector_events_evaluated_total");
    // The first tick goes out at once, with a commit of its own; later ones are not due.
    let headers = vec![(topic::HEADER_HEARTBEAT.to_owned(), Vec::new().into())];
    publish(
        &log,
        Output {
            topic: topic::EVENTS_ACCESS.into(),
            partition: 0,
            key: None,
            value: None,
            headers,
        },
    );
    (0..5).for_each(|_| worker.step().unwrap());
    for id in ["a", "b", "c"] {
        let event = Event {
            event_id: id.to_owned(),
            ..Event::default()
        };
        publish(
            &log,
            Output::keyed(topic::EVENTS_ACCESS, 1, event.key().as_bytes(), event.encode()),
        );
    }
    (0..5).for_each(|_| worker.step().unwrap());
    log.evict(MATCH_GROUP, worker.session().member());
    worker.commit().unwrap();
    assert_eq!(evaluated(), 0, "it was not committed");
    assert_eq!(counted(&registry, "tidewatch_detector_aborts_total"), 1);
    (0..10).for_each(|_| worker.step().unwrap());
    worker.commit().unwrap();
    assert_eq!(evaluated(), 3);
}
