use super::{Lint, Subject};
use crate::error::Fault;
use crate::meaning::asks_the_clock;

pub(super) struct UnusedTimezone;

impl Lint for UnusedTimezone {
    fn name(&self) -> &'static str {
        "unused-timezone"
    }

    fn about(&self) -> &'static str {
        "a `timezone`, and nothing in the query that asks for an hour or a weekday"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        match &subject.places.timezone {
            Some(at) if !asks_the_clock(&subject.rule.pattern) => {
                let message = "the time zone has no effect: the query asks for no hour and no weekday";
                vec![Fault::new(at.clone(), message)]
            }
            Some(_) | None => Vec::new(),
        }
    }
}
