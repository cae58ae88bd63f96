use alerting::{Outcome, Route};
use event::Timestamp;
use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use service::metrics::{Metrics, SECONDS};

/// What the alerter counts.
pub(crate) struct Counters {
    alerts: IntCounterVec,
    deliveries: IntCounterVec,
    attempts: IntCounterVec,
    in_flight: IntGaugeVec,
    seconds: HistogramVec,
    full: IntCounter,
    pub(crate) open_records: IntGauge,
    pub(crate) ledger_entries: IntGauge,
    commits: IntCounterVec,
    canary_seconds: Histogram,
    canary_last: Gauge,
}

/// What became of a record of `alerts`.
#[derive(Clone, Copy)]
pub(crate) enum Planned {
    Routed,
    Unrouted,
    DeadLettered,
    Canary,
}

impl Planned {
    const ALL: [Self; 4] = [Self::Routed, Self::Unrouted, Self::DeadLettered, Self::Canary];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Unrouted => "unrouted",
            Self::DeadLettered => "dead_lettered",
            Self::Canary => "canary",
        }
    }
}

impl Counters {
    /// Every series that can be named before it happens begins at zero, so that the first one is an increase.
    pub(crate) fn new(metrics: &Metrics, routes: &[Route]) -> Self {
        let of_route = ["channel", "route"];
        let of_result = ["channel", "route", "result"];
        let counters = Self {
            alerts: metrics.counters(
                "alerter_alerts_total",
                "Records of alerts, by what became of them.",
                &["outcome"],
            ),
            deliveries: metrics.counters(
                "alert_deliveries_total",
                "Deliveries that ended: sent, undelivered, or folded because they had ended before.",
                &of_result,
            ),
            attempts: metrics.counters(
                "alert_delivery_attempts_total",
                "Attempts, by how they ended.",
                &of_result,
            ),
            in_flight: metrics.gauges(
                "alert_deliveries_in_flight",
                "Deliveries that have not ended.",
                &of_route,
            ),
            seconds: metrics.histograms(
                "alert_delivery_seconds",
                "From the append of an alert to its delivery.",
                &of_route,
                SECONDS,
            ),
            full: metrics.counter(
                "alerter_full_total",
                "Times a partition had to wait because too much was open.",
            ),
            open_records: metrics.gauge(
                "alerter_open_records",
                "Records of alerts whose deliveries have not all ended.",
            ),
            ledger_entries: metrics.gauge("alerter_ledger_entries", "Deliveries that the ledger remembers."),
            commits: metrics.counters("alerter_commits_total", "Transactions, by result.", &["result"]),
            canary_seconds: metrics.histogram(
                "canary_seconds",
                "From the event of a canary, by the clock of ingest, to its alert in the alerter.",
                SECONDS,
            ),
            canary_last: metrics.float_gauge(
                "canary_last_seconds",
                "When the newest canary was written whose alert came through, as a Unix time.",
            ),
        };
        for result in ["committed", "failed"] {
            counters.commits.with_label_values(&[result]);
        }
        for planned in Planned::ALL {
            counters.alerts.with_label_values(&[planned.as_str()]);
        }
        for route in routes {
            let (channel, name) = (route.channel.name(), &*route.name);
            for result in ["sent", "undelivered", "folded"] {
                counters.deliveries.with_label_values(&[channel, name, result]);
            }
            for result in ["delivered", "retriable", "permanent"] {
                counters.attempts.with_label_values(&[channel, name, result]);
            }
            counters.in_flight.with_label_values(&of(route));
            counters.seconds.with_label_values(&of(route));
        }
        counters
    }

    pub(crate) fn planned(&self, planned: Planned) {
        self.alerts.with_label_values(&[planned.as_str()]).inc();
    }

    /// A canary that was written at `written_at` came through.
    pub(crate) fn canary(&self, written_at: Timestamp, now: Timestamp) {
        self.canary_seconds.observe(now.since(written_at).as_secs_f64());
        // One that comes late, after an outage, does not turn the clock back.
        let newest = self.canary_last.get().max(seconds(written_at));
        self.canary_last.set(newest);
    }

    pub(crate) fn begun(&self, route: &Route) {
        self.in_flight.with_label_values(&of(route)).inc();
    }

    pub(crate) fn dropped(&self, route: &Route) {
        self.in_flight.with_label_values(&of(route)).dec();
    }

    pub(crate) fn folded(&self, route: &Route) {
        self.deliveries
            .with_label_values(&[route.channel.name(), &*route.name, "folded"])
            .inc();
    }

    pub(crate) fn attempted(&self, route: &Route, outcome: &Outcome) {
        self.attempts
            .with_label_values(&[route.channel.name(), &*route.name, outcome.as_str()])
            .inc();
    }

    pub(crate) fn sent(&self, route: &Route, appended_at: Timestamp, now: Timestamp) {
        self.dropped(route);
        self.deliveries
            .with_label_values(&[route.channel.name(), &*route.name, "sent"])
            .inc();
        self.seconds
            .with_label_values(&of(route))
            .observe(now.since(appended_at).as_secs_f64());
    }

    pub(crate) fn undelivered(&self, route: &Route) {
        self.dropped(route);
        self.deliveries
            .with_label_values(&[route.channel.name(), &*route.name, "undelivered"])
            .inc();
    }

    pub(crate) fn full(&self) {
        self.full.inc();
    }

    pub(crate) fn committed(&self, is_committed: bool) {
        let result = if is_committed { "committed" } else { "failed" };
        self.commits.with_label_values(&[result]).inc();
    }
}

fn of(route: &Route) -> [&str; 2] {
    [route.channel.name(), &route.name]
}

fn seconds(moment: Timestamp) -> f64 {
    moment.since(Timestamp::from_millis(0)).as_secs_f64()
}
