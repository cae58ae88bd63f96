use event::topic;

use super::ArchiveTier;

/// Security events that are not audit. A year by any calendar is at most 366 days.
pub(super) const TIER: ArchiveTier = ArchiveTier {
    name: "security",
    retention_days: 366,
    topics: &[topic::EVENTS_SECURITY],
};
