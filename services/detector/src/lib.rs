//! The detector: two stages, each a consumer group of its own, each driven by [`broker::Worker`].
//!
//! [`MatchStage`] reads events, fires stateless rules and sends facts and ticks. [`CorrelateStage`] reads facts and
//! ticks, keeps state, and sends alerts; and facts and ticks of a higher level, for rules that read alerts. Both are synchronous: a thread per worker, batches of thousands, no lock and
//! no `await` per event. `main` drives `run`, the simulator drives `step`.

mod correlate_stage;
mod facts;
mod levels;
mod match_stage;
mod metrics;
mod pulse;
mod tally;

pub use correlate_stage::{CorrelateSettings, CorrelateStage, CorrelateTask, Images};
pub use match_stage::{MatchSettings, MatchStage};
pub use metrics::Metrics;

/// The consumer group of the first stage.
pub const MATCH_GROUP: &str = "detector-match";
/// The consumer group of the second stage.
pub const CORRELATE_GROUP: &str = "detector-correlate";

/// A record that a stage cannot read, on its way to `dead-letters`.
fn dead_letter(place: &broker::TopicPartition, record: &broker::Record, detail: String) -> broker::Output {
    let letter = event::DeadLetter {
        time: record.timestamp,
        tenant: event::DEFAULT_TENANT.to_owned(),
        reason: event::Reason::Rejected,
        detail,
        origin: format!("{place}@{}", record.offset),
        format: None,
        raw: event::Raw::new(record.value.as_deref().unwrap_or_default()),
    };
    broker::Output {
        topic: event::topic::DEAD_LETTERS.into(),
        partition: 0,
        key: Some(letter.origin.clone().into()),
        value: Some(letter.encode().into()),
        headers: Vec::new(),
    }
}
