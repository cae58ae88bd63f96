//! One file per channel.

pub mod log;
pub mod pagerduty;
pub mod slack;
pub mod webhook;

use crate::Channel;

/// Every channel.
pub const CHANNELS: &[&dyn Channel] = &[&log::Log, &pagerduty::PagerDuty, &slack::Slack, &webhook::Webhook];
