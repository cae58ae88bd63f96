//! Alerts to people: Slack, PagerDuty, webhooks.
