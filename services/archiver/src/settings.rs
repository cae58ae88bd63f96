use std::collections::BTreeMap;
use std::time::Duration;

use archive::{ArchiveTier, Limits, LockMode, Policy, TIERS, Writer};
use service::settings::Reader;

/// How to archive.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When a segment is full.
    pub limits: Limits,
    /// How many bytes all segments together may hold in memory before the largest is written.
    pub memory_max: usize,
    /// The longest wait for records.
    pub poll_wait: Duration,
    /// How long a partition rests after the store was in trouble.
    pub retry_pause: Duration,
    /// How each tier is kept, by its name; a tier that is not named is kept as it asks, without a lock.
    pub policies: BTreeMap<&'static str, Policy>,
    /// What manifests say of the writer.
    pub writer: Writer,
}

const LOCKS: &[(&str, Option<LockMode>)] = &[
    ("governance", Some(LockMode::Governance)),
    ("compliance", Some(LockMode::Compliance)),
    ("none", None),
];

/// A typing error in compliance mode holds for as long as it says: nobody needs more than 30 years.
const RETENTION_DAYS_MAX: u32 = 10_958;

impl Settings {
    /// The defaults, with every tier under the same lock.
    pub fn new(lock: Option<LockMode>, writer: Writer) -> Self {
        Self {
            limits: Limits {
                bytes_max: 64 << 20,
                records_max: 1_000_000,
                age_max: Duration::from_secs(15 * 60),
            },
            memory_max: 256 << 20,
            poll_wait: Duration::from_millis(200),
            retry_pause: Duration::from_secs(10),
            policies: TIERS.iter().map(|tier| (tier.name, tier.policy(lock))).collect(),
            writer,
        }
    }

    /// Reads the section of the archiver, less what says where the store is.
    pub fn read(reader: &mut Reader<'_>, writer: Writer) -> Self {
        let default = Self::new(Some(LockMode::Governance), writer);
        let limits = reader.section("segment", "when a segment is written, whatever comes first", |reader| {
            Limits {
                bytes_max: size(
                    reader.bytes("bytes_max", "when it has so many bytes, compressed"),
                    default.limits.bytes_max,
                ),
                records_max: reader
                    .integer("records_max", "when it has so many records")
                    .range(1..=u64::MAX)
                    .default(default.limits.records_max),
                age_max: reader
                    .duration("age_max", "when its first record is so old")
                    .range(Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60))
                    .default(default.limits.age_max),
            }
        });
        let memory_max = size(
            reader.bytes("memory_max", "the most bytes of all segments that are being gathered"),
            default.memory_max,
        );
        let retry_pause = reader
            .duration(
                "retry_pause",
                "how long a partition rests after the store was in trouble",
            )
            .range(Duration::from_secs(1)..=Duration::from_secs(10 * 60))
            .default(default.retry_pause);
        let purpose = "how long what is kept, and how strictly; days are counted from a record's append";
        let policies = reader.section("tiers", purpose, |reader| {
            let mut policy = |tier: &ArchiveTier| {
                let purpose = format!("the records of {}", tier.topics.join(", "));
                reader.section(tier.name, purpose, |reader| policy(tier, reader))
            };
            TIERS.iter().map(|tier| (tier.name, policy(tier))).collect()
        });
        Self {
            limits,
            memory_max,
            retry_pause,
            policies,
            ..default
        }
    }

    /// How this tier is kept.
    pub fn policy(&self, tier: &ArchiveTier) -> Policy {
        self.policies.get(tier.name).copied().unwrap_or(tier.policy(None))
    }
}

fn policy(tier: &ArchiveTier, reader: &mut Reader<'_>) -> Policy {
    Policy {
        retention_days: reader
            .integer("retention_days", "how many days a record is kept")
            .range(1..=RETENTION_DAYS_MAX)
            .default(tier.retention_days),
        lock: reader
            .choice(
                "lock",
                "governance: who has the right to may shorten it. compliance: NOBODY CAN, for as long as it says, and the \
                 bucket is paid for until then. none: anybody who may write may delete",
                LOCKS,
            )
            .default(Some(LockMode::Governance)),
    }
}

fn size(key: service::settings::Key<'_, '_, u64>, default: usize) -> usize {
    let bytes = key.range(1..=1 << 40).default(default as u64);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
