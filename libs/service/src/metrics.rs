//! Metrics of one process, in the form that Prometheus reads.
//!
//! A value that is passed around, never a global. Names follow the convention of Prometheus and
//! are checked when a metric is made: `tidewatch_` is put before them, a counter ends in `_total`,
//! a histogram in its unit. Asking twice for the same metric gives the same one, because two
//! workers, or in the demo two services, count together.
//!
//! # Panics
//! Everything that makes a metric panics on a name that breaks the convention, or that is already
//! another metric. Names are constants in the code, so that is a defect, met at every start.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// What every name begins with.
const PREFIX: &str = "tidewatch_";

/// Buckets from 1 ms to 60 s: a commit, a delivery, a request.
pub const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Buckets from 1 KiB to 1 GiB, each four times the one before.
pub const BYTES: &[f64] = &[
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
];

/// The metrics of this process; a clone is the same set.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

/// A metric as it was made, to be given out again.
struct Known {
    labels: Vec<String>,
    vector: Box<dyn Any + Send>,
}

impl Metrics {
    /// An empty set, but for what the operating system says of this process (`process_…`).
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("an empty registry takes its first collector");
        Self {
            registry,
            known: Arc::default(),
        }
    }

    /// The set itself, for those who register metrics of their own making under full names.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What only grows, as `ingest_rejected_total`.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.counters(name, help, &[]).with_label_values::<&str>(&[])
    }

    /// A counter for each combination of label values. Label values are few and known: never an
    /// address, a user or an id.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        assert!(name.ends_with("_total"), "a counter ends in _total: {name}");
        self.vector(name, labels, |name| IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A whole number that goes up and down, as `state_bytes`.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.gauges(name, help, &[]).with_label_values::<&str>(&[])
    }

    /// A gauge for each combination of label values.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        assert!(!name.ends_with("_total"), "a gauge is no total: {name}");
        self.vector(name, labels, |name| IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A number with a fraction that goes up and down, as `watermark_delay_seconds`.
    pub fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.float_gauges(name, help, &[]).with_label_values::<&str>(&[])
    }

    /// A float gauge for each combination of label values.
    pub fn float_gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        assert!(!name.ends_with("_total"), "a gauge is no total: {name}");
        self.vector(name, labels, |name| GaugeVec::new(Opts::new(name, help), labels))
    }

    /// How values spread, as `commit_seconds`; for buckets see [`SECONDS`] and [`BYTES`].
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.histograms(name, help, &[], buckets).with_label_values::<&str>(&[])
    }

    /// A histogram for each combination of label values; each costs a series for every bucket.
    pub fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let units = ["_seconds", "_bytes", "_records"];
        assert!(
            units.iter().any(|unit| name.ends_with(unit)),
            "a histogram ends in its unit, one of {units:?}: {name}"
        );
        self.vector(name, labels, |name| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            HistogramVec::new(options, labels)
        })
    }

    /// States which program this is: `tidewatch_build_info{service, version} 1`.
    pub fn build_info(&self, service: &str, version: &str) {
        let help = "Which program this is; the value is always 1.";
        let info = self.gauges("build_info", help, &["service", "version"]);
        info.with_label_values(&[service, version]).set(1);
    }

    /// All of them, in the text format of Prometheus.
    ///
    /// # Errors
    /// A metric without a series or a name that the encoder refuses.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// The metric of that name, made if it is new.
    fn vector<V: Collector + Clone + 'static>(
        &self,
        name: &str,
        labels: &[&str],
        make: impl FnOnce(String) -> prometheus::Result<V>,
    ) -> V {
        assert!(is_snake_case(name), "a metric is named in snake_case: {name}");
        assert!(!name.starts_with(PREFIX), "{PREFIX} is put before the name: {name}");
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            assert_eq!(known.labels, labels, "{name} has other labels elsewhere");
            let Some(vector) = known.vector.downcast_ref::<V>() else {
                panic!("{name} is a metric of another kind elsewhere");
            };
            return vector.clone();
        }
        let vector = make(format!("{PREFIX}{name}")).unwrap_or_else(|error| panic!("{name} is no metric: {error}"));
        self.registry
            .register(Box::new(vector.clone()))
            .unwrap_or_else(|error| panic!("{name} cannot be registered: {error}"));
        let entry = Known {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            vector: Box::new(vector.clone()),
        };
        known.insert(name.to_owned(), entry);
        vector
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn is_snake_case(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::{Metrics, SECONDS};

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode().expect("the metrics can be encoded");
        let ours = text.lines().filter(|line| line.contains("tidewatch_"));
        ours.map(str::to_owned).collect()
    }

    #[test]
    fn each_kind_is_written_under_the_prefix() {
        let metrics = Metrics::new();
        metrics.counter("rejected_total", "Refused.").inc_by(3);
        let events = metrics.counters("events_total", "Read.", &["format"]);
        events.with_label_values(&["sshd"]).inc();
        metrics.gauge("state_bytes", "Held.").set(-7);
        metrics.float_gauge("lag_seconds", "Behind.").set(0.5);
        metrics.histogram("commit_seconds", "Took.", &[0.1, 1.0]).observe(0.3);
        metrics.build_info("door", "1.2.3");
        assert_eq!(
            lines(&metrics),
            [
                "# HELP tidewatch_build_info Which program this is; the value is always 1.",
                "# TYPE tidewatch_build_info gauge",
                "tidewatch_build_info{service=\"door\",version=\"1.2.3\"} 1",
                "# HELP tidewatch_commit_seconds Took.",
                "# TYPE tidewatch_commit_seconds histogram",
                "tidewatch_commit_seconds_bucket{le=\"0.1\"} 0",
                "tidewatch_commit_seconds_bucket{le=\"1\"} 1",
                "tidewatch_commit_seconds_bucket{le=\"+Inf\"} 1",
                "tidewatch_commit_seconds_sum 0.3",
                "tidewatch_commit_seconds_count 1",
                "# HELP tidewatch_events_total Read.",
                "# TYPE tidewatch_events_total counter",
                "tidewatch_events_total{format=\"sshd\"} 1",
                "# HELP tidewatch_lag_seconds Behind.",
                "# TYPE tidewatch_lag_seconds gauge",
                "tidewatch_lag_seconds 0.5",
                "# HELP tidewatch_rejected_total Refused.",
                "# TYPE tidewatch_rejected_total counter",
                "tidewatch_rejected_total 3",
                "# HELP tidewatch_state_bytes Held.",
                "# TYPE tidewatch_state_bytes gauge",
                "tidewatch_state_bytes -7",
            ]
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_described_by_its_own_names() {
        let text = Metrics::new().encode().expect("the metrics can be encoded");
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
    }

    #[test]
    fn asking_twice_counts_together_and_two_sets_are_apart() {
        let metrics = Metrics::new();
        metrics.counter("events_total", "Read.").inc();
        metrics.clone().counter("events_total", "Read.").inc();
        assert_eq!(metrics.counter("events_total", "Read.").get(), 2);
        assert_eq!(Metrics::new().counter("events_total", "Read.").get(), 0);
    }

    #[test]
    #[should_panic(expected = "a counter ends in _total: events")]
    fn a_counter_without_its_ending_is_a_defect() {
        Metrics::new().counter("events", "Read.");
    }

    #[test]
    #[should_panic(expected = "a histogram ends in its unit")]
    fn a_histogram_without_a_unit_is_a_defect() {
        Metrics::new().histogram("commit", "Took.", SECONDS);
    }

    #[test]
    #[should_panic(expected = "a metric is named in snake_case: Events_total")]
    fn a_name_in_another_case_is_a_defect() {
        Metrics::new().counter("Events_total", "Read.");
    }

    #[test]
    #[should_panic(expected = "events_total has other labels elsewhere")]
    fn one_name_with_two_sets_of_labels_is_a_defect() {
        let metrics = Metrics::new();
        metrics.counters("events_total", "Read.", &["format"]);
        metrics.counter("events_total", "Read.");
    }

    #[test]
    #[should_panic(expected = "state_bytes is a metric of another kind elsewhere")]
    fn one_name_of_two_kinds_is_a_defect() {
        let metrics = Metrics::new();
        metrics.gauge("state_bytes", "Held.");
        metrics.float_gauge("state_bytes", "Held.");
    }
}
