//! Heartbeats: a partition of `events.*` that gets no event gets a record all the same, for watermarks move by
//! records alone.
//!
//! Each process looks at its own writes only. With several of them a partition that one writes to gets the
//! heartbeats of the others, which does no harm and needs no agreement.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use broker::{Output, Publisher, Stopwatch, TopicPartition};
use bytes::Bytes;
use event::topic::HEADER_HEARTBEAT;
use service::Stop;
use tokio::time::MissedTickBehavior;

use crate::outage::Outage;
use crate::{Ingest, Metrics};

/// How many times in an interval the partitions are looked at: one may be silent for 1¼ intervals.
const LOOKS: u32 = 4;

/// When each partition of `events.*` was last written to by this process.
pub(crate) struct Activity(BTreeMap<TopicPartition, Arc<Partition>>);

struct Partition {
    /// In milliseconds of the stopwatch.
    written_at: AtomicU64,
    /// A heartbeat is on its way.
    pending: AtomicBool,
}

impl Activity {
    /// As if all were written to at `now`.
    pub(crate) fn new(partitions: impl Iterator<Item = TopicPartition>, now: Duration) -> Self {
        let written_at = |place| {
            let partition = Partition {
                written_at: AtomicU64::new(millis(now)),
                pending: AtomicBool::new(false),
            };
            (place, Arc::new(partition))
        };
        Self(partitions.map(written_at).collect())
    }

    /// Something was written to these partitions. Those of other topics do not matter.
    pub(crate) fn written<'a>(&self, places: impl IntoIterator<Item = &'a TopicPartition>, now: Duration) {
        for place in places {
            if let Some(partition) = self.0.get(place) {
                partition.written_at.store(millis(now), Ordering::Relaxed);
            }
        }
    }
}

pub(crate) struct Heartbeats {
    activity: Arc<Activity>,
    publisher: Arc<dyn Publisher>,
    interval: Duration,
    stopwatch: Stopwatch,
    metrics: Metrics,
    outage: Arc<Outage>,
}

impl Heartbeats {
    pub(crate) fn new(ingest: &Ingest) -> Self {
        Self {
            activity: ingest.activity.clone(),
            publisher: ingest.publisher.clone(),
            interval: ingest.settings.heartbeat_interval,
            stopwatch: ingest.clocks.stopwatch.clone(),
            metrics: ingest.metrics.clone(),
            outage: Arc::new(Outage::new("heartbeats are")),
        }
    }

    pub(crate) async fn run(&self, stop: &Stop) {
        let mut looks = tokio::time::interval(self.interval / LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.wait() => return,
                _ = looks.tick() => self.beat(),
            }
        }
    }

    /// Writes to every partition that is silent. One that does not answer holds up no other.
    fn beat(&self) {
        let now = (self.stopwatch)();
        let due = |partition: &Partition| {
            let written_at = Duration::from_millis(partition.written_at.load(Ordering::Relaxed));
            now.saturating_sub(written_at) >= self.interval
        };
        for (place, partition) in &self.activity.0 {
            if due(partition) && !partition.pending.swap(true, Ordering::Relaxed) {
                self.publish(place, partition);
            }
        }
    }

    fn publish(&self, place: &TopicPartition, partition: &Arc<Partition>) {
        let heartbeat = Output {
            topic: place.topic.clone(),
            partition: place.partition,
            key: None,
            value: None,
            headers: vec![(HEADER_HEARTBEAT.to_owned(), Bytes::new())],
        };
        let (reported, stopwatch) = (partition.clone(), self.stopwatch.clone());
        let (metrics, outage) = (self.metrics.clone(), self.outage.clone());
        let done = move |result: Result<_, broker::Error>| {
            metrics.heartbeat(result.is_ok());
            match result {
                Ok(_) => {
                    reported.written_at.store(millis(stopwatch()), Ordering::Relaxed);
                    outage.worked();
                }
                Err(error) => outage.failed(&error),
            }
            reported.pending.store(false, Ordering::Relaxed);
        };
        if let Err(error) = self.publisher.publish(vec![heartbeat], Box::new(done)) {
            self.metrics.heartbeat(false);
            self.outage.failed(&error);
            partition.pending.store(false, Ordering::Relaxed);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
