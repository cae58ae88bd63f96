//! Reading apart from groups: what an end is, on a real broker.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use broker::{Reader, Record, TopicPartition};
use e2e::log::{PATIENCE, installation, publish};
use event::topic::FACTS;
use kafka::{KafkaReader, KafkaSettings, Unobserved};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;

fn facts() -> TopicPartition {
    TopicPartition::new(FACTS, 0)
}

fn reader(settings: &KafkaSettings) -> KafkaReader {
    KafkaReader::connect(settings, Arc::new(Unobserved)).unwrap()
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| String::from_utf8(record.value.as_ref().unwrap().to_vec()).unwrap();
    records.iter().map(text).collect()
}

/// A producer that somebody else wrote.
fn foreign(settings: &KafkaSettings, transactional_id: Option<&str>) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers).set("linger.ms", "0");
    if let Some(id) = transactional_id {
        config.set("transactional.id", format!("{}{id}", settings.prefix));
    }
    config.create().unwrap()
}

fn send(producer: &BaseProducer, settings: &KafkaSettings, topic: &str, value: &str) {
    let topic = format!("{}{topic}", settings.prefix);
    let record: BaseRecord<'_, (), str> = BaseRecord::to(&topic).partition(0).payload(value);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// The end of a partition may be markers and aborted records: reading to it ends, and shows none of them. It is not
/// the end while a transaction has yet to be decided.
#[test]
fn reading_ends_behind_the_last_decision() {
    let settings = installation("markers", 1);
    let producer = foreign(&settings, Some("other"));
    producer.init_transactions(Timeout::Never).unwrap();
    let mut reader = reader(&settings);
    assert!(
        reader.read(&facts(), 0).unwrap().at_end,
        "an empty partition ends at once"
    );
    for round in 0..20_u64 {
        for (value, commits) in [("committed", true), ("aborted", false)] {
            producer.begin_transaction().unwrap();
            send(&producer, &settings, FACTS, value);
            if commits {
                producer.commit_transaction(Timeout::Never).unwrap();
            } else {
                producer.abort_transaction(Timeout::Never).unwrap();
            }
        }
        // Two records and two markers a round. The last marker may not be written yet: the call that asked for it has
        // returned, and reading waits.
        let from = 4 * round;
        let chunk = read_on(&mut reader, from);
        assert_eq!(texts(&chunk.records), ["committed"]);
        assert!(
            chunk.at_end && (from + 3..=from + 4).contains(&chunk.next),
            "{round}: {}",
            chunk.next
        );
        while reader.bounds(&facts()).unwrap().1 < from + 4 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    producer.begin_transaction().unwrap();
    send(&producer, &settings, FACTS, "open");
    assert_eq!(
        reader.bounds(&facts()),
        Ok((0, 81)),
        "the end is behind the open transaction"
    );
    let chunk = reader.read(&facts(), 80).unwrap();
    assert_eq!((chunk.records.len(), chunk.next, chunk.at_end), (0, 80, false));
    producer.commit_transaction(Timeout::Never).unwrap();
    let chunk = read_on(&mut reader, 80);
    assert_eq!((chunk.records.len(), chunk.at_end), (1, true));
}

/// Reads to the end in one chunk.
fn read_on(reader: &mut KafkaReader, from: u64) -> broker::Chunk {
    let mut all = broker::Chunk {
        next: from,
        ..broker::Chunk::default()
    };
    while !all.at_end {
        let chunk = reader.read(&facts(), all.next).unwrap();
        (all.next, all.at_end) = (chunk.next, chunk.at_end);
        all.records.extend(chunk.records);
    }
    all
}

#[test]
fn a_long_partition_is_read_in_chunks() {
    let settings = installation("chunks", 1);
    publish(&settings, FACTS, 1, (0..2_500).map(|number| format!("{number:05}")));
    let mut reader = reader(&settings);
    let (mut from, mut sizes, mut all) = (0, Vec::new(), Vec::new());
    loop {
        let chunk = reader.read(&facts(), from).unwrap();
        sizes.push(chunk.records.len());
        all.extend(texts(&chunk.records));
        from = chunk.next;
        if chunk.at_end {
            break;
        }
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(all, (0..2_500).map(|number| format!("{number:05}")).collect::<Vec<_>>());
}

/// As a worker restores the states of its partitions: a chunk of each in turn, and each has several.
#[test]
fn partitions_may_be_read_in_turns() {
    const RECORDS: usize = 3 * 5_000;
    let settings = installation("in-turns", 3);
    publish(&settings, FACTS, 3, (0..RECORDS).map(|number| number.to_string()));
    let mut reader = KafkaReader::connect(&settings, Arc::new(Unobserved)).unwrap();
    for _ in 0..5 {
        let mut open: Vec<_> = (0..3).map(|number| (TopicPartition::new(FACTS, number), 0)).collect();
        let mut read = 0;
        while !open.is_empty() {
            open.retain_mut(|(partition, from)| {
                let chunk = reader.read(partition, *from).unwrap();
                read += chunk.records.len();
                *from = chunk.next;
                !chunk.at_end
            });
        }
        assert_eq!(read, RECORDS);
    }
}
