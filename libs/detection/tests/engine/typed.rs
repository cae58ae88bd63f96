//! Rules given as what they mean, without a language.

use std::time::Duration;

use event::{Event, SemanticHash};
use ruleset::{Pattern, Predicate, RuleSet, Timing};

use crate::driver::{changed, event, rules};

/// A span of so many milliseconds.
pub(crate) fn span(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// The condition of a filter alone.
pub(crate) fn filter(query: &str) -> Predicate {
    let Pattern::Each(filter) = rules(&[query]).rules()[0].pattern.clone() else {
        panic!("more than a filter: {query}")
    };
    filter
}

/// Events of this kind.
pub(crate) fn kind(security_event: &str) -> Predicate {
    filter(&format!("security_event:{security_event}"))
}

/// A rule of this pattern with the defaults of its times: keep-alive as long as it reaches, a lateness of an hour, a
/// grace of ten minutes at most.
pub(crate) fn rule(pattern: &Pattern) -> RuleSet {
    timed(pattern, |_| ())
}

/// The same with other times.
pub(crate) fn timed(pattern: &Pattern, change: impl Fn(&mut Timing)) -> RuleSet {
    changed("security_event:any | window 1m | count > 1", |rule| {
        rule.pattern = pattern.clone();
        rule.timing.keep_alive = pattern.reach();
        rule.timing.grace = pattern.reach().min(Duration::from_secs(600));
        change(&mut rule.timing);
        rule.hash = SemanticHash::new(&rule.meaning());
    })
}

/// An event whose id says what it is and when.
pub(crate) fn of(security_event: &str, millis: i64) -> Event {
    event(&format!("{security_event}-{millis}"), security_event, millis)
}
