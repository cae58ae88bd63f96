//! Doors in, canonical events out.
//!
//! Two doors share one way in ([`formats`] reads, `intake` routes): the HTTP door, which answers when every record of
//! a request is on every in-sync replica, and the topic door, a [`broker::Stage`] that writes in the transaction of
//! its positions. What is promised:
//!
//! - whose an event is follows from the key of the request or from the topic's settings, never from the bytes;
//! - whatever cannot be an event is in `dead-letters` with its reason, its origin and its bytes, and spoils no
//!   neighbour;
//! - an accepted event is written. Anything else than 200 means: unknown, ask again, the ids stay the same;
//! - a body that comes again within ten minutes of its receipt is answered with that receipt and written once, if
//!   each of its entries can be told from every other;
//! - every partition of `events.*` gets a record a second: a heartbeat where this process wrote nothing else;
//! - once a minute a synthetic attack, the canary, goes the way of every event.
//!
//! Nothing here reads `X-Forwarded-For`, the headers of a record, or a tenant in a body.

mod canary;
mod heartbeat;
mod http;
mod intake;
mod keys;
mod metrics;
mod outage;
mod receipts;
mod settings;
mod topic_door;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use broker::{Error, Pace, Publisher, Session, Stopwatch, Worker};
use event::Timestamp;
use service::Stop;
use tokio::net::TcpListener;

use canary::Canaries;
use heartbeat::{Activity, Heartbeats};
use http::HttpDoor;
use intake::Intake;
use metrics::HTTP_DOOR;
pub use metrics::Metrics;
pub use settings::{ApiKey, HttpSettings, IngestSettings, TopicSettings};
pub use topic_door::{TopicDoor, TopicTask};

/// The consumer group of the topic door.
pub const TOPIC_GROUP: &str = "ingest";

/// The two clocks of a door.
#[derive(Clone)]
pub struct Clocks {
    /// What time it is: stamps events and receipts.
    pub wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How much time has passed: measures.
    pub stopwatch: Stopwatch,
}

impl Clocks {
    /// Those of this machine.
    pub fn of_this_machine() -> Self {
        let begun = Instant::now();
        Self {
            wall: Arc::new(service::clock::now),
            stopwatch: Arc::new(move || begun.elapsed()),
        }
    }
}

/// The doors of one process.
pub struct Ingest {
    settings: IngestSettings,
    intake: Arc<Intake>,
    activity: Arc<Activity>,
    publisher: Arc<dyn Publisher>,
    metrics: Metrics,
    clocks: Clocks,
}

impl Ingest {
    /// Doors that write through `publisher`. Asks it how many partitions the topics have, which may block.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if a topic is missing; [`Error::Unavailable`] if nobody answers.
    pub fn open(
        settings: IngestSettings,
        publisher: Arc<dyn Publisher>,
        metrics: Metrics,
        clocks: Clocks,
    ) -> Result<Self, Error> {
        let intake = Intake::new(&*publisher, settings.limits.clone())?;
        for key in &settings.api_keys {
            metrics.begin_door(HTTP_DOOR, &key.tenant);
        }
        for topic in &settings.topics {
            metrics.begin_door(&topic.topic, &topic.tenant);
        }
        let activity = Activity::new(intake.event_partitions(), (clocks.stopwatch)());
        Ok(Self {
            settings,
            intake: Arc::new(intake),
            activity: Arc::new(activity),
            publisher,
            metrics,
            clocks,
        })
    }

    /// Serves the HTTP door until a stop is requested and what is under way is answered, or for
    /// [`HttpSettings::drain_timeout`] at most after that.
    ///
    /// # Errors
    /// The listener cannot be used any more.
    pub async fn serve_http(&self, listener: TcpListener, stop: &Stop) -> io::Result<()> {
        http::serve(HttpDoor::new(self), listener, stop).await
    }

    /// Writes heartbeats until a stop is requested.
    pub async fn write_heartbeats(&self, stop: &Stop) {
        let heartbeats = Heartbeats::new(self);
        heartbeats.run(stop).await;
    }

    /// Writes canaries until a stop is requested, in the name of `instance`, which no other process has.
    pub async fn write_canaries(&self, stop: &Stop, instance: &str) {
        let canaries = Canaries::new(self, instance);
        canaries.run(stop).await;
    }

    /// A worker of the topic door, for a thread of its own. `session` is a place in [`TOPIC_GROUP`] for the topics of
    /// [`IngestSettings::topics`].
    pub fn topic_worker<S: Session>(&self, session: S) -> Worker<S, TopicDoor> {
        let pace = Pace {
            commit_interval: self.settings.commit_interval,
            ..Pace::default()
        };
        Worker::new(session, TopicDoor::new(self), pace, self.clocks.stopwatch.clone())
    }
}
