//! Names of topics, as the ports say them and as the cluster knows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::TopicPartition;
use rdkafka::TopicPartitionList;
use rdkafka::error::KafkaError;

use crate::topics;

/// Adds the prefix to our own topics. A topic that the operator names, to read from, keeps its name.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    full: BTreeMap<&'static str, String>,
    short: BTreeMap<String, Arc<str>>,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        let ours = || {
            topics::TOPICS
                .iter()
                .map(|topic| (topic.name, format!("{prefix}{}", topic.name)))
        };
        Self {
            full: ours().collect(),
            short: ours().map(|(name, full)| (full, name.into())).collect(),
        }
    }

    pub(crate) fn full<'a>(&'a self, topic: &'a str) -> &'a str {
        self.full.get(topic).map_or(topic, String::as_str)
    }

    pub(crate) fn short(&self, full: &str) -> Arc<str> {
        self.short.get(full).cloned().unwrap_or_else(|| full.into())
    }

    /// The partitions as the client takes them, each at the offset that `offset_of` gives.
    ///
    /// # Errors
    /// If an offset is beyond what Kafka can count.
    pub(crate) fn list<'a>(
        &self,
        partitions: impl IntoIterator<Item = (&'a TopicPartition, Option<broker::Offset>)>,
    ) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            let (topic, number) = (self.full(&partition.topic), number(partition.partition));
            match offset {
                None => drop(list.add_partition(topic, number)),
                Some(offset) => list.add_partition_offset(topic, number, kafka_offset(offset))?,
            }
        }
        Ok(list)
    }

    /// The partitions of a list.
    pub(crate) fn partitions(&self, list: &TopicPartitionList) -> Vec<TopicPartition> {
        list.elements()
            .iter()
            .map(|element| TopicPartition {
                topic: self.short(element.topic()),
                partition: count(element.partition()),
            })
            .collect()
    }
}

/// A partition as Kafka counts it. Kafka has no more than 2^31 of them.
pub(crate) fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// A partition as we count it; -1 is Kafka's "none" and never that of a record.
pub(crate) fn count(partition: i32) -> u32 {
    u32::try_from(partition).unwrap_or(0)
}

/// An offset as the client takes it.
pub(crate) fn kafka_offset(offset: broker::Offset) -> rdkafka::Offset {
    rdkafka::Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

/// An offset as the client gives it; negative numbers stand for "none".
pub(crate) fn known_offset(raw: i64) -> Option<broker::Offset> {
    u64::try_from(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_topics_carry_the_prefix_and_others_do_not() {
        let names = Names::new("blue.");
        assert_eq!(names.full("facts"), "blue.facts");
        assert_eq!(names.full("nginx-logs"), "nginx-logs");
        assert_eq!(&*names.short("blue.events.audit"), "events.audit");
        assert_eq!(&*names.short("nginx-logs"), "nginx-logs");
        assert_eq!(&*names.short("green.facts"), "green.facts");
    }
}
