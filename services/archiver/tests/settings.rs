//! What the section says, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use archive::{LockMode, Policy, TIERS, Writer};
use archiver::Settings;
use service::settings::{self, Problems, Sources, Tree};

fn read(variables: &[(&str, &str)]) -> Result<Settings, Problems> {
    let variables = variables
        .iter()
        .map(|(name, value)| (format!("TIDEWATCH_ARCHIVER__{name}").into(), value.into()));
    let tree = Tree::load(&Sources {
        file: None,
        variables: variables.collect(),
    })?;
    let read = settings::read(&tree, |root| {
        root.section("archiver", "", |reader| Settings::read(reader, Writer::default()))
    });
    read.map(|loaded| loaded.settings)
}

#[test]
fn nothing_written_is_the_tiers_own_retention_under_governance() {
    let settings = read(&[]).unwrap();
    for tier in TIERS {
        let expected = Policy {
            retention_days: tier.retention_days,
            lock: Some(LockMode::Governance),
        };
        assert_eq!(settings.policy(tier), expected, "{}", tier.name);
    }
    assert_eq!(settings.limits.age_max, Duration::from_secs(900));
}

#[test]
fn what_is_written_counts() {
    let settings = read(&[
        ("TIERS__AUDIT__LOCK", "compliance"),
        ("TIERS__ACCESS__LOCK", "none"),
        ("TIERS__ACCESS__RETENTION_DAYS", "30"),
        ("SEGMENT__BYTES_MAX", "1MiB"),
        ("SEGMENT__AGE_MAX", "5s"),
    ])
    .unwrap();
    assert_eq!(
        settings.policies["audit"],
        Policy {
            retention_days: 2_557,
            lock: Some(LockMode::Compliance)
        }
    );
    assert_eq!(
        settings.policies["access"],
        Policy {
            retention_days: 30,
            lock: None
        }
    );
    assert_eq!(
        (settings.limits.bytes_max, settings.limits.age_max),
        (1 << 20, Duration::from_secs(5))
    );
}

#[test]
fn every_mistake_is_found_at_once() {
    let mistakes = [
        ("TIERS__AUDIT__LOCK", "complience"),
        ("TIERS__AUDITS__RETENTION_DAYS", "5"),
        ("TIERS__ACCESS__RETENTION_DAYS", "0"),
        ("TIERS__FACTS__RETENTION_DAYS", "255500"),
        ("SEGMENT__AGE_MAX", "0s"),
    ];
    let problems = read(&mistakes).unwrap_err().0;
    assert_eq!(problems.len(), mistakes.len(), "{problems:?}");
}
