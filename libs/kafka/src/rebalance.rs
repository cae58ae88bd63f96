//! The context of a group's consumer: takes note of rebalances, and tells the observer how far it is.
//!
//! A callback runs inside a poll, where neither a commit nor a question belongs. So it only takes note; the session
//! acts on it afterwards. librdkafka waits for the (un)assignment as long as it takes: until then the partitions of
//! a revocation are ours, and heartbeats go on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker::TopicPartition;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Partition;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};

use crate::Observer;
use crate::listener::{Listener, Listening};
use crate::names::{Names, count, known_offset};

/// What the group decided and the session has not yet answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    /// These become ours.
    Assign(Vec<TopicPartition>),
    /// These go to somebody else, once we give them up.
    Revoke(Vec<TopicPartition>),
    /// These have gone to somebody else.
    Lose(Vec<TopicPartition>),
}

pub(crate) type GroupConsumer = BaseConsumer<GroupContext>;

pub(crate) struct GroupContext {
    names: Names,
    listener: Listener,
    noted: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

impl GroupContext {
    pub(crate) fn new(names: Names, observer: Arc<dyn Observer>) -> Self {
        Self {
            names,
            listener: Listener::new(observer),
            noted: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// The oldest rebalance that has not been answered.
    pub(crate) fn next(&self) -> Option<Rebalance> {
        self.noted().front().cloned()
    }

    /// The oldest rebalance has been answered.
    pub(crate) fn answered(&self) {
        self.noted().pop_front();
    }

    /// Whether a rebalance waits for an answer.
    pub(crate) fn has_news(&self) -> bool {
        !self.noted().is_empty()
    }

    /// From now on nobody acts on notes: closing the consumer waits for its last revocation to be answered.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn noted(&self) -> MutexGuard<'_, VecDeque<Rebalance>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self, topic: &str, partition: &Partition) {
        let polled = known_offset(partition.app_offset);
        // Past the last record there may be markers of transactions, which are never polled.
        let fetched = known_offset(partition.next_offset).filter(|_| partition.fetchq_cnt == 0);
        if let (Some(position), Some(end)) = (polled.max(fetched), known_offset(partition.ls_offset)) {
            let partition = TopicPartition {
                topic: self.names.short(topic),
                partition: count(partition.partition),
            };
            self.listener.observer().progress(&partition, position, end);
        }
    }
}

impl Listening for GroupContext {
    fn listener(&self) -> &Listener {
        &self.listener
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.listener.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.listener.error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        for topic in statistics.topics.values() {
            let consumed = topic.partitions.values().filter(|it| it.fetch_state == "active");
            consumed.for_each(|partition| self.progress(&topic.topic, partition));
        }
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let answer = if assigned {
                consumer.incremental_assign(list)
            } else {
                consumer.incremental_unassign(list)
            };
            if let Err(error) = answer {
                tracing::warn!(%error, "the last rebalance could not be answered");
            }
            return;
        }
        let partitions = self.names.partitions(list);
        tracing::info!(assigned, lost = consumer.assignment_lost(), partitions = %listed(&partitions), "rebalance");
        self.noted().push_back(match assigned {
            true => Rebalance::Assign(partitions),
            false if consumer.assignment_lost() => Rebalance::Lose(partitions),
            false => Rebalance::Revoke(partitions),
        });
    }
}

fn listed(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
