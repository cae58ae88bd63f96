//! Kill -9 and worse against a real Kafka.

pub mod load;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::log::{PATIENCE, read_all};
use event::Timestamp;
use kafka::KafkaSettings;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// When the records of a topic were appended that belong to aborted transactions: those that are there, lie before a
/// committed one, so that they are decided, and are not committed.
///
/// # Panics
/// If the topic cannot be read.
pub fn aborted_records(settings: &KafkaSettings, topic: &str) -> Vec<Timestamp> {
    // In this order: what is not decided now may be when the committed ones are read, and is then among them.
    let mut aborted = written(settings, topic);
    let mut ends = BTreeMap::new();
    for (place, record) in read_all(settings, topic) {
        aborted.remove(&(place.partition, record.offset));
        ends.insert(place.partition, record.offset);
    }
    aborted.retain(|(partition, offset), _| ends.get(partition).is_some_and(|end| offset < end));
    aborted.into_values().collect()
}

/// Every record of a topic, whatever became of its transaction: by partition and offset, when it was appended.
fn written(settings: &KafkaSettings, topic: &str) -> BTreeMap<(u32, u64), Timestamp> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", format!("{}reader-of-all", settings.prefix))
        .set("isolation.level", "read_uncommitted")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer is made");
    let full = format!("{}{topic}", settings.prefix);
    let metadata = consumer
        .fetch_metadata(Some(&full), PATIENCE)
        .expect("the topic exists");
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        // No record has been deleted in the minutes that a test takes.
        list.add_partition_offset(&full, partition.id(), Offset::Offset(0))
            .expect("an offset");
    }
    consumer.assign(&list).expect("they exist");
    let mut reading = list.count();
    let mut written = BTreeMap::new();
    let started = Instant::now();
    while reading > 0 {
        assert!(started.elapsed() < PATIENCE, "{topic} is not read within {PATIENCE:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                let partition = u32::try_from(record.partition()).expect("a partition");
                let offset = u64::try_from(record.offset()).expect("an offset");
                let appended = record
                    .timestamp()
                    .to_millis()
                    .expect("topics of ours have append times");
                written.insert((partition, offset), Timestamp::from_millis(appended));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => reading -= 1,
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => {}
        }
    }
    written
}
