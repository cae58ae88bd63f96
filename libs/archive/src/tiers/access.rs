use event::topic;

use super::ArchiveTier;

/// Everything else that happened.
pub(super) const TIER: ArchiveTier = ArchiveTier {
    name: "access",
    retention_days: 90,
    topics: &[topic::EVENTS_ACCESS],
};
