//! The topics, by their names without the prefix. The adapter that talks to a broker adds the prefix, so one
//! cluster can carry several Tidewatches.

/// Records of any supported format, from any producer.
pub const RAW: &str = "raw";
/// Canonical events of the security tier.
pub const EVENTS_SECURITY: &str = "events.security";
/// Canonical events of the audit tier.
pub const EVENTS_AUDIT: &str = "events.audit";
/// Canonical events of the access tier.
pub const EVENTS_ACCESS: &str = "events.access";
/// What stateful rules need of an event, by group key; and ticks.
pub const FACTS: &str = "facts";
/// Every change of correlate's state; compacted; partition = facts partition.
pub const CHANGELOG: &str = "detector.changelog";
/// Alerts, by alert id.
pub const ALERTS: &str = "alerts";
/// The rule set in force; compacted.
pub const RULES: &str = "rules";
/// The delivery ledger; compacted.
pub const NOTIFICATIONS: &str = "notifications";
/// Archived segments, to be sealed into the manifest log.
pub const MANIFESTS: &str = "archive.manifests";
/// What no format could read: the bytes, the reason, the origin.
pub const DEAD_LETTERS: &str = "dead-letters";
/// Facts older than the lateness of their rule.
pub const LATE_FACTS: &str = "late-facts";
/// Alerts that no channel took.
pub const UNDELIVERED: &str = "undelivered";

/// The topics of canonical events.
pub const EVENTS: [&str; 3] = [EVENTS_SECURITY, EVENTS_AUDIT, EVENTS_ACCESS];

/// Header that marks a record of `events.*` as a heartbeat: it moves the watermark and is nothing else.
pub const HEADER_HEARTBEAT: &str = "heartbeat";
/// Header that marks an event which correlate derived: archived, not matched again.
pub const HEADER_DERIVED: &str = "derived";
