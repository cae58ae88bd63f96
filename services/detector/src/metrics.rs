use broker::Happened;
use detection::CorrelateTally;
use event::{SourcePartition, Timestamp};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use state::StoreSize;

use crate::tally::{AlertLabels, Tally};

/// What the detector counts. Both stages count into the same metrics.
#[derive(Clone)]
pub struct Metrics {
    evaluated: IntCounter,
    heartbeats: IntCounter,
    derived: IntCounter,
    dead_letters: IntCounter,
    pub(crate) restored: IntCounter,
    rule_matches: IntCounterVec,
    rule_missing_key: IntCounterVec,
    alerts: IntCounterVec,
    facts: IntCounterVec,
    watermark: IntGaugeVec,
    rule_watermark: IntGaugeVec,
    state_keys: IntGaugeVec,
    state_bytes: IntGaugeVec,
    state_limit: IntGauge,
    commit: HistogramVec,
    records: IntCounterVec,
    aborts: IntCounterVec,
    partitions: IntGaugeVec,
}

/// The partitions that a worker has told of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    running: i64,
    restoring: i64,
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

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
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

const ALERT_LABELS: [&str; 4] = ["rule", "severity", "status", "tenant"];

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
            alerts: new.counters("tidewatch_detector_alerts_total", "alert records", &ALERT_LABELS)?,
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
            state_limit: new.gauge(
                "tidewatch_detector_state_limit_bytes",
                "bytes of keys and values that one partition may hold in memory; beyond, they are read from disk",
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

    /// Series of a stage that can be named before anything happens begin at zero, so that the first is an increase.
    pub(crate) fn begin_at_zero(&self, stage: &str) {
        self.committed(Tally::default());
        self.commit.with_label_values(&[stage]);
        self.records.with_label_values(&[stage]);
        self.aborts.with_label_values(&[stage]);
        for state in ["running", "restoring"] {
            self.partitions.with_label_values(&[stage, state]);
        }
    }

    /// The series of a rule in force begin at zero too.
    pub(crate) fn begin_rule(&self, rule: &str) {
        self.rule_matches.with_label_values(&[rule]);
        self.rule_missing_key.with_label_values(&[rule]);
    }

    /// Shows what is committed.
    pub(crate) fn committed(&self, tally: Tally) {
        self.evaluated.inc_by(tally.evaluated);
        self.heartbeats.inc_by(tally.heartbeats);
        self.derived.inc_by(tally.derived);
        self.dead_letters.inc_by(tally.dead_letters);
        for (rule, counted) in &tally.rules {
            self.rule_matches.with_label_values(&[rule]).inc_by(counted.matched);
            self.rule_missing_key
                .with_label_values(&[rule])
                .inc_by(counted.missing_key);
        }
        let CorrelateTally {
            applied,
            duplicate,
            late,
            no_value,
            unknown_rule,
            forgotten,
        } = tally.facts;
        let outcomes = [
            ("applied", applied),
            ("duplicate", duplicate),
            ("late", late),
            ("no_value", no_value),
            ("unknown_rule", unknown_rule),
            ("forgotten", forgotten),
        ];
        for (outcome, count) in outcomes {
            self.facts.with_label_values(&[outcome]).inc_by(count);
        }
        for (labels, count) in &tally.alerts {
            let AlertLabels {
                rule,
                severity,
                status,
                tenant,
            } = labels;
            self.alerts
                .with_label_values(&[rule.as_str(), severity, status, tenant])
                .inc_by(*count);
        }
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

    /// The setting that [`Metrics::state`] is to be measured by.
    pub(crate) fn state_limit(&self, bytes: usize) {
        self.state_limit.set(gauge(bytes));
    }

    /// The partition is not ours any more, nor is its memory. Its watermark stays: of all that processes last knew the
    /// greatest counts, and a partition that nobody takes over must be seen standing still.
    pub(crate) fn forget_state(&self, partition: u32) {
        let partition = partition.to_string();
        // It may never have had a value.
        self.state_keys.remove_label_values(&[&partition]).ok();
        self.state_bytes.remove_label_values(&[&partition]).ok();
    }

    /// `shown` is what the gauges hold of this worker: several count into the same.
    pub(crate) fn happened(&self, stage: &str, happened: &Happened, shown: &mut Shown) {
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
                let now = Shown {
                    running: gauge(partitions - restoring),
                    restoring: gauge(*restoring),
                };
                let add = |state, change| self.partitions.with_label_values(&[stage, state]).add(change);
                add("running", now.running - shown.running);
                add("restoring", now.restoring - shown.restoring);
                *shown = now;
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
    fn what_can_be_named_beforehand_begins_at_zero() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("an empty registry takes them");
        metrics.begin_at_zero("match");
        metrics.begin_rule("r");
        let series = |name: &str| {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name() == name).cloned();
            family.map_or(0, |family| family.get_metric().len())
        };
        let labelled = [
            "fact_entries",
            "rule_matches",
            "rule_missing_key",
            "aborts",
            "records_committed",
        ];
        let found = labelled.map(|name| series(&format!("tidewatch_detector_{name}_total")));
        assert_eq!(found, [6, 1, 1, 1, 1]);
        assert_eq!(series("tidewatch_detector_partitions"), 2);
        assert_eq!(series("tidewatch_detector_commit_seconds"), 1);
    }

    #[test]
    fn memory_goes_with_its_partition_and_the_watermark_stays() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("an empty registry takes them");
        let names = || -> Vec<String> {
            let families = registry.gather();
            let with_series = families.iter().filter(|family| !family.get_metric().is_empty());
            let names = with_series.map(|family| family.name().to_owned());
            names
                .filter(|name| !name.contains("_limit_") && (name.contains("_state_") || name.contains("watermark")))
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
