//! A real Kafka for a test, with topics of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::{Assignment, Error, Output, Polled, Publisher, Reader, Record, Session, TopicPartition};
use kafka::{KafkaPublisher, KafkaReader, KafkaSession, KafkaSettings, Unobserved, topics};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The bootstrap address of the test's Kafka.
///
/// # Panics
/// If `TIDEWATCH_TEST_KAFKA` is not set. A test that needs a broker fails without one; it is never passed over.
pub fn address() -> String {
    std::env::var("TIDEWATCH_TEST_KAFKA").expect(
        "TIDEWATCH_TEST_KAFKA is not set: `make e2e` starts the servers, or start one with `make kafka` \
         (deploy/dev/kafka.sh start DIR) and set TIDEWATCH_TEST_KAFKA=127.0.0.1:9092",
    )
}

/// Settings with a prefix that no other test and no earlier run has, and a session timeout that a test can wait for.
pub fn settings(test: &str) -> KafkaSettings {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("{test}-{now:x}-{}-{count}.", std::process::id());
    settings_of(&address(), &prefix)
}

/// The same settings for another process of the same test.
pub fn settings_of(brokers: &str, prefix: &str) -> KafkaSettings {
    let session_timeout = Duration::from_secs(2);
    KafkaSettings {
        prefix: prefix.to_owned(),
        session_timeout,
        ..KafkaSettings::new(brokers)
    }
}

/// A fresh installation of `scale` partitions.
///
/// # Panics
/// If the topics cannot be created.
pub fn installation(test: &str, scale: u32) -> KafkaSettings {
    let settings = settings(test);
    topics::create(&settings, scale, 1).expect("topics are created");
    settings
}

/// A session that joins `group` to read `topic`.
///
/// # Errors
/// As [`KafkaSession::connect`].
pub fn session(settings: &KafkaSettings, group: &str, slot: &str, topic: &str) -> Result<KafkaSession, Error> {
    KafkaSession::connect(
        settings,
        group,
        slot,
        &[topic],
        event::topic::CHANGELOG,
        Arc::new(Unobserved),
    )
}

/// Starts assigned partitions where the group is, or at the first record.
///
/// # Errors
/// As [`Session::start`].
pub fn start(session: &mut KafkaSession, assignments: &[Assignment]) -> Result<(), Error> {
    for assignment in assignments {
        let first = session.bounds(&assignment.partition)?.0;
        session.start(&assignment.partition, assignment.committed.unwrap_or(first))?;
    }
    Ok(())
}

/// Polls, past what is idle, until `pick` takes something.
///
/// # Panics
/// If it does not within [`PATIENCE`], or if polling fails.
pub fn poll_until<T>(session: &mut KafkaSession, mut pick: impl FnMut(&mut KafkaSession, Polled) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "not polled within {PATIENCE:?}");
        match session.poll(Duration::from_millis(100)) {
            Ok(polled) => {
                if let Some(picked) = pick(session, polled) {
                    return picked;
                }
            }
            // A topic that was just made may not have a leader yet.
            Err(Error::Unavailable(_)) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => panic!("polling failed: {error}"),
        }
    }
}

/// Publishes values to `topic`, value *i* to partition *i* modulo `partitions`, and waits until all are acknowledged.
///
/// # Panics
/// If one is not.
pub fn publish(settings: &KafkaSettings, topic: &str, partitions: u32, values: impl IntoIterator<Item = String>) {
    let publisher = KafkaPublisher::connect(settings, Arc::new(Unobserved)).expect("a publisher is made");
    let outputs = (0..)
        .zip(values)
        .map(|(index, value): (u32, String)| output(topic, index % partitions, value))
        .collect();
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    publisher
        .publish(
            outputs,
            Box::new(move |result| tell.send(result).expect("the test waits")),
        )
        .expect("taken");
    told.recv_timeout(PATIENCE).expect("reported").expect("acknowledged");
}

/// A record without a key.
pub fn output(topic: &str, partition: u32, value: impl Into<String>) -> Output {
    Output {
        topic: topic.into(),
        partition,
        key: None,
        value: Some(value.into().into()),
        headers: Vec::new(),
    }
}

/// All committed records of a topic, by partition.
///
/// # Panics
/// If they cannot be read.
pub fn read_all(settings: &KafkaSettings, topic: &str) -> Vec<(TopicPartition, Record)> {
    let mut reader = KafkaReader::connect(settings, Arc::new(Unobserved)).expect("a reader is made");
    let mut records = Vec::new();
    for number in 0..reader.partition_count(topic).expect("the topic exists") {
        let partition = TopicPartition::new(topic, number);
        let mut from = reader.bounds(&partition).expect("the partition exists").0;
        loop {
            let chunk = reader.read(&partition, from).expect("reading works");
            records.extend(chunk.records.into_iter().map(|record| (partition.clone(), record)));
            from = chunk.next;
            if chunk.at_end {
                break;
            }
        }
    }
    records
}

/// The values of a topic as text, sorted.
///
/// # Panics
/// If they cannot be read or are not text.
pub fn values(settings: &KafkaSettings, topic: &str) -> Vec<String> {
    let text = |record: Record| String::from_utf8(record.value.expect("it has a value").to_vec()).expect("it is text");
    let mut values: Vec<_> = read_all(settings, topic)
        .into_iter()
        .map(|(_, record)| text(record))
        .collect();
    values.sort_unstable();
    values
}
