//! How long what is kept. To add a tier: one file in `tiers/`, one line in [`TIERS`].

mod access;
mod alerts;
mod audit;
mod facts;
mod security;

use std::time::Duration;

use event::Timestamp;

use crate::{LockMode, Retention};

/// A retention class of the archive: the topics whose records it holds, and for how long by default.
#[derive(Debug, PartialEq, Eq)]
pub struct ArchiveTier {
    /// Its name in object names, settings and metrics.
    pub name: &'static str,
    /// How long a record is kept, counted from its append, where the settings say nothing else.
    pub retention_days: u32,
    /// The topics whose records it holds; a topic is in one tier.
    pub topics: &'static [&'static str],
}

/// Every tier, longest retention first.
pub const TIERS: &[&ArchiveTier] = &[
    &audit::TIER,
    &alerts::TIER,
    &security::TIER,
    &access::TIER,
    &facts::TIER,
];

/// The tier that holds the records of `topic`. `None` if they are not archived.
pub fn tier_of(topic: &str) -> Option<&'static ArchiveTier> {
    TIERS.iter().copied().find(|tier| tier.topics.contains(&topic))
}

/// How the objects of a tier are kept, as the operator wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long after its append a record is kept; at least 1.
    pub retention_days: u32,
    /// How its objects are locked; `None` leaves them unlocked.
    pub lock: Option<LockMode>,
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl ArchiveTier {
    /// The tier's own retention, under `lock`.
    pub const fn policy(&self, lock: Option<LockMode>) -> Policy {
        Policy {
            retention_days: self.retention_days,
            lock,
        }
    }
}

impl Policy {
    /// Until when an object is kept whose last record was appended at `appended`: the next full hour after the days
    /// have passed, so never less than asked, and no store can lose a fraction of a second of it.
    pub fn retain_until(self, appended: Timestamp) -> Timestamp {
        next_hour(appended.plus(DAY.saturating_mul(self.retention_days)))
    }

    /// The lock to ask for at `now`. A store takes no lock that ends in the past: what was due to be gone before it was
    /// even written is locked for the time that it takes to look at it.
    pub fn retention(self, appended: Timestamp, now: Timestamp) -> Option<Retention> {
        let until = self.retain_until(appended).max(next_hour(now.plus(HOUR)));
        self.lock.map(|mode| Retention { mode, until })
    }
}

fn next_hour(moment: Timestamp) -> Timestamp {
    let hour = i64::try_from(HOUR.as_millis()).expect("an hour is few milliseconds");
    let over = moment.as_millis().rem_euclid(hour);
    if over == 0 {
        moment
    } else {
        Timestamp::from_millis(moment.as_millis().saturating_add(hour - over))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the list is compared with the folder")]

    use std::collections::BTreeSet;

    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("RFC 3339")
    }

    #[test]
    fn every_file_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tiers");
        let files: BTreeSet<_> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| {
                entry
                    .expect("readable")
                    .path()
                    .file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let listed: BTreeSet<_> = TIERS.iter().map(|tier| tier.name.to_owned()).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn a_topic_is_in_one_tier() {
        let topics: Vec<_> = TIERS.iter().flat_map(|tier| tier.topics).collect();
        let distinct: BTreeSet<_> = topics.iter().collect();
        assert_eq!(topics.len(), distinct.len());
        for topic in event::topic::EVENTS {
            assert!(tier_of(topic).is_some(), "{topic}");
        }
        for tier in event::Tier::ALL {
            assert_eq!(
                tier_of(event::SourceTopic::from(tier).name()).map(|tier| tier.name),
                Some(tier.as_str())
            );
        }
    }

    #[test]
    fn the_longest_is_first() {
        assert!(TIERS.is_sorted_by(|longer, shorter| longer.retention_days >= shorter.retention_days));
    }

    #[test]
    fn whatever_the_calendar_a_year_is_a_year() {
        let policy = security::TIER.policy(None);
        for year in 2026..2040 {
            let until = policy.retain_until(time(&format!("{year}-02-28T12:00:00Z")));
            assert!(
                until >= time(&format!("{}-02-28T12:00:00Z", year + 1)),
                "{year}: {until}"
            );
            let until = audit::TIER
                .policy(None)
                .retain_until(time(&format!("{year}-02-28T12:00:00Z")));
            assert!(
                until >= time(&format!("{}-02-28T12:00:00Z", year + 7)),
                "{year}: {until}"
            );
        }
    }

    #[test]
    fn retention_ends_at_a_full_hour_and_in_the_future() {
        let policy = Policy {
            retention_days: 1,
            lock: Some(LockMode::Compliance),
        };
        let appended = time("2026-01-01T00:00:02Z");
        assert_eq!(policy.retain_until(appended), time("2026-01-02T01:00:00Z"));
        assert_eq!(
            policy.retain_until(time("2026-01-01T00:00:00Z")),
            time("2026-01-02T00:00:00Z")
        );
        let late = policy
            .retention(appended, time("2026-06-01T10:20:30Z"))
            .expect("locked");
        assert_eq!(late.until, time("2026-06-01T12:00:00Z"));
        assert_eq!(policy.retain_until(Timestamp::MAX), Timestamp::MAX);
    }
}
