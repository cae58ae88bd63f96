//! What the Kafka adapter tells, as metrics and readiness.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use broker::{Error, Offset, TopicPartition};
use prometheus::{IntCounterVec, IntGaugeVec};
use service::health::Readiness;
use service::metrics::Metrics;

/// A worker that is further behind is not ready: it would answer for yesterday.
const LAG_READY_MAX: u64 = 10_000;

/// The words that failed transactions are counted by. Each begins at zero, so that the first of them is an increase.
const KINDS: [&str; 6] = [
    "aborted",
    "fenced",
    "unavailable",
    "overloaded",
    "refused",
    "misconfigured",
];

/// What a client says when brokers go away, as its errors are counted by; others appear with their first.
const CODES: [&str; 2] = ["AllBrokersDown", "BrokerTransportFailure"];

/// Watches one worker.
pub(crate) struct Watch {
    readiness: Readiness,
    lags: Mutex<BTreeMap<TopicPartition, u64>>,
    lag: IntGaugeVec,
    position: IntGaugeVec,
    errors: IntCounterVec,
    failed: IntCounterVec,
}

impl Watch {
    pub(crate) fn new(metrics: &Metrics, readiness: Readiness) -> Self {
        readiness.not_ready("no partition is assigned yet");
        let place = ["topic", "partition"];
        let failed = metrics.counters(
            "kafka_failed_transactions_total",
            "transactions that were not committed",
            &["kind"],
        );
        let errors = metrics.counters("kafka_client_errors_total", "errors of the client", &["code"]);
        for code in CODES {
            errors.with_label_values(&[code]).inc_by(0);
        }
        for kind in KINDS {
            failed.with_label_values(&[kind]).inc_by(0);
        }
        Self {
            readiness,
            lags: Mutex::default(),
            lag: metrics.gauges("kafka_lag_records", "committed records that are not polled yet", &place),
            position: metrics.gauges("kafka_position", "the next record to be polled", &place),
            errors,
            failed,
        }
    }

    fn judge(&self, lags: &BTreeMap<TopicPartition, u64>) {
        match lags.iter().find(|(_, lag)| **lag > LAG_READY_MAX) {
            Some((partition, lag)) => self.readiness.not_ready(format!("{lag} records behind in {partition}")),
            None if lags.is_empty() => self.readiness.not_ready("no partition is assigned"),
            None => self.readiness.ready(),
        }
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl kafka::Observer for Watch {
    fn committed(&self, _: Duration, _: usize) {}

    fn failed(&self, error: &Error) {
        let kind = match error {
            Error::Aborted(_) => "aborted",
            Error::Fenced(_) => "fenced",
            Error::Unavailable(_) => "unavailable",
            Error::Overloaded(_) => "overloaded",
            Error::Refused(_) => "refused",
            Error::Misconfigured(_) => "misconfigured",
        };
        self.failed.with_label_values(&[kind]).inc();
    }

    fn progress(&self, partition: &TopicPartition, position: Offset, end: Offset) {
        let lag = end.saturating_sub(position);
        let labels = [&*partition.topic, &partition.partition.to_string()];
        self.lag.with_label_values(&labels).set(gauge(lag));
        self.position.with_label_values(&labels).set(gauge(position));
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.insert(partition.clone(), lag);
        self.judge(&lags);
    }

    fn released(&self, partition: &TopicPartition) {
        let labels = [&*partition.topic, &partition.partition.to_string()];
        // It may never have had a value.
        self.lag.remove_label_values(&labels).ok();
        self.position.remove_label_values(&labels).ok();
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.remove(partition);
        self.judge(&lags);
    }

    fn client_error(&self, code: &str) {
        self.errors.with_label_values(&[code]).inc();
    }
}
