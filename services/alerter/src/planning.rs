//! From records to deliveries, and from attempts that ended to records that are done.

use std::ops::Range;
use std::sync::Arc;

use alerting::{Delivery, Notification, Outcome, Standing, State, Undelivered, Verdict, notification_key};
use broker::{Error, Offset, Record, Session, TopicPartition};
use event::canary::is_canary;
use event::{Alert, AlertStatus, DEFAULT_TENANT, DeadLetter, Key, Raw, Reason, partition_of, topic};

use crate::courier::{Attempt, Courier, Finished};
use crate::metrics::Planned;
use crate::{Alerter, InFlight};

impl<S: Session, C: Courier> Alerter<S, C> {
    /// Plans the records that there is room for; the rest is left in the log.
    pub(crate) fn take(&mut self, partition: &TopicPartition, records: Vec<Record>) -> Result<(), Error> {
        let Some(end) = records.last().map(|record| record.offset + 1) else {
            return Ok(());
        };
        let number = partition.partition;
        for record in records {
            let Some(task) = self.tasks.get_mut(&number) else {
                return Err(Error::Aborted(format!(
                    "records came of {partition}, which is not ours"
                )));
            };
            if let Some(backlog) = &mut task.backlog {
                backlog.end = end;
                return Ok(());
            }
            if task.has_room(self.settings.room) {
                self.plan(number, record);
            } else {
                self.counters.full();
                tracing::warn!(
                    partition = number,
                    "too many alerts wait for a delivery: later ones wait in the log"
                );
                task.backlog = Some(record.offset..end);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads again what was left in the log, where half of the room is free.
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        let half = self.settings.room.half();
        let waiting = self.tasks.iter().filter(|(_, task)| task.has_room(half));
        let waiting: Vec<_> = waiting
            .filter_map(|(number, task)| Some((*number, task.backlog.clone()?)))
            .collect();
        for (number, backlog) in waiting {
            let partition = TopicPartition::new(topic::ALERTS, number);
            let chunk = self.session.read(&partition, backlog.start)?;
            let records = chunk
                .records
                .into_iter()
                .filter(|record| record.offset < backlog.end)
                .collect();
            self.set_backlog(number, None);
            self.take(&partition, records)?;
            let left_in_chunk = self.tasks.get(&number).and_then(|task| task.backlog.as_ref());
            let left = left_in_chunk.map_or(chunk.next, |left| left.start)..backlog.end;
            self.set_backlog(number, (!left.is_empty()).then_some(left));
        }
        Ok(())
    }

    fn set_backlog(&mut self, partition: u32, backlog: Option<Range<Offset>>) {
        if let Some(task) = self.tasks.get_mut(&partition) {
            task.backlog = backlog;
        }
    }

    fn plan(&mut self, partition: u32, record: Record) {
        let Some(task) = self.tasks.get_mut(&partition) else {
            return;
        };
        task.begin(&record);
        match record.value.as_deref().map(Alert::decode) {
            Some(Ok(alert)) => self.route(partition, &record, Arc::new(alert)),
            unreadable => {
                let (reason, detail) = match unreadable {
                    Some(Err(error)) => (Reason::Rejected, error.to_string()),
                    Some(Ok(_)) | None => (Reason::Empty, "a record without a value".to_owned()),
                };
                self.set_aside(partition, &record, reason, detail);
            }
        }
        if let Some(task) = self.tasks.get_mut(&partition) {
            task.settle();
        }
    }

    fn route(&mut self, partition: u32, record: &Record, alert: Arc<Alert>) {
        if is_canary(&alert) {
            self.counters.planned(Planned::Canary);
            if alert.status == AlertStatus::Opened {
                self.counters.canary(alert.opened_at, self.courier.now());
            }
            return;
        }
        let routes: Vec<usize> = self.routes.for_alert(&alert).collect();
        self.counters.planned(if routes.is_empty() {
            Planned::Unrouted
        } else {
            Planned::Routed
        });
        for route in routes {
            let key = notification_key(&alert, &self.routes.all()[route].name);
            let alert = Arc::clone(&alert);
            self.begin(InFlight {
                partition,
                offset: record.offset,
                appended_at: record.timestamp,
                route,
                key,
                alert,
            });
        }
    }

    /// Puts a delivery on its way, unless it has ended before or is on its way already. If it had been given up, its
    /// fallback is next.
    fn begin(&mut self, delivery: InFlight) {
        let Some(task) = self.tasks.get_mut(&delivery.partition) else {
            return;
        };
        let route = &self.routes.all()[delivery.route];
        let standing = task.ledger.standing(&delivery.key);
        if standing != Standing::Open || task.planned.contains(&delivery.key) {
            self.counters.folded(route);
            if standing == Standing::Ended(State::Undelivered) {
                self.begin_fallback(&delivery);
            }
            return;
        }
        self.counters.begun(route);
        task.delivery_begins(delivery.offset, delivery.key.clone());
        self.last_id += 1;
        let (id, alert) = (self.last_id, Arc::clone(&delivery.alert));
        self.outboxes[delivery.route].push(Delivery { id, alert }, self.courier.now());
        self.deliveries.insert(id, delivery);
    }

    fn begin_fallback(&mut self, given_up: &InFlight) {
        let Some(route) = self.routes.fallback(given_up.route) else {
            return;
        };
        let InFlight {
            partition,
            offset,
            appended_at,
            ..
        } = *given_up;
        let alert = Arc::clone(&given_up.alert);
        let key = notification_key(&alert, &self.routes.all()[route].name);
        self.begin(InFlight {
            partition,
            offset,
            appended_at,
            route,
            key,
            alert,
        });
    }

    fn set_aside(&mut self, partition: u32, record: &Record, reason: Reason, detail: String) {
        let origin = format!("{}/{partition}@{}", topic::ALERTS, record.offset);
        tracing::error!(
            origin,
            detail,
            "a record of alerts cannot be read: it is in dead-letters"
        );
        self.counters.planned(Planned::DeadLettered);
        let letter = DeadLetter {
            time: record.timestamp,
            tenant: DEFAULT_TENANT.to_owned(),
            reason,
            detail,
            origin: origin.clone(),
            format: None,
            raw: Raw::new(record.value.as_deref().unwrap_or_default()),
        };
        let key = Key::new(DEFAULT_TENANT, [origin.as_str()]);
        let to = partition_of(key.as_bytes(), self.dead_letter_partitions);
        if let Some(task) = self.tasks.get_mut(&partition) {
            task.write(topic::DEAD_LETTERS, to, &key, Some(letter.encode()));
        }
    }

    /// Begins every attempt that may begin now, and says whether there was one.
    pub(crate) fn send(&mut self) -> bool {
        let now = self.courier.now();
        let mut is_sent = false;
        for (route, outbox) in self.outboxes.iter_mut().enumerate() {
            while let Some(delivery) = outbox.next(now) {
                self.courier.send(Attempt { route, delivery });
                is_sent = true;
            }
        }
        is_sent
    }

    /// Takes note of every attempt that ended.
    pub(crate) fn collect(&mut self) {
        for Finished { route, id, outcome } in self.courier.collect() {
            self.counters.attempted(&self.routes.all()[route], &outcome);
            self.note_failure(route, &outcome);
            let jitter = self.courier.jitter();
            let verdict = self.outboxes[route].finished(id, outcome, self.courier.now(), jitter);
            let Some(verdict) = verdict else { continue };
            if let Some(delivery) = self.deliveries.remove(&id) {
                self.end(&delivery, verdict);
            }
        }
    }

    /// Says once when a route begins to fail and once when it works again, not at each of ten thousand attempts.
    fn note_failure(&mut self, route: usize, outcome: &Outcome) {
        let name = &self.routes.all()[route].name;
        let was_failing = std::mem::replace(&mut self.failing[route], *outcome != Outcome::Delivered);
        match outcome {
            Outcome::Delivered if was_failing => tracing::info!(route = &**name, "route works again"),
            Outcome::Retriable { reason, .. } if !was_failing => {
                tracing::warn!(route = &**name, reason, "route does not work for now");
            }
            Outcome::Delivered | Outcome::Retriable { .. } | Outcome::Permanent { .. } => {}
        }
    }

    fn end(&mut self, delivery: &InFlight, verdict: Verdict) {
        let now = self.courier.now();
        let route = &self.routes.all()[delivery.route];
        let (state, attempts, reason) = match verdict {
            Verdict::Sent { attempts } => {
                self.counters.sent(route, delivery.appended_at, now);
                (State::Sent, attempts, None)
            }
            Verdict::Dead { attempts, reason } => {
                self.counters.undelivered(route);
                tracing::error!(route = &*route.name, alert_id = %delivery.alert.alert_id, reason, "an alert was not delivered");
                (State::Undelivered, attempts, Some(reason))
            }
        };
        if let Some(reason) = &reason {
            self.write_undelivered(delivery, attempts, reason);
            // Before the delivery ends, so that its record does not seem done in between.
            self.begin_fallback(delivery);
        }
        let alert = &delivery.alert;
        let notification = Notification {
            version: Notification::VERSION,
            alert_id: alert.alert_id,
            tenant: alert.tenant.clone(),
            revision: alert.revision,
            status: alert.status,
            route: self.routes.all()[delivery.route].name.to_string(),
            state,
            attempts,
            reason,
            alert_time: delivery.appended_at,
        };
        if let Some(task) = self.tasks.get_mut(&delivery.partition) {
            task.delivery_ends(delivery.offset, &notification);
        }
    }

    fn write_undelivered(&mut self, delivery: &InFlight, attempts: u32, reason: &str) {
        let route = &self.routes.all()[delivery.route];
        let fallback = self
            .routes
            .fallback(delivery.route)
            .map(|route| self.routes.all()[route].name.to_string());
        let undelivered = Undelivered {
            time: self.courier.now(),
            route: route.name.to_string(),
            channel: route.channel.name().to_owned(),
            reason: reason.to_owned(),
            attempts,
            fallback,
            alert: Alert::clone(&delivery.alert),
        };
        let to = partition_of(delivery.key.as_bytes(), self.undelivered_partitions);
        if let Some(task) = self.tasks.get_mut(&delivery.partition) {
            task.write(topic::UNDELIVERED, to, &delivery.key, Some(undelivered.encode()));
        }
    }
}
