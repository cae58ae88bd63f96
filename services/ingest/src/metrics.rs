use std::time::Duration;

use broker::Happened;
use event::{Reason, topic};
use formats::Note;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge};
use service::metrics::{self, SECONDS};

use crate::keys::Unauthorized;

/// The door that is no topic, as the label `door` calls it.
pub(crate) const HTTP_DOOR: &str = "http";

/// What the doors count.
#[derive(Clone)]
pub struct Metrics {
    events: IntCounterVec,
    written: IntCounterVec,
    dead_letters: IntCounterVec,
    notes: IntCounterVec,
    requests: IntCounterVec,
    auth_failures: IntCounterVec,
    heartbeats: IntCounterVec,
    request_seconds: Histogram,
    pub(crate) entry_bytes: IntCounter,
    pub(crate) in_flight_bytes: IntGauge,
    pub(crate) in_flight_requests: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) connections_full: IntCounter,
    pub(crate) folded: IntCounter,
    pub(crate) receipts_forgotten: IntCounter,
    commit_seconds: Histogram,
    aborts: IntCounter,
    canary_interval: Gauge,
    pub(crate) partitions: IntGauge,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// It is an event, and written.
    Accepted,
    /// It is a dead letter, and written.
    Rejected,
    /// It could not be found out whether it is written; the client was told so.
    Unknown,
}

impl Metrics {
    /// The metrics of the doors among those of the process. Series that can be named beforehand begin at zero, so that
    /// the first of them is seen as an increase.
    pub fn new(metrics: &metrics::Metrics) -> Self {
        let new = Self {
            events: metrics.counters(
                "ingest_events_total",
                "Entries, by the format they were read as and what became of them.",
                &["format", "outcome"],
            ),
            written: metrics.counters(
                "ingest_entries_written_total",
                "Entries written: the door they came through (http, or a topic), whose they are, and where they went.",
                &["door", "tenant", "topic"],
            ),
            dead_letters: metrics.counters(
                "ingest_dead_letters_total",
                "Entries that are no events, by reason; each is in dead-letters.",
                &["reason"],
            ),
            notes: metrics.counters(
                "ingest_notes_total",
                "Repairs and guesses on the way from entries to events.",
                &["note"],
            ),
            requests: metrics.counters("ingest_requests_total", "Requests by status code.", &["code"]),
            auth_failures: metrics.counters(
                "ingest_auth_failures_total",
                "Requests without a key that is in force.",
                &["reason"],
            ),
            heartbeats: metrics.counters(
                "ingest_heartbeats_total",
                "Heartbeats for silent partitions, by what became of them.",
                &["outcome"],
            ),
            request_seconds: metrics.histogram(
                "ingest_request_seconds",
                "From the headers of a request to its answer.",
                SECONDS,
            ),
            entry_bytes: metrics.counter("ingest_entry_bytes_total", "Bytes of the entries that are written."),
            in_flight_bytes: metrics.gauge("ingest_in_flight_bytes", "Bytes of bodies under way."),
            in_flight_requests: metrics.gauge("ingest_in_flight_requests", "Requests under way."),
            connections: metrics.gauge("ingest_connections", "Open connections."),
            connections_full: metrics.counter(
                "ingest_connections_full_total",
                "Times at which no further connection could be accepted.",
            ),
            folded: metrics.counter(
                "ingest_folded_bodies_total",
                "Bodies that had come before, answered with their first receipt.",
            ),
            receipts_forgotten: metrics.counter(
                "ingest_receipts_forgotten_total",
                "Receipts forgotten before their time for want of room.",
            ),
            commit_seconds: metrics.histogram(
                "ingest_commit_seconds",
                "How long the topic door's transactions took to commit.",
                SECONDS,
            ),
            aborts: metrics.counter(
                "ingest_aborts_total",
                "Transactions of the topic door that were not committed.",
            ),
            canary_interval: metrics.float_gauge(
                "ingest_canary_interval_seconds",
                "How often a canary is written; 0 if none is.",
            ),
            partitions: metrics.gauge("ingest_partitions", "Partitions that the topic door owns."),
        };
        new.begin_at_zero();
        new
    }

    fn begin_at_zero(&self) {
        for reason in Reason::ALL {
            self.dead_letters(reason, 0);
        }
        for note in Note::ALL {
            self.notes(note, 0);
        }
        for reason in [Unauthorized::Missing, Unauthorized::Invalid] {
            self.auth_failures.with_label_values(&[reason.as_str()]).inc_by(0);
        }
        for outcome in ["written", "failed"] {
            self.heartbeats.with_label_values(&[outcome]).inc_by(0);
        }
    }

    /// Doors and tenants are named by the settings.
    pub(crate) fn begin_door(&self, door: &str, tenant: &str) {
        for topic in topic::EVENTS.into_iter().chain([topic::DEAD_LETTERS]) {
            self.written(door, tenant, topic, 0);
        }
    }

    pub(crate) fn events(&self, format: &str, outcome: Outcome, count: u64) {
        let outcome = match outcome {
            Outcome::Accepted => "accepted",
            Outcome::Rejected => "rejected",
            Outcome::Unknown => "unknown",
        };
        self.events.with_label_values(&[format, outcome]).inc_by(count);
    }

    pub(crate) fn written(&self, door: &str, tenant: &str, topic: &str, count: u64) {
        self.written.with_label_values(&[door, tenant, topic]).inc_by(count);
    }

    /// Canaries are written from now on.
    pub(crate) fn canaries(&self, interval: Duration) {
        self.canary_interval.set(interval.as_secs_f64());
        for outcome in [Outcome::Accepted, Outcome::Unknown] {
            self.events(event::canary::FORMAT, outcome, 0);
        }
    }

    pub(crate) fn dead_letters(&self, reason: Reason, count: u64) {
        self.dead_letters.with_label_values(&[reason.as_str()]).inc_by(count);
    }

    pub(crate) fn notes(&self, note: Note, count: u64) {
        self.notes.with_label_values(&[note.as_str()]).inc_by(count);
    }

    pub(crate) fn request(&self, code: u16, took: Duration) {
        self.requests.with_label_values(&[code.to_string().as_str()]).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn unauthorized(&self, reason: Unauthorized) {
        self.auth_failures.with_label_values(&[reason.as_str()]).inc();
    }

    pub(crate) fn heartbeat(&self, is_written: bool) {
        let outcome = if is_written { "written" } else { "failed" };
        self.heartbeats.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn happened(&self, happened: &Happened) {
        match happened {
            Happened::Committed { took, .. } => self.commit_seconds.observe(took.as_secs_f64()),
            Happened::Aborted(error) => {
                tracing::warn!(%error, "transaction of the topic door aborted: reading again from what is committed");
                self.aborts.inc();
            }
            // The door tells the difference, for several of them share the gauge.
            Happened::Owned { .. } => {}
        }
    }
}

pub(crate) fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
