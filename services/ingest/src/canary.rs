//! Canaries: synthetic attacks that must come out of the pipeline as alerts, so that silence is noticed.
//!
//! A canary is two events of one made-up user, which together fire the rule [`event::canary::RULE`]: it proves the log,
//! match, `facts`, the state of correlate, `alerts` and the alerter. It is written as the HTTP door writes what it
//! takes. The user is chosen so that canaries go through the partitions of `events.security` in turn, and through those
//! of `facts`, which the same key decides.

use std::sync::Arc;
use std::time::Duration;

use broker::{Error, Output, Position, Publisher};
use event::canary::{FORMAT, SECURITY_EVENT, TENANT};
use event::{Event, Key, Timestamp, partition_of, topic};
use serde_json::{Map, Value};
use service::Stop;
use tokio::time::MissedTickBehavior;

use crate::heartbeat::Activity;
use crate::intake::Intake;
use crate::metrics::Outcome;
use crate::outage::Outage;
use crate::{Clocks, Ingest, Metrics};

/// The door that canaries come through, as metrics name it.
const DOOR: &str = "canary";

/// The events of one canary: one more than its rule lets pass.
const EVENTS: u64 = 2;

pub(crate) struct Canaries {
    intake: Arc<Intake>,
    activity: Arc<Activity>,
    publisher: Arc<dyn Publisher>,
    metrics: Metrics,
    clocks: Clocks,
    outage: Arc<Outage>,
    interval: Duration,
    /// Of `events.security`.
    partitions: u32,
    /// Who writes them: nobody else has this name.
    instance: String,
}

impl Canaries {
    pub(crate) fn new(ingest: &Ingest, instance: &str) -> Self {
        let places = ingest.intake.event_partitions();
        let partitions = places.filter(|place| &*place.topic == topic::EVENTS_SECURITY);
        Self {
            intake: ingest.intake.clone(),
            activity: ingest.activity.clone(),
            publisher: ingest.publisher.clone(),
            metrics: ingest.metrics.clone(),
            clocks: ingest.clocks.clone(),
            outage: Arc::new(Outage::new("canaries are")),
            interval: ingest.settings.canary_interval,
            partitions: u32::try_from(partitions.count()).unwrap_or(u32::MAX),
            instance: instance.to_owned(),
        }
    }

    /// Writes one at once and then one in each interval. An interval of zero is none at all.
    pub(crate) async fn run(&self, stop: &Stop) {
        if self.interval.is_zero() {
            return;
        }
        self.metrics.canaries(self.interval);
        let mut due = tokio::time::interval(self.interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for partition in (0..self.partitions).cycle() {
            tokio::select! {
                () = stop.wait() => return,
                _ = due.tick() => self.publish(partition),
            }
        }
    }

    fn publish(&self, partition: u32) {
        let now = (self.clocks.wall)();
        let user = user(&self.instance, now, (partition, self.partitions));
        let outputs: Vec<Output> = (1..=EVENTS)
            .map(|number| self.intake.route(&event(&user, number, now)))
            .collect();
        let (activity, stopwatch) = (self.activity.clone(), self.clocks.stopwatch.clone());
        let (metrics, outage) = (self.metrics.clone(), self.outage.clone());
        let done = move |result: Result<Vec<Position>, Error>| match result {
            Ok(positions) => {
                activity.written(positions.iter().map(|position| &position.partition), stopwatch());
                metrics.events(FORMAT, Outcome::Accepted, EVENTS);
                metrics.written(DOOR, TENANT, topic::EVENTS_SECURITY, EVENTS);
                outage.worked();
            }
            Err(error) => {
                metrics.events(FORMAT, Outcome::Unknown, EVENTS);
                outage.failed(&error);
            }
        };
        if let Err(error) = self.publisher.publish(outputs, Box::new(done)) {
            self.metrics.events(FORMAT, Outcome::Unknown, EVENTS);
            self.outage.failed(&error);
        }
    }
}

/// A user that no other canary has, whose events go to the first of these partitions, of as many as the second says.
fn user(instance: &str, now: Timestamp, (partition, partitions): (u32, u32)) -> String {
    let mut users = (0..u32::MAX).map(|salt| format!("{instance}-{}-{salt}", now.as_millis()));
    let goes_there =
        |user: &String| partition_of(Key::new(TENANT, [user.as_str()]).as_bytes(), partitions) == partition;
    users
        .find(goes_there)
        .expect("of so many users some go to each partition")
}

fn event(user: &str, number: u64, now: Timestamp) -> Event {
    Event {
        event_id: format!("canary-{user}-{number}"),
        time: now,
        ingest_time: now,
        tenant: TENANT.to_owned(),
        service: "tidewatch".to_owned(),
        message: format!("canary {user}, event {number} of {EVENTS}: synthetic, nothing happened"),
        security_event: Some(SECURITY_EVENT.to_owned()),
        user_id: Some(user.to_owned()),
        metadata: Map::from_iter([("synthetic".to_owned(), Value::Bool(true))]),
        tags: vec!["synthetic".to_owned()],
        format: FORMAT.to_owned(),
        ..Event::default()
    }
}
