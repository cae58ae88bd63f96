use event::topic;

use super::ArchiveTier;

/// Who did what. Seven years by any calendar are at most 2,557 days; 7 × 365 would be two short.
pub(super) const TIER: ArchiveTier = ArchiveTier {
    name: "audit",
    retention_days: 2_557,
    topics: &[topic::EVENTS_AUDIT],
};
