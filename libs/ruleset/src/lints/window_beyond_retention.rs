use std::time::Duration;

use super::{Lint, Subject};
use crate::error::Fault;

pub(super) struct WindowBeyondRetention;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long facts and access events are archived (`libs/archive/src/tiers`), and so how far back a rule can be replayed.
const RETENTION: Duration = Duration::from_secs(90 * DAY.as_secs());

impl Lint for WindowBeyondRetention {
    fn name(&self) -> &'static str {
        "window-beyond-retention"
    }

    fn about(&self) -> &'static str {
        "a window longer than 90 days, for which facts and access events are kept: what it found could not be replayed"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        let reach = subject.rule.pattern.reach();
        if reach <= RETENTION {
            return Vec::new();
        }
        let message = format!(
            "it looks back {} days, and facts are kept for {}",
            reach.as_secs() / DAY.as_secs(),
            RETENTION.as_secs() / DAY.as_secs()
        );
        vec![Fault::new(subject.places.query.clone(), message)]
    }
}
