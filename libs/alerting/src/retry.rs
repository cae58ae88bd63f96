use std::time::Duration;

use event::{Severity, Timestamp};
use jiff::fmt::rfc2822;

use crate::Outcome;

/// The least and the most that an answer can make us wait.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// How long and how often an attempt is repeated.
///
/// Before the attempt after the n-th, a time drawn evenly from zero to `base`·2ⁿ⁻¹, at most the cap ("full jitter"),
/// so that many deliveries to one destination do not come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The longest wait after the first attempt.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
    /// The same for a critical alert.
    pub critical_cap: Duration,
    /// The time after which a delivery is given up, counted from when it was queued.
    pub budget: Duration,
}

/// What to do after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing more.
    Delivered,
    /// Try again after this time.
    Retry(Duration),
    /// Give up, for this reason.
    Dead(String),
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_mins(1),
            critical_cap: Duration::from_secs(15),
            budget: Duration::from_hours(24),
        }
    }
}

impl Retry {
    /// Decides after the attempt number `attempt`, counted from 1, of a delivery queued `elapsed` ago. `jitter` is
    /// drawn evenly from all its values.
    pub fn next(&self, severity: Severity, attempt: u32, outcome: Outcome, elapsed: Duration, jitter: u32) -> Next {
        let (reason, asked) = match outcome {
            Outcome::Delivered => return Next::Delivered,
            Outcome::Permanent { reason } => return Next::Dead(reason),
            Outcome::Retriable { reason, retry_after } => (reason, retry_after),
        };
        let after = asked.unwrap_or_else(|| self.backoff(severity, attempt, jitter));
        if elapsed.saturating_add(after) > self.budget {
            return Next::Dead(format!(
                "given up after {attempt} attempts in {} s: {reason}",
                elapsed.as_secs()
            ));
        }
        Next::Retry(after)
    }

    fn backoff(&self, severity: Severity, attempt: u32, jitter: u32) -> Duration {
        let cap = if severity == Severity::Critical {
            self.critical_cap.min(self.cap)
        } else {
            self.cap
        };
        let doubled = self
            .base
            .saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let most = u64::try_from(doubled.min(cap).as_millis()).unwrap_or(u64::MAX);
        let share = u128::from(most) * u128::from(jitter) / u128::from(u32::MAX);
        Duration::from_millis(u64::try_from(share).unwrap_or(most))
    }
}

/// Reads the header `Retry-After`: seconds or a date, kept between a second and five minutes. `None` if it is neither.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let (least, most) = RETRY_AFTER;
    let header = header.trim();
    let digits = header.strip_prefix(['-', '+']).unwrap_or(header);
    let asked = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if header.starts_with('-') {
            Duration::ZERO
        } else {
            digits.parse().map_or(most, Duration::from_secs)
        }
    } else {
        let date = rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
        Timestamp::from_millis(date.as_millisecond()).since(now)
    };
    Some(asked.clamp(least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
        critical_cap: Duration::from_secs(15),
        budget: Duration::from_secs(600),
    };

    fn after(severity: Severity, attempt: u32, elapsed: u64, asked: Option<u64>, jitter: u32) -> Next {
        let outcome = Outcome::Retriable {
            reason: "answered 500".into(),
            retry_after: asked.map(Duration::from_secs),
        };
        RETRY.next(severity, attempt, outcome, Duration::from_secs(elapsed), jitter)
    }

    #[test]
    fn the_wait_doubles_to_the_cap_of_the_severity() {
        let longest = |severity, attempt| after(severity, attempt, 0, None, u32::MAX);
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (33, 60), (u32::MAX, 60)] {
            assert_eq!(
                longest(Severity::High, attempt),
                Next::Retry(Duration::from_secs(seconds)),
                "{attempt}"
            );
        }
        assert_eq!(longest(Severity::Critical, 7), Next::Retry(Duration::from_secs(15)));
    }

    #[test]
    fn the_wait_is_spread_over_its_whole_length() {
        assert_eq!(after(Severity::Low, 3, 0, None, 0), Next::Retry(Duration::ZERO));
        assert_eq!(
            after(Severity::Low, 3, 0, None, u32::MAX / 2),
            Next::Retry(Duration::from_millis(1999))
        );
    }

    #[test]
    fn an_asked_wait_wins_and_the_budget_ends_it() {
        assert_eq!(
            after(Severity::Low, 9, 0, Some(7), 0),
            Next::Retry(Duration::from_secs(7))
        );
        assert_eq!(
            after(Severity::Low, 9, 593, Some(7), 0),
            Next::Retry(Duration::from_secs(7))
        );
        let given_up = "given up after 9 attempts in 594 s: answered 500";
        assert_eq!(after(Severity::Low, 9, 594, Some(7), 0), Next::Dead(given_up.into()));
    }

    #[test]
    fn what_is_permanent_or_done_is_not_tried_again() {
        let permanent = Outcome::Permanent {
            reason: "answered 404".into(),
        };
        assert_eq!(
            RETRY.next(Severity::Low, 1, permanent, Duration::ZERO, 0),
            Next::Dead("answered 404".into())
        );
        assert_eq!(
            RETRY.next(Severity::Low, 1, Outcome::Delivered, Duration::MAX, 0),
            Next::Delivered
        );
    }

    #[test]
    fn retry_after_in_all_its_forms() {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("it is RFC 3339");
        let cases = [
            ("1", Some(1)),
            (" 30 ", Some(30)),
            ("0", Some(1)),
            ("-5", Some(1)),
            ("1000000000", Some(300)),
            ("99999999999999999999999999", Some(300)),
            ("Thu, 01 Jan 2026 00:00:42 GMT", Some(42)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(1)),
            ("Fri, 01 Jan 2027 00:00:00 GMT", Some(300)),
            ("", None),
            ("-", None),
            ("soon", None),
            ("1.5", None),
            ("3, 4", None),
        ];
        for (header, seconds) in cases {
            assert_eq!(retry_after(header, now), seconds.map(Duration::from_secs), "{header:?}");
        }
    }
}
