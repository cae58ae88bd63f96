//! The topic door, record by record and through crashes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use broker::memory::{Keep, Log, Session};
use broker::{Output, Publisher as _, TopicPartition, Worker};
use bytes::Bytes;
use event::topic::{EVENTS_ACCESS, RAW};
use event::{Reason, position_id};
use ingest::{Clocks, Ingest, IngestSettings, Metrics, TOPIC_GROUP, TopicDoor, TopicSettings};

use crate::support::{dead_letters, events, log, metric, records, settings};

struct Doors {
    log: Log,
    ingest: Ingest,
    metrics: service::metrics::Metrics,
    topics: Vec<String>,
}

impl Doors {
    fn new(topics: Vec<TopicSettings>) -> Self {
        Self::committing(Duration::from_millis(100), topics)
    }

    fn committing(commit_interval: Duration, topics: Vec<TopicSettings>) -> Self {
        let log = log();
        let names: Vec<String> = topics.iter().map(|topic| topic.topic.clone()).collect();
        for name in names.iter().filter(|name| *name != RAW) {
            log.create_topic(name, 1, Keep::All);
        }
        let metrics = service::metrics::Metrics::new();
        let settings = IngestSettings {
            topics,
            commit_interval,
            ..settings()
        };
        let ingest = Ingest::open(
            settings,
            Arc::new(log.clone()),
            Metrics::new(&metrics),
            Clocks::of_this_machine(),
        );
        Self {
            log,
            ingest: ingest.unwrap(),
            metrics,
            topics: names,
        }
    }

    fn worker(&self, transactional_id: &str) -> Worker<Session, TopicDoor> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let session = self.log.session(TOPIC_GROUP, transactional_id, &topics).unwrap();
        self.ingest.topic_worker(session.with_batch_records_max(7))
    }

    fn produce(&self, topic: &str, partition: u32, value: Option<&[u8]>) {
        let record = Output {
            topic: topic.into(),
            partition,
            key: None,
            value: value.map(Bytes::copy_from_slice),
            headers: vec![
                ("heartbeat".to_owned(), Bytes::new()),
                ("tenant".to_owned(), "globex".into()),
            ],
        };
        self.log
            .publish(vec![record], Box::new(|done| assert!(done.is_ok())))
            .unwrap();
    }

    /// Runs a worker until all is committed.
    fn finish(&self, worker: &mut Worker<Session, TopicDoor>) {
        for _ in 0..10_000 {
            worker.step().unwrap();
            worker.commit().unwrap();
            if self.is_done() {
                return;
            }
        }
        panic!("the door did not come to the end");
    }

    fn is_done(&self) -> bool {
        self.topics.iter().all(|topic| {
            (0..self.log.partition_count(topic).unwrap()).all(|partition| {
                let place = TopicPartition::new(topic.as_str(), partition);
                let (_, end) = self.log.bounds(&place).unwrap();
                self.log.committed(TOPIC_GROUP, &place).unwrap_or(0) == end
            })
        })
    }
}

#[test]
fn records_of_all_sorts() {
    let doors = Doors::new(vec![TopicSettings::new(RAW)]);
    let entry = r#"{"message":"m"}"#;
    let list = format!("[{entry},{entry},7]");
    let huge = vec![b'x'; 2 << 20];
    let inputs: [Option<&[u8]>; 8] = [
        Some(entry.as_bytes()),
        None,
        Some(b""),
        Some(b"\x00\x00\x00\x00\x05\xffavro"),
        Some(list.as_bytes()),
        Some(b"Mar 27 13:06:56 host sshd[1]: Failed password for root from 203.0.113.7 port 22 ssh2"),
        Some(b"[]"),
        Some(&huge),
    ];
    for input in inputs {
        doors.produce(RAW, 1, input);
    }
    doors.finish(&mut doors.worker("one"));

    let events = events(&doors.log);
    let ids: BTreeSet<String> = events.iter().map(|event| event.event_id.clone()).collect();
    let of = |offset: u64| position_id(RAW, 1, offset);
    let expected = [of(0), format!("{}-0", of(4)), format!("{}-1", of(4)), of(5)];
    assert_eq!(ids, BTreeSet::from(expected));
    assert!(events.iter().all(|event| event.tenant == "default"));

    let letters = dead_letters(&doors.log);
    let found: Vec<(&str, Reason)> = letters
        .iter()
        .map(|letter| (letter.origin.as_str(), letter.reason))
        .collect();
    let expected = [
        ("raw/1@1", Reason::Empty),
        ("raw/1@2", Reason::Empty),
        ("raw/1@3", Reason::UnknownFormat),
        ("raw/1@4 entry 2", Reason::UnknownFormat),
        ("raw/1@6", Reason::Empty),
        ("raw/1@7", Reason::TooLarge),
    ];
    assert_eq!(found, expected);
    assert_eq!(letters[0].detail, "the value is null");
    assert_eq!(letters[2].raw.bytes().unwrap().as_ref(), inputs[3].unwrap());
    assert_eq!(metric(&doors.metrics, r#"dead_letters_total{reason="empty"}"#), 3.0);
    assert_eq!(
        metric(&doors.metrics, r#"events_total{format="json",outcome="accepted"}"#),
        3.0
    );
    for (topic, count) in [("events.access", 3.0), ("events.security", 1.0), ("dead-letters", 6.0)] {
        let written = format!(r#"entries_written_total{{door="raw",tenant="default",topic="{topic}"}}"#);
        assert_eq!(metric(&doors.metrics, &written), count, "{topic}");
    }
    assert!(metric(&doors.metrics, "commit_seconds_count") >= 1.0);
    for topic in event::topic::EVENTS {
        assert!(
            records(&doors.log, topic)
                .iter()
                .all(|(_, record)| record.headers.is_empty())
        );
    }
}

#[test]
fn a_topic_of_the_operator_has_its_own_format_and_tenant() {
    let nginx = TopicSettings {
        format: "combined".parse().unwrap(),
        tenant: "globex".to_owned(),
        service: Some("shop".to_owned()),
        ..TopicSettings::new("nginx-logs")
    };
    let doors = Doors::new(vec![TopicSettings::new(RAW), nginx]);
    let line = br#"203.0.113.9 - - [22/Nov/2026:06:10:18 +0000] "GET / HTTP/1.1" 200 12 "-" "curl""#;
    doors.produce("nginx-logs", 0, Some(line));
    doors.produce("nginx-logs", 0, Some(br#"{"message":"not of this format"}"#));
    doors.produce(RAW, 0, Some(br#"{"message":"m"}"#));
    doors.finish(&mut doors.worker("one"));
    let events = events(&doors.log);
    let of_nginx = events.iter().find(|event| event.format == "combined").unwrap();
    assert_eq!(
        (of_nginx.tenant.as_str(), of_nginx.service.as_str()),
        ("globex", "shop")
    );
    assert_eq!(events.len(), 2);
    let letters = dead_letters(&doors.log);
    assert_eq!((letters.len(), letters[0].tenant.as_str()), (1, "globex"));
}

/// Killed after any step, with work that is not committed or just was: nothing is lost, nothing is there twice.
#[test]
fn a_crash_at_any_step() {
    let mut uncommitted = 0;
    for commit_interval in [Duration::from_millis(1), Duration::from_mins(1)] {
        for steps in 1..12 {
            let doors = Doors::committing(commit_interval, vec![TopicSettings::new(RAW)]);
            for at in 0..30 {
                let value = match at % 10 {
                    3 => "garbage".to_owned(),
                    _ => format!(r#"{{"message":"{at}"}}"#),
                };
                doors.produce(RAW, at % 2, Some(value.as_bytes()));
            }
            let mut worker = doors.worker("one");
            for _ in 0..steps {
                worker.step().unwrap();
            }
            uncommitted += usize::from(events(&doors.log).is_empty());
            let session = worker.into_session();
            let member = session.member();
            session.crash();
            doors.log.evict(TOPIC_GROUP, member);
            doors.finish(&mut doors.worker("one"));
            let events = events(&doors.log);
            let ids: BTreeSet<_> = events.iter().map(|event| &event.event_id).collect();
            let found = (events.len(), ids.len(), dead_letters(&doors.log).len());
            assert_eq!(found, (27, 27, 3), "after {steps} steps");
        }
    }
    assert!(uncommitted > 5, "{uncommitted} crashes came before a commit");
}

/// A zombie evaluates and cannot commit; what it counted is not counted.
#[test]
fn an_aborted_transaction_counts_nothing() {
    let doors = Doors::new(vec![TopicSettings::new(RAW)]);
    for _ in 0..5 {
        doors.produce(RAW, 0, Some(br#"{"message":"m"}"#));
    }
    let mut worker = doors.worker("one");
    for _ in 0..3 {
        worker.step().unwrap();
    }
    doors.log.evict(TOPIC_GROUP, worker.session().member());
    worker.commit().unwrap();
    let accepted = || metric(&doors.metrics, r#"events_total{format="json",outcome="accepted"}"#);
    assert_eq!((records(&doors.log, EVENTS_ACCESS).len(), accepted()), (0, 0.0));
    assert_eq!(metric(&doors.metrics, "aborts_total"), 1.0);
    doors.finish(&mut worker);
    assert_eq!((records(&doors.log, EVENTS_ACCESS).len(), accepted()), (5, 5.0));
    assert_eq!(metric(&doors.metrics, "partitions"), 2.0);
    drop(worker);
    assert_eq!(metric(&doors.metrics, "partitions"), 0.0);
}

#[test]
fn a_missing_topic_is_told_at_the_start() {
    let log = Log::new(service::clock::now);
    let metrics = Metrics::new(&service::metrics::Metrics::new());
    let opened = Ingest::open(settings(), Arc::new(log), metrics, Clocks::of_this_machine());
    assert!(matches!(opened.err(), Some(broker::Error::Misconfigured(message)) if message.contains("events.")));
}
