//! Alerts to people: `alerts` → Slack, PagerDuty, webhooks, a log.
//!
//! What this crate promises: every record of `alerts` is delivered at least once to every route that takes it, or is
//! in `undelivered` and was given to the fallback route. The position of a partition is committed only up to the
//! first record that waits for a delivery, and together with the ledger and the undelivered, so a crash at any
//! moment repeats at most what was in the air, and forgets nothing.
//!
//! One thread polls, plans and commits; the messages themselves are carried by a [`Courier`]. A destination that does
//! not answer delays no other, until as many records of one partition wait for it as [`Room`] allows: then that
//! partition waits, and says so in `tidewatch_alerter_full_total`.
//!
//! After an abort, a rebalance or a restart, everything is dropped and rebuilt from the committed position and the
//! topic `notifications`. An attempt that ends after that is ignored: it may be repeated, under the same id.

mod address;
mod courier;
mod http;
mod metrics;
mod planning;
mod settings;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alerting::{DeliveryId, Outbox, Route, Routes};
use broker::{Assignment, Error, Offset, Polled, Session, TopicPartition, Transaction};
use event::{Alert, Key, Timestamp, topic};
use service::Stop;
use service::health::Health;
use service::metrics::Metrics;

pub use courier::{Attempt, Courier, Finished};
pub use http::{AlertSink, CourierError, HttpCourier, log_sink};
pub use settings::{Destination, InvalidDestination, RouteSettings, Settings};
pub use task::Room;

use metrics::Counters;
use task::Task;

/// The longest wait for the log while nothing is in the air, and while something is.
const WAIT_IDLE: Duration = Duration::from_millis(100);
const WAIT_BUSY: Duration = Duration::from_millis(5);
/// The wait before the log is asked again after it did not answer.
const WAIT_UNAVAILABLE: Duration = Duration::from_secs(1);
/// Without a sign of life for so long, a worker is dead: longer than any call to the log may take.
const SILENCE_MAX: Duration = Duration::from_mins(2);

/// A worker that carries the alerts of the partitions it owns.
pub struct Alerter<S, C> {
    session: S,
    courier: C,
    routes: Routes,
    /// One for each route.
    outboxes: Vec<Outbox>,
    tasks: BTreeMap<u32, Task>,
    /// Assigned, and not restored yet.
    opening: Vec<Assignment>,
    deliveries: BTreeMap<DeliveryId, InFlight>,
    last_id: DeliveryId,
    /// The routes whose last attempt failed.
    failing: Vec<bool>,
    settings: Settings,
    counters: Counters,
    committed_at: Timestamp,
    undelivered_partitions: u32,
    dead_letter_partitions: u32,
}

/// A delivery that has not ended.
struct InFlight {
    partition: u32,
    offset: Offset,
    appended_at: Timestamp,
    route: usize,
    key: Key,
    alert: Arc<Alert>,
}

impl<S: Session, C: Courier> Alerter<S, C> {
    /// A worker that owns nothing yet. `session` reads `alerts` and nothing else.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if the routes do not fit together or a topic is missing or has too few partitions, and
    /// what [`broker::Reader`] says.
    pub fn new(mut session: S, courier: C, settings: Settings, metrics: &Metrics) -> Result<Self, Error> {
        let routes: Vec<Route> = settings.routes.iter().map(|route| route.route.clone()).collect();
        let routes = Routes::new(routes).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Error::Misconfigured(problems.join("; "))
        })?;
        let alerts = session.partition_count(topic::ALERTS)?;
        let notifications = session.partition_count(topic::NOTIFICATIONS)?;
        if notifications < alerts {
            let name = topic::NOTIFICATIONS;
            return Err(Error::Misconfigured(format!(
                "topic `{name}` has {notifications} partitions and needs {alerts}, as many as `{}`",
                topic::ALERTS
            )));
        }
        Ok(Self {
            undelivered_partitions: session.partition_count(topic::UNDELIVERED)?,
            dead_letter_partitions: session.partition_count(topic::DEAD_LETTERS)?,
            outboxes: settings
                .routes
                .iter()
                .map(|route| Outbox::new(route.retry, route.limits()))
                .collect(),
            failing: vec![false; settings.routes.len()],
            counters: Counters::new(metrics, routes.all()),
            committed_at: courier.now(),
            session,
            courier,
            routes,
            tasks: BTreeMap::new(),
            opening: Vec::new(),
            deliveries: BTreeMap::new(),
            last_id: 0,
            settings,
        })
    }

    /// Runs until asked to stop, then waits a while for what is in the air, and commits. A log that does not answer
    /// is asked again.
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::Misconfigured`] and [`Error::Refused`], which no retry can help.
    pub fn run(&mut self, stop: &Stop, health: &Health) -> Result<(), Error> {
        let alive = health.alive("alerter", SILENCE_MAX);
        let readiness = health.readiness("alerter");
        while !stop.requested() {
            alive.beat();
            let wait = if self.deliveries.is_empty() {
                WAIT_IDLE
            } else {
                WAIT_BUSY
            };
            match self.step(wait) {
                Ok(()) if self.tasks.is_empty() => readiness.not_ready("no partition of alerts is assigned"),
                Ok(()) => readiness.ready(),
                Err(error @ (Error::Unavailable(_) | Error::Overloaded(_) | Error::Aborted(_))) => {
                    tracing::warn!(%error, "cannot go on for now");
                    readiness.not_ready(error.to_string());
                    stop.wait_timeout(WAIT_UNAVAILABLE);
                }
                Err(error @ (Error::Fenced(_) | Error::Refused(_) | Error::Misconfigured(_))) => return Err(error),
            }
        }
        alive.finish();
        self.drain()
    }

    /// Waits at most `wait` for the log, and does what follows from what it says and from the attempts that ended.
    ///
    /// # Errors
    /// As [`Session`] says. After an error of a commit everything is dropped, and the next steps rebuild it.
    pub fn step(&mut self, wait: Duration) -> Result<(), Error> {
        match self.session.poll(wait)? {
            Polled::Assigned(assignments) => self.opening.extend(assignments),
            Polled::Revoked(partitions) => {
                // They stay ours until the next poll. What is in the air would be told again by whoever gets them.
                self.land();
                self.commit()?;
                self.close_tasks(&partitions);
            }
            Polled::Lost(partitions) => self.close_tasks(&partitions),
            Polled::Records(batch) => self.take(&batch.partition, batch.records)?,
            Polled::Idle => {}
        }
        self.open_tasks()?;
        self.catch_up()?;
        self.collect();
        while self.send() {
            // What a sink takes has ended at once.
            self.collect();
        }
        if self.courier.now().since(self.committed_at) >= self.settings.commit_interval {
            self.commit()?;
        }
        Ok(())
    }

    /// How many deliveries have not ended.
    pub fn deliveries_in_flight(&self) -> usize {
        self.deliveries.len()
    }

    /// Ends the worker and gives the session back, without a commit: what a crash leaves.
    pub fn into_session(self) -> S {
        self.session
    }

    /// Restores and starts what was assigned. What fails is tried again with the next step.
    fn open_tasks(&mut self) -> Result<(), Error> {
        while let Some(Assignment { partition, committed }) = self.opening.last().cloned() {
            let from = match committed {
                Some(offset) => offset,
                // A group that never committed begins with the first alert there is, so that none is lost.
                None => self.session.bounds(&partition)?.0,
            };
            let number = partition.partition;
            let task = Task::restore(number, from, self.settings.remember, &mut self.session)?;
            self.session.start(&partition, from)?;
            self.close_tasks(std::slice::from_ref(&partition));
            tracing::info!(
                partition = number,
                from,
                remembered = task.ledger.len(),
                "carries the alerts of a partition"
            );
            self.tasks.insert(number, task);
        }
        Ok(())
    }

    fn close_tasks(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.tasks.remove(&partition.partition);
            self.opening.retain(|assignment| assignment.partition != *partition);
        }
        let (tasks, counters, routes) = (&self.tasks, &self.counters, self.routes.all());
        self.deliveries.retain(|_, delivery| {
            let is_kept = tasks.contains_key(&delivery.partition);
            if !is_kept {
                counters.dropped(&routes[delivery.route]);
            }
            is_kept
        });
        for outbox in &mut self.outboxes {
            outbox.retain(|id| self.deliveries.contains_key(&id));
        }
    }

    fn close_all(&mut self) {
        let all: Vec<_> = self
            .tasks
            .keys()
            .map(|number| TopicPartition::new(topic::ALERTS, *number))
            .collect();
        self.close_tasks(&all);
    }

    /// Makes the deliveries that ended since the last commit visible: their ledger, the undelivered, and the positions.
    /// If that fails, drops everything: the session announces the partitions again.
    fn commit(&mut self) -> Result<(), Error> {
        self.committed_at = self.courier.now();
        self.counters
            .open_records
            .set(gauge(self.tasks.values().map(Task::open_records)));
        self.counters
            .ledger_entries
            .set(gauge(self.tasks.values().map(|task| task.ledger.len())));
        let mut transaction = Transaction::default();
        for (number, task) in &mut self.tasks {
            if let Some((outputs, position)) = task.take_commit() {
                transaction.outputs.extend(outputs);
                transaction
                    .positions
                    .insert(TopicPartition::new(topic::ALERTS, *number), position);
            }
        }
        if transaction.is_empty() {
            return Ok(());
        }
        let result = self.session.commit(transaction);
        self.counters.committed(result.is_ok());
        match result {
            Ok(_) => Ok(()),
            Err(error) => {
                self.close_all();
                if let Error::Aborted(reason) = &error {
                    tracing::warn!(reason, "a commit was aborted: its deliveries may be repeated");
                    return Ok(());
                }
                Err(error)
            }
        }
    }

    /// Begins no attempt any more, waits for those in the air, and commits what ended.
    fn drain(&mut self) -> Result<(), Error> {
        self.land();
        self.commit()
    }

    /// Waits for the attempts in the air, but not for ever.
    fn land(&mut self) {
        let until = self.courier.now().plus(self.settings.drain_timeout);
        while self.outboxes.iter().any(Outbox::has_attempts) && self.courier.now() < until {
            self.courier.pass_time(WAIT_BUSY);
            self.collect();
        }
    }
}

fn gauge(numbers: impl Iterator<Item = usize>) -> i64 {
    i64::try_from(numbers.sum::<usize>()).unwrap_or(i64::MAX)
}
