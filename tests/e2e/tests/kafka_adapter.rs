//! What the ports promise, asked of the adapter on a real broker.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use broker::{Error, Output, Polled, Publisher, Reader, Session, TopicPartition, Transaction};
use bytes::Bytes;
use e2e::log::{PATIENCE, installation, output, poll_until, publish, session, settings, start, values};
use event::StateChange;
use event::topic::{ALERTS, CHANGELOG, EVENTS_SECURITY, FACTS, RAW};
use kafka::{KafkaPublisher, KafkaReader, KafkaSession, KafkaSettings, Observer, Start, Unobserved, topics};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::{ClientConfig, TopicPartitionList};

fn events(partition: u32) -> TopicPartition {
    TopicPartition::new(EVENTS_SECURITY, partition)
}

fn facts() -> TopicPartition {
    TopicPartition::new(FACTS, 0)
}

fn reader(settings: &KafkaSettings) -> KafkaReader {
    KafkaReader::connect(settings, Arc::new(Unobserved)).unwrap()
}

/// A session that has taken up and started everything, and where the group was.
fn working(settings: &KafkaSettings, slot: &str) -> (KafkaSession, Vec<Option<u64>>) {
    let mut session = session(settings, "match", slot, EVENTS_SECURITY).unwrap();
    let committed = poll_until(&mut session, |session, polled| match polled {
        Polled::Assigned(assignments) => {
            start(session, &assignments).unwrap();
            Some(assignments.iter().map(|it| it.committed).collect())
        }
        Polled::Revoked(_) | Polled::Lost(_) | Polled::Records(_) | Polled::Idle => None,
    });
    (session, committed)
}

/// The next batch as texts.
fn next_batch(session: &mut KafkaSession) -> Vec<String> {
    poll_until(session, |_, polled| match polled {
        Polled::Records(batch) => Some(batch.records.iter().map(|it| text(it.value.as_ref())).collect()),
        Polled::Assigned(_) | Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => None,
    })
}

fn text(value: Option<&Bytes>) -> String {
    String::from_utf8(value.unwrap().to_vec()).unwrap()
}

fn one(to: &str, value: &str, position: u64) -> Transaction {
    let positions = BTreeMap::from([(events(0), position)]);
    Transaction {
        outputs: vec![output(to, 0, value)],
        changes: Vec::new(),
        positions,
    }
}

#[test]
fn topics_are_created_once_and_verified() {
    let settings = settings("topics");
    assert!(matches!(
        session(&settings, "match", "0", EVENTS_SECURITY),
        Err(Error::Misconfigured(_))
    ));
    assert_eq!(
        topics::verify(&settings, 3, 1).unwrap().len(),
        topics::TOPICS.len(),
        "none exists"
    );
    assert_eq!(topics::create(&settings, 3, 1).unwrap().len(), topics::TOPICS.len());
    assert_eq!(topics::verify(&settings, 3, 1), Ok(Vec::new()));
    assert_eq!(
        topics::create(&settings, 3, 1),
        Ok(Vec::new()),
        "the second time there is nothing to do"
    );
    let other = topics::verify(&settings, 4, 1).unwrap();
    let scaled = topics::TOPICS
        .iter()
        .filter(|it| it.partitions == topics::Partitions::Scaled)
        .count();
    assert_eq!(other.len(), scaled);
    assert_eq!(
        other[0].to_string(),
        format!("{}raw: partitions is 3, expected 4", settings.prefix)
    );
    assert_eq!(reader(&settings).partition_count(CHANGELOG), Ok(3));
}

#[test]
fn a_commit_makes_everything_visible_and_a_restart_goes_on_behind_it() {
    let settings = installation("commit", 2);
    publish(&settings, EVENTS_SECURITY, 2, ["a", "b"].map(String::from));
    let (mut session, committed) = working(&settings, "0");
    assert_eq!(committed, [None, None]);
    let change = |key: &str| StateChange {
        key: key.as_bytes().into(),
        value: Some(b"v"[..].into()),
    };
    let transaction = Transaction {
        outputs: vec![output(FACTS, 1, "fact")],
        changes: vec![(1, change("x")), (1, change("y")), (0, change("z"))],
        positions: BTreeMap::from([(events(0), 1), (events(1), 1)]),
    };
    let committed = session.commit(transaction).unwrap();
    assert_eq!(committed.changelog, BTreeMap::from([(0, 1), (1, 2)]));
    let changelog = session.read(&TopicPartition::new(CHANGELOG, 1), 0).unwrap();
    let decode = |record: &broker::Record| StateChange::decode(record.key.as_ref().unwrap(), record.value.as_deref());
    assert_eq!(
        changelog
            .records
            .iter()
            .map(|it| decode(it).unwrap())
            .collect::<Vec<_>>(),
        [change("x"), change("y")]
    );
    assert!(changelog.at_end);
    let left = Instant::now();
    drop(session);
    assert!(
        left.elapsed() < Duration::from_secs(5),
        "leaving the group took {:?}",
        left.elapsed()
    );
    let rejoined = Instant::now();
    let (_session, committed) = working(&settings, "0");
    assert_eq!(committed, [Some(1), Some(1)]);
    // Not a session timeout later: the member that left said so.
    assert!(
        rejoined.elapsed() < Duration::from_secs(2),
        "joining took {:?}",
        rejoined.elapsed()
    );
    assert_eq!(values(&settings, FACTS), ["fact"]);
}

/// After a failure: what was pending is gone, and what is ours is announced again at the committed position.
#[test]
fn a_failed_commit_is_recovered_from_by_polling() {
    let settings = installation("recover", 1);
    publish(&settings, EVENTS_SECURITY, 1, ["a", "b", "c"].map(String::from));
    let (mut session, _) = working(&settings, "0");
    assert_eq!(next_batch(&mut session), ["a", "b", "c"]);
    session.commit(one(FACTS, "kept", 1)).unwrap();
    let large = Output {
        value: Some(vec![0; kafka::RECORD_BYTES_MAX + 1].into()),
        ..output(FACTS, 0, "")
    };
    let mut refused = one(FACTS, "dropped", 2);
    refused.outputs.push(large);
    assert!(matches!(session.commit(refused), Err(Error::Refused(_))));
    assert!(
        matches!(session.commit(one(FACTS, "dropped", 2)), Err(Error::Aborted(_))),
        "not before a poll"
    );
    let Polled::Assigned(again) = session.poll(Duration::from_secs(1)).unwrap() else {
        panic!("not announced")
    };
    assert_eq!(again.iter().map(|it| it.committed).collect::<Vec<_>>(), [Some(1)]);
    assert!(
        matches!(session.poll(Duration::from_millis(300)).unwrap(), Polled::Idle),
        "it is paused"
    );
    start(&mut session, &again).unwrap();
    assert_eq!(
        next_batch(&mut session),
        ["b", "c"],
        "what was not committed comes again"
    );
    session.commit(one(FACTS, "after", 3)).unwrap();
    assert_eq!(values(&settings, FACTS), ["after", "kept"]);
}

#[test]
fn a_record_of_the_largest_size_passes() {
    let settings = installation("largest", 1);
    let (mut session, _) = working(&settings, "0");
    // Bytes that do not compress.
    let mut state = 1_u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let value: Vec<u8> = (0..kafka::RECORD_BYTES_MAX).map(|_| byte()).collect();
    let mut transaction = one(FACTS, "", 0);
    transaction.outputs[0].value = Some(value.clone().into());
    session.commit(transaction).unwrap();
    let chunk = session.read(&facts(), 0).unwrap();
    assert_eq!(chunk.records[0].value.as_deref(), Some(&value[..]));
}

/// A topic that is not there is for the operator; it does not look like a cluster that is away.
#[test]
fn writing_to_a_topic_that_does_not_exist_is_a_misconfiguration() {
    let settings = installation("nowhere", 1);
    let (mut session, _) = working(&settings, "0");
    let result = session.commit(one("nowhere", "lost", 1));
    assert!(matches!(result, Err(Error::Misconfigured(_))), "{result:?}");
}

#[test]
fn no_transaction_without_positions_nor_with_those_of_others() {
    let settings = installation("positions", 1);
    let (mut session, _) = working(&settings, "0");
    let mut without = one(FACTS, "never", 1);
    without.positions.clear();
    assert!(matches!(session.commit(without), Err(Error::Misconfigured(_))));
    assert!(matches!(session.poll(Duration::ZERO), Ok(Polled::Assigned(_))));
    let mut strange = one(FACTS, "never", 1);
    strange.positions.insert(TopicPartition::new(ALERTS, 0), 1);
    assert_eq!(
        session.commit(strange),
        Err(Error::Aborted("alerts/0 is not ours".to_owned()))
    );
    assert!(values(&settings, FACTS).is_empty());
}

/// Whoever does not poll for too long is out of the group, and what it had evaluated is not committed, although nobody
/// told it yet.
#[test]
fn a_member_that_was_evicted_commits_nothing() {
    let max_poll_interval = Duration::from_secs(4);
    let transaction_timeout = Duration::from_secs(2);
    let settings = KafkaSettings {
        max_poll_interval,
        transaction_timeout,
        ..installation("evicted", 1)
    };
    settings.check().unwrap();
    publish(&settings, EVENTS_SECURITY, 1, ["a".to_owned()]);
    let (mut slow, _) = working(&settings, "0");
    assert_eq!(next_batch(&mut slow), ["a"]);
    thread::sleep(max_poll_interval + Duration::from_secs(2));
    let (mut quick, committed) = working(&settings, "1");
    assert_eq!(committed, [None]);
    let result = slow.commit(one(FACTS, "late", 1));
    assert!(matches!(result, Err(Error::Aborted(_))), "{result:?}");
    assert_eq!(next_batch(&mut quick), ["a"]);
    quick.commit(one(FACTS, "in time", 1)).unwrap();
    let lost = poll_until(&mut slow, |_, polled| match polled {
        Polled::Lost(partitions) => Some(partitions),
        Polled::Assigned(_) | Polled::Revoked(_) | Polled::Records(_) | Polled::Idle => None,
    });
    assert_eq!(lost, [events(0)]);
    assert_eq!(values(&settings, FACTS), ["in time"]);
}

/// Two processes with one slot: the older is fenced, and says so.
#[test]
fn a_twin_fences_the_older() {
    let settings = installation("twin", 2);
    let (mut older, _) = working(&settings, "0");
    let _younger = session(&settings, "match", "0", EVENTS_SECURITY).unwrap();
    let result = older.commit(one(FACTS, "zombie", 1));
    assert!(matches!(result, Err(Error::Fenced(_))), "{result:?}");
    let polled = older.poll(Duration::ZERO);
    assert!(
        matches!(polled, Err(Error::Fenced(_))),
        "it does not take the id back: {polled:?}"
    );
    assert!(values(&settings, FACTS).is_empty());
}

#[test]
fn a_group_that_must_have_positions_stops_without() {
    let settings = KafkaSettings {
        start: Start::Fail,
        ..installation("startless", 1)
    };
    let mut session = session(&settings, "match", "0", EVENTS_SECURITY).unwrap();
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < PATIENCE);
        match session.poll(Duration::from_millis(100)) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Misconfigured(_)), "{error:?}");
}

#[test]
fn starting_where_nothing_is_kept_is_refused() {
    let settings = installation("unkept", 1);
    publish(&settings, EVENTS_SECURITY, 1, ["a", "b", "c"].map(String::from));
    let mut session = session(&settings, "match", "0", EVENTS_SECURITY).unwrap();
    poll_until(&mut session, |_, polled| {
        matches!(polled, Polled::Assigned(_)).then_some(())
    });
    // Before anything is read: a client that meets this itself stops reading the partition for good.
    delete_records(&settings, 2);
    assert!(
        matches!(session.start(&events(0), 1), Err(Error::Misconfigured(_))),
        "no longer kept"
    );
    assert!(
        matches!(session.start(&events(0), 7), Err(Error::Misconfigured(_))),
        "beyond the end"
    );
    assert!(
        matches!(session.start(&events(1), 0), Err(Error::Misconfigured(_))),
        "not ours"
    );
    assert!(matches!(session.read(&events(0), 1), Err(Error::Misconfigured(_))));
    assert_eq!(session.bounds(&events(0)), Ok((2, 3)));
    assert_eq!(session.start(&events(0), 2), Ok(()));
    assert_eq!(next_batch(&mut session), ["c"]);
}

/// As retention does, only at once.
fn delete_records(settings: &KafkaSettings, before: i64) {
    let mut config = ClientConfig::new();
    let admin: AdminClient<_> = config.set("bootstrap.servers", &settings.brokers).create().unwrap();
    let mut list = TopicPartitionList::new();
    let topic = format!("{}{EVENTS_SECURITY}", settings.prefix);
    list.add_partition_offset(&topic, 0, rdkafka::Offset::Offset(before))
        .unwrap();
    let deleting = admin.delete_records(&list, &AdminOptions::new());
    tokio::runtime::Runtime::new().unwrap().block_on(deleting).unwrap();
}

#[derive(Default)]
struct Counts {
    headers: AtomicUsize,
    progress: Mutex<BTreeMap<TopicPartition, (u64, u64)>>,
}

impl Observer for Counts {
    fn header_dropped(&self, _partition: &TopicPartition) {
        self.headers.fetch_add(1, Ordering::Relaxed);
    }

    fn progress(&self, partition: &TopicPartition, position: u64, end: u64) {
        self.progress.lock().unwrap().insert(partition.clone(), (position, end));
    }
}

/// Whoever may produce may also send a header name that is not UTF-8. It costs that header, not the worker. Once all
/// is polled, position and end are told, and are one. (Not through `raw`: its brokers pack again, and so repair the name.)
#[test]
fn a_bad_header_name_costs_the_header_and_progress_is_told() {
    let settings = installation("header", 1);
    let kcat = std::process::Command::new("kcat")
        .args([
            "-P",
            "-b",
            &settings.brokers,
            "-t",
            &format!("{}{EVENTS_SECURITY}", settings.prefix),
            "-p",
            "0",
            "-H",
        ])
        .arg(std::ffi::OsString::from(std::ffi::OsStr::new("good=1")))
        .arg("-H")
        .arg(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
            b"bad\xff=2",
        ))
        .stdin(std::process::Stdio::piped())
        .spawn();
    let mut kcat = kcat.expect("kcat runs");
    std::io::Write::write_all(&mut kcat.stdin.take().unwrap(), b"value").unwrap();
    assert!(kcat.wait().unwrap().success());

    let counts = Arc::new(Counts::default());
    let mut session =
        KafkaSession::connect(&settings, "topic", "0", &[EVENTS_SECURITY], CHANGELOG, counts.clone()).unwrap();
    let record = poll_until(&mut session, |session, polled| match polled {
        Polled::Assigned(assignments) => start(session, &assignments).map(|()| None).unwrap(),
        Polled::Records(mut batch) => batch.records.pop(),
        Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle => None,
    });
    assert_eq!(text(record.value.as_ref()), "value");
    assert_eq!(record.headers, [("good".to_owned(), Bytes::from_static(b"1"))]);
    assert_eq!(counts.headers.load(Ordering::Relaxed), 1);
    poll_until(&mut session, |_, _| {
        let progress = counts.progress.lock().unwrap().get(&events(0)).copied();
        (progress == Some((1, 1))).then_some(())
    });
}

#[test]
fn publishing_tells_positions_once_and_refuses_when_full() {
    let settings = installation("publish", 2);
    let publisher = KafkaPublisher::connect(&settings, Arc::new(Unobserved)).unwrap();
    let (tell, told) = std::sync::mpsc::sync_channel(4);
    let telling = |tell: &std::sync::mpsc::SyncSender<_>| {
        let tell = tell.clone();
        Box::new(move |result| tell.send(result).unwrap())
    };
    publisher
        .publish(
            vec![output(RAW, 1, "a"), output(RAW, 0, "b"), output(RAW, 1, "c")],
            telling(&tell),
        )
        .unwrap();
    let positions = told.recv_timeout(PATIENCE).unwrap().unwrap();
    let at: Vec<_> = positions.iter().map(|it| (it.partition.partition, it.offset)).collect();
    assert_eq!(at, [(1, 0), (0, 0), (1, 1)]);
    assert_eq!(publisher.bytes(), 0);
    publisher
        .publish(vec![output("nowhere", 0, "x"), output(RAW, 0, "d")], telling(&tell))
        .unwrap();
    let result = told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(result, Err(Error::Misconfigured(_))), "{result:?}");
    publisher.publish(Vec::new(), telling(&tell)).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ok(Vec::new()));
    let full = || {
        vec![
            Output {
                value: Some(vec![0; 1 << 20].into()),
                ..output(RAW, 0, "")
            };
            65
        ]
    };
    assert!(matches!(
        publisher.publish(full(), telling(&tell)),
        Err(Error::Overloaded(_))
    ));
    let large = Output {
        value: Some(vec![0; kafka::RECORD_BYTES_MAX + 1].into()),
        ..output(RAW, 0, "")
    };
    assert!(matches!(
        publisher.publish(vec![large], telling(&tell)),
        Err(Error::Refused(_))
    ));
    thread::sleep(Duration::from_millis(200));
    assert!(told.try_recv().is_err(), "each call is answered once");
}
