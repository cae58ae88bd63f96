use event::topic;

use super::ArchiveTier;

/// What was noticed, and when. As long as audit events: an auditor who reads of a deed in the seventh year asks whether
/// it was noticed, and the answer must not have gone before the question. Alerts are few, so it costs nothing.
pub(super) const TIER: ArchiveTier = ArchiveTier {
    name: "alerts",
    retention_days: 2_557,
    topics: &[topic::ALERTS],
};
