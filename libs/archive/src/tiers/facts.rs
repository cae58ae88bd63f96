use event::topic;

use super::ArchiveTier;

/// What correlate was told. It proves byte by byte why an alert was raised, for as long as anybody asks about the
/// detector rather than about the events; match makes them anew from archived events.
pub(super) const TIER: ArchiveTier = ArchiveTier {
    name: "facts",
    retention_days: 90,
    topics: &[topic::FACTS],
};
