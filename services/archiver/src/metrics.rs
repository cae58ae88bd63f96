use std::collections::BTreeMap;
use std::time::Duration;

use archive::{Manifest, TIERS, tier_of};
use broker::TopicPartition;
use event::Timestamp;
use prometheus::{Gauge, GaugeVec, Histogram, IntCounterVec, IntGauge, IntGaugeVec};
use service::metrics::{Metrics, SECONDS};

use crate::error::Setback;
use crate::task::Task;

/// The words that [`Instruments::put`] counts by. Each begins at zero, so that the first of them is an increase.
const OUTCOMES: [&str; 6] = ["created", "adopted", "retry", "conflict", "lock_mismatch", "fatal"];

/// How long the topics that are archived keep their records: what is not archived by then never will be.
pub struct TopicRetention(GaugeVec);

impl TopicRetention {
    /// Nothing is known yet.
    pub fn new(metrics: &Metrics) -> Self {
        Self(metrics.float_gauges(
            "archive_topic_retention_seconds",
            "How long the topic keeps a record, by its configuration on the brokers; +Inf if for ever.",
            &["tier", "topic"],
        ))
    }

    /// The brokers keep a record of `topic` this long; `None` is for ever.
    pub fn set(&self, topic: &str, time: Option<Duration>) {
        if let Some(tier) = tier_of(topic) {
            let seconds = time.map_or(f64::INFINITY, |time| time.as_secs_f64());
            self.0.with_label_values(&[tier.name, topic]).set(seconds);
        }
    }
}

/// What the archiver counts.
pub(crate) struct Instruments {
    segments: IntCounterVec,
    segment_bytes: IntCounterVec,
    records: IntCounterVec,
    puts: IntCounterVec,
    lag: GaugeVec,
    stopped: IntGaugeVec,
    memory: IntGauge,
    write: Histogram,
    pub(crate) age_max: Gauge,
}

impl Instruments {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let segments = metrics.counters("archive_segments_total", "Segments archived and committed.", &["tier"]);
        let puts = metrics.counters(
            "archive_puts_total",
            "Segments by what became of writing them: created, adopted, retry, conflict, lock_mismatch, fatal.",
            &["outcome"],
        );
        for outcome in OUTCOMES {
            puts.with_label_values(&[outcome]).inc_by(0);
        }
        let segment_bytes = metrics.counters("archive_segment_bytes_total", "Bytes of archived objects.", &["tier"]);
        let records = metrics.counters(
            "archive_records_total",
            "Records archived and committed; heartbeats carry no event.",
            &["tier", "kind"],
        );
        for tier in TIERS {
            segments.with_label_values(&[tier.name]).inc_by(0);
            segment_bytes.with_label_values(&[tier.name]).inc_by(0);
            for kind in ["record", "heartbeat"] {
                records.with_label_values(&[tier.name, kind]).inc_by(0);
            }
        }
        Self {
            segments,
            segment_bytes,
            records,
            puts,
            lag: metrics.float_gauges(
                "archive_lag_seconds",
                "Age of the oldest record that is read and not archived, by its append.",
                &["tier"],
            ),
            stopped: metrics.gauges(
                "archive_stopped",
                "1 for a partition that is not archived any more until a person has looked at it.",
                &["topic", "partition"],
            ),
            memory: metrics.gauge("archive_memory_bytes", "Bytes of the segments that are being gathered."),
            write: metrics.histogram(
                "archive_write_seconds",
                "Writing a segment, until its lock is read back.",
                SECONDS,
            ),
            age_max: metrics.float_gauge(
                "archive_segment_age_max_seconds",
                "The age at which a segment is written, full or not: a lag of so much is usual.",
            ),
        }
    }

    pub(crate) fn count(&self, manifest: &Manifest) {
        let tier = manifest.tier.as_str();
        self.segments.with_label_values(&[tier]).inc();
        self.segment_bytes.with_label_values(&[tier]).inc_by(manifest.size);
        self.records
            .with_label_values(&[tier, "record"])
            .inc_by(manifest.count - manifest.heartbeats);
        self.records
            .with_label_values(&[tier, "heartbeat"])
            .inc_by(manifest.heartbeats);
    }

    pub(crate) fn put(&self, outcome: &str) {
        self.puts.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn took(&self, time: Duration) {
        self.write.observe(time.as_secs_f64());
    }

    pub(crate) fn setback(&self, partition: &TopicPartition, setback: &Setback) {
        self.put(setback.outcome());
        if matches!(setback, Setback::Conflict(_) | Setback::Unlocked(_)) {
            self.stopped.with_label_values(&labels(partition)).set(1);
        }
    }

    /// A partition that has come is archived until something says otherwise; one that has gone is not ours to report.
    pub(crate) fn not_stopped(&self, partition: &TopicPartition) {
        self.stopped.with_label_values(&labels(partition)).set(0);
    }

    pub(crate) fn observe_tasks(&self, tasks: &BTreeMap<TopicPartition, Task>, now: Timestamp) {
        let bytes: usize = tasks.values().map(Task::bytes).sum();
        self.memory.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        for tier in TIERS {
            let ours = tasks.values().filter(|task| task.tier == *tier);
            let oldest = ours.filter_map(Task::oldest).min();
            let lag = oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
            self.lag.with_label_values(&[tier.name]).set(lag.as_secs_f64());
        }
    }
}

fn labels(partition: &TopicPartition) -> [String; 2] {
    [partition.topic.to_string(), partition.partition.to_string()]
}
