//! The canary of an installation: a synthetic attack that ingest writes and the alerter must hear of, by the names
//! that both know it by.

use crate::Alert;

/// Whose events canaries are. No door gives it to anybody, so nobody else can write one.
pub const TENANT: &str = "tidewatch-canary";
/// What their events say has happened.
pub const SECURITY_EVENT: &str = "tidewatch_canary";
/// The format that they are counted under.
pub const FORMAT: &str = "canary";
/// The id of the rule that they fire.
pub const RULE: &str = "tidewatch_canary";

/// Whether an alert is of a canary: nobody is to be told.
pub fn is_canary(alert: &Alert) -> bool {
    alert.rule_id == RULE && alert.tenant == TENANT
}
