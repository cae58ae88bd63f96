use broker::Happened;
use detection::{Matched, Step};
use event::{SourcePartition, Timestamp};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use state::StoreSize;

/// What the detector counts. Both stages count into the same metrics.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) evaluated: IntCounter,
    pub(crate) heartbeats: IntCounter,
    pub(crate) derived: IntCounter,
    pub(crate) dead_letters: IntCounter,
    pub(crate) restored: IntCounter,
    rule_matches: IntCounterVec,
    rule_missing_key: IntCounterVec,
    alerts: IntCounterVec,
    facts: IntCounterVec,
    watermark: IntGaugeVec,
    rule_watermark: IntGaugeVec,
    state_keys: IntGaugeVec,
    state_bytes: IntGaugeVec,
    commit: HistogramVec,
    records: IntCounterVec,
    aborts: IntCounterVec,
    partitions: IntGaugeVec,
}

/// Makes metrics and registers them.
struct Registering<'a>(&'a Registry);

impl Registering<'_> {
    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn commits(&self) -> prometheus::Result<HistogramVec> {
        let commit = HistogramOpts::new(
            "tidewatch_detector_commit_seconds",
            "how long a transaction took to commit",
        );
        let commit = HistogramVec::new(commit.buckets(COMMIT_BUCKETS.to_vec()), &["stage"])?;
        self.0.register(Box::new(commit.clone()))?;
        Ok(commit)
    }
}

/// Upper bounds in seconds: a commit takes milliseconds when all is well, and seconds when it is not.
const COMMIT_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If one of the names is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registering(registry);
        Ok(Self {
            evaluated: new.counter(
                "tidewatch_detector_events_evaluated_total",
                "events that every rule was asked about",
            )?,
            heartbeats: new.counter("tidewatch_detector_heartbeats_total", "heartbeat records read")?,
            derived: new.counter(
                "tidewatch_detector_derived_events_total",
                "derived events read, which are not matched again",
            )?,
            dead_letters: new.counter(
                "tidewatch_detector_dead_letters_total",
                "records that could not be read",
            )?,
            restored: new.counter(
                "tidewatch_detector_restored_changes_total",
                "changelog records replayed",
            )?,
            rule_matches: new.counters(
                "tidewatch_detector_rule_matches_total",
                "events that passed a rule's filter",
                &["rule"],
            )?,
            rule_missing_key: new.counters(
                "tidewatch_detector_rule_missing_key_total",
                "events that passed a rule's filter but lack a field it groups by",
                &["rule"],
            )?,
            alerts: new.counters(
                "tidewatch_detector_alerts_total",
                "alert records",
                &["rule", "severity", "status"],
            )?,
            facts: new.counters(
                "tidewatch_detector_fact_entries_total",
                "fact entries by what became of them",
                &["outcome"],
            )?,
            watermark: new.gauges(
                "tidewatch_detector_source_watermark_seconds",
                "how far a source partition is, as a Unix time",
                &["topic", "partition"],
            )?,
            rule_watermark: new.gauges(
                "tidewatch_detector_watermark_seconds",
                "the watermark of rules over all events, by facts partition, as a Unix time",
                &["partition"],
            )?,
            state_keys: new.gauges("tidewatch_detector_state_keys", "keys held in memory", &["partition"])?,
            state_bytes: new.gauges(
                "tidewatch_detector_state_bytes",
                "bytes of keys and values held in memory",
                &["partition"],
            )?,
            commit: new.commits()?,
            records: new.counters(
                "tidewatch_detector_records_committed_total",
                "records evaluated and committed",
                &["stage"],
            )?,
            aborts: new.counters(
                "tidewatch_detector_aborts_total",
                "transactions that were not committed",
                &["stage"],
            )?,
            partitions: new.gauges("tidewatch_detector_partitions", "partitions owned", &["stage", "state"])?,
        })
    }

    pub(crate) fn matched(&self, matched: &Matched) {
        for (rule, tally) in &matched.tally {
            self.rule_matches.with_label_values(&[rule]).inc_by(tally.matched);
            self.rule_missing_key
                .with_label_values(&[rule])
                .inc_by(tally.missing_key);
        }
        matched.alerts.iter().for_each(|alert| self.alert(alert));
    }

    pub(crate) fn correlated(&self, step: &Step) {
        let tally = step.tally;
        let outcomes = [
            ("applied", tally.applied),
            ("duplicate", tally.duplicate),
            ("late", tally.late),
            ("unknown_rule", tally.unknown_rule),
            ("forgotten", tally.forgotten),
        ];
        for (outcome, count) in outcomes.into_iter().filter(|(_, count)| *count > 0) {
            self.facts.with_label_values(&[outcome]).inc_by(count);
        }
        step.alerts.iter().for_each(|alert| self.alert(alert));
    }

    fn alert(&self, alert: &event::Alert) {
        self.alerts
            .with_label_values(&[alert.rule_id.as_str(), alert.severity.as_str(), alert.status.as_str()])
            .inc();
    }

    pub(crate) fn watermarks(&self, watermarks: &[(SourcePartition, Timestamp)]) {
        for (source, watermark) in watermarks {
            let labels = [source.topic.name(), &source.partition.to_string()];
            self.watermark.with_label_values(&labels).set(seconds(*watermark));
        }
    }

    pub(crate) fn rule_watermark(&self, partition: u32, watermark: Timestamp) {
        if watermark != Timestamp::MIN {
            self.rule_watermark
                .with_label_values(&[&partition.to_string()])
                .set(seconds(watermark));
        }
    }

    pub(crate) fn state(&self, partition: u32, size: StoreSize) {
        let partition = partition.to_string();
        self.state_keys.with_label_values(&[&partition]).set(gauge(size.keys));
        self.state_bytes.with_label_values(&[&partition]).set(gauge(size.bytes));
    }

    /// The partition is not ours any more, nor is its memory. Its watermark stays: of all that processes last knew the
    /// greatest counts, and a partition that nobody takes over must be seen standing still.
    pub(crate) fn forget_state(&self, partition: u32) {
        let partition = partition.to_string();
        // It may never have had a value.
        self.state_keys.remove_label_values(&[&partition]).ok();
        self.state_bytes.remove_label_values(&[&partition]).ok();
    }

    pub(crate) fn happened(&self, stage: &str, happened: &Happened) {
        match happened {
            Happened::Committed { took, records } => {
                let commit: Histogram = self.commit.with_label_values(&[stage]);
                commit.observe(took.as_secs_f64());
                self.records.with_label_values(&[stage]).inc_by(*records);
            }
            Happened::Aborted(error) => {
                tracing::warn!(stage, %error, "transaction aborted: evaluating again from what is committed");
                self.aborts.with_label_values(&[stage]).inc();
            }
            Happened::Owned { partitions, restoring } => {
                self.partitions
                    .with_label_values(&[stage, "running"])
                    .set(gauge(partitions - restoring));
                self.partitions
                    .with_label_values(&[stage, "restoring"])
                    .set(gauge(*restoring));
            }
        }
    }
}

fn seconds(moment: Timestamp) -> i64 {
    moment.as_millis().div_euclid(1000)
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_with_its_partition_and_the_watermark_stays() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("an empty registry takes them");
        let names = || -> Vec<String> {
            let families = registry.gather();
            let with_series = families.iter().filter(|family| !family.get_metric().is_empty());
            let names = with_series.map(|family| family.name().to_owned());
            names
                .filter(|name| name.contains("_state_") || name.contains("watermark"))
                .collect()
        };
        metrics.state(
            3,
            StoreSize {
                keys: 1,
                bytes: 9,
                dirty: 1,
            },
        );
        metrics.rule_watermark(3, Timestamp::from_millis(5000));
        let all = ["state_bytes", "state_keys", "watermark_seconds"].map(|name| format!("tidewatch_detector_{name}"));
        assert_eq!(names(), all);
        metrics.forget_state(3);
        assert_eq!(names(), all[2..]);
    }
}
