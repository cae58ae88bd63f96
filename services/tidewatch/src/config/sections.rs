//! The sections of the configuration that are read here, beside those that the services read themselves.

use std::path::PathBuf;
use std::time::Duration;

use archive::Writer;
use ingest::IngestSettings;
use kafka::{KafkaSettings, Mechanism, Sasl, Tls};
use objects::{AccessKey, S3Settings};
use service::settings::{Key, Reader};

/// The Kafka cluster, and who we are towards it.
#[derive(Clone, Debug)]
pub(crate) struct LogSettings {
    pub(crate) kafka: KafkaSettings,
    /// The name of this instance: the same after a restart, and nobody else's. It is part of transactional ids.
    pub(crate) instance: String,
}

/// The detector's section.
#[derive(Clone, Debug)]
pub(crate) struct DetectorSettings {
    /// Rule files and directories; the guide's rules if there are none.
    pub(crate) rules: Vec<PathBuf>,
    /// Where state images are.
    pub(crate) state_dir: PathBuf,
    pub(crate) match_workers: u32,
    pub(crate) correlate_workers: u32,
    pub(crate) commit_interval: Duration,
    pub(crate) tick_interval: Duration,
    pub(crate) flush_interval: Duration,
    pub(crate) partition_memory_max: u64,
    pub(crate) block_cache: u64,
    pub(crate) write_buffers: u64,
}

/// Where the archive is.
#[derive(Clone, Debug)]
pub(crate) enum StoreSettings {
    S3(S3Settings),
    Directory(PathBuf),
}

/// The archiver's section.
#[derive(Clone, Debug)]
pub(crate) struct ArchiverSettings {
    pub(crate) store: StoreSettings,
    pub(crate) archiver: archiver::Settings,
}

pub(crate) fn log(root: &mut Reader<'_>) -> LogSettings {
    root.section("kafka", "the Kafka cluster", |reader| LogSettings {
        kafka: kafka(reader),
        instance: instance(reader),
    })
}

fn kafka(reader: &mut Reader<'_>) -> KafkaSettings {
    let default = KafkaSettings::new(String::new());
    let kafka = KafkaSettings {
        brokers: reader
            .text(
                "brokers",
                "host:port of some brokers, separated by commas; they name the others",
            )
            .example("kafka-0:9092,kafka-1:9092,kafka-2:9092")
            .required(),
        prefix: reader
            .text(
                "prefix",
                "what names of topics, groups and transactional ids begin with: a cluster can carry several Tidewatches",
            )
            .default(default.prefix.clone()),
        client_id: reader
            .text("client_id", "what the brokers' logs and quotas know us by")
            .default(default.client_id.clone()),
        tls: reader.optional_section("tls", "encryption of the connections: the section switches it on", tls),
        sasl: reader.optional_section("sasl", "authentication by password: the section switches it on", sasl),
        session_timeout: reader
            .duration(
                "session_timeout",
                "how long a member may be silent before its partitions go to others; at least 1s, at most \
                 max_poll_interval",
            )
            .default(default.session_timeout),
        transaction_timeout: reader
            .duration(
                "transaction_timeout",
                "how long a transaction may stay undecided: readers of its topics wait for a hung one as long; at \
                 least 1s, less than max_poll_interval",
            )
            .default(default.transaction_timeout),
        max_poll_interval: reader
            .duration(
                "max_poll_interval",
                "how long a worker may go without polling before its partitions go to others",
            )
            .default(default.max_poll_interval),
        linger: reader
            .duration(
                "linger",
                "how long a producer collects records for one request; less than 3/4 of transaction_timeout",
            )
            .default(default.linger),
        publish_bytes: usize::try_from(
            reader
                .bytes(
                    "publish_bytes",
                    "the most bytes that the HTTP door has on its way to the brokers",
                )
                .range(1 << 20..=4 << 30)
                .default(64_u64 << 20),
        )
        .unwrap_or(usize::MAX),
        ..default
    };
    if let Err(wrong) = kafka.check() {
        // Brokers that are missing are told already.
        wrong
            .iter()
            .filter(|wrong| wrong.setting != "brokers" || !kafka.brokers.is_empty())
            .for_each(|wrong| reader.problem(wrong.setting, wrong.problem.clone()));
    }
    kafka
}

fn instance(reader: &mut Reader<'_>) -> String {
    reader
        .text(
            "instance",
            "the name of this process among those of its service: the same after a restart, and nobody else's",
        )
        .example("node-1")
        .depends("the name of the host: of the container, of the pod")
        .accept(|name: &String| {
            let plain = !name.is_empty()
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter));
            if plain {
                Ok(())
            } else {
                Err("letters, digits, dot, dash and underscore only".to_owned())
            }
        })
        .optional()
        .unwrap_or_else(host_name)
}

fn tls(reader: &mut Reader<'_>) -> Tls {
    let ca_file = reader
        .path(
            "ca_file",
            "certificates that vouch for the brokers; without it those of the system",
        )
        .example("/etc/tidewatch/ca.pem")
        .optional();
    let certificate = reader
        .path(
            "certificate_file",
            "our own certificate, for brokers that ask for one; needs key_file",
        )
        .example("/etc/tidewatch/client.pem")
        .optional();
    let key = reader
        .path("key_file", "the key of that certificate")
        .example("/etc/tidewatch/client.key")
        .optional();
    reader.require(
        certificate.is_some() == key.is_some(),
        &["certificate_file", "key_file"],
        "one needs the other",
    );
    Tls {
        ca_file,
        identity: certificate.zip(key),
    }
}

fn sasl(reader: &mut Reader<'_>) -> Sasl {
    const MECHANISMS: &[(&str, Mechanism)] = &[
        ("plain", Mechanism::Plain),
        ("scram-sha-256", Mechanism::ScramSha256),
        ("scram-sha-512", Mechanism::ScramSha512),
    ];
    Sasl {
        mechanism: reader
            .choice("mechanism", "how the password is proven; plain needs tls", MECHANISMS)
            .default(Mechanism::ScramSha512),
        user: reader
            .text("user", "the name that belongs to the password")
            .example("tidewatch")
            .required(),
        password: reader.secret("password", "the password").required(),
    }
}

pub(crate) fn ingest(root: &mut Reader<'_>) -> IngestSettings {
    root.section("ingest", "the doors, where events come in", IngestSettings::read)
}

pub(crate) fn alerter(root: &mut Reader<'_>) -> alerter::Settings {
    root.section("alerter", "who is told", alerter::Settings::read)
}

pub(crate) fn detector(root: &mut Reader<'_>) -> DetectorSettings {
    root.section("detector", "rules and state", |reader| {
        let second = Duration::from_secs(1);
        DetectorSettings {
            rules: reader
                .list(
                    "rules",
                    "rule files and directories; without it the six rules of the guide, which are part of the program",
                )
                .example(vec!["/etc/tidewatch/rules".to_owned()])
                .default(Vec::new())
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            state_dir: reader
                .path(
                    "state_dir",
                    "where state images are: a directory for each process, which may be lost",
                )
                .default("/var/lib/tidewatch/state"),
            match_workers: workers(
                reader,
                "match_workers",
                "threads of the first stage; more than partitions of events.* together are of no use",
            ),
            correlate_workers: workers(
                reader,
                "correlate_workers",
                "threads of the second stage; more than partitions of facts are of no use",
            ),
            commit_interval: reader
                .duration(
                    "commit_interval",
                    "how long a record may wait for its commit: an alert is as late as this",
                )
                .range(Duration::from_millis(5)..=10 * second)
                .default(Duration::from_millis(100)),
            tick_interval: reader
                .duration(
                    "tick_interval",
                    "how often the second stage is told how far the sources are",
                )
                .range(second / 10..=60 * second)
                .default(second),
            flush_interval: reader
                .duration(
                    "flush_interval",
                    "how often committed state goes to disk: so much has a restart to replay",
                )
                .range(second..=60 * second)
                .default(30 * second),
            partition_memory_max: memory(
                reader.bytes(
                    "partition_memory_max",
                    "state of one partition that stays in memory; the rest is on disk",
                ),
                256,
            ),
            block_cache: memory(
                reader.bytes("block_cache", "cache of state on disk, of all partitions together"),
                128,
            ),
            write_buffers: memory(
                reader.bytes(
                    "write_buffers",
                    "writes to disk that wait in memory, of all partitions together",
                ),
                64,
            ),
        }
    })
}

fn workers(reader: &mut Reader<'_>, name: &str, purpose: &'static str) -> u32 {
    reader.integer(name, purpose).range(1..=64).default(1_u32)
}

fn memory(key: Key<'_, '_, u64>, default_mib: u64) -> u64 {
    key.range(1 << 20..=64 << 30).default(default_mib << 20)
}

pub(crate) fn archiver(root: &mut Reader<'_>) -> ArchiverSettings {
    root.section("archiver", "the archive", |reader| {
        let store = reader.section("store", "where segments are kept", store);
        let writer = Writer {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            host: host_name(),
        };
        ArchiverSettings {
            store,
            archiver: archiver::Settings::read(reader, writer),
        }
    })
}

/// The name of this host: of the container where there is one, of the pod in Kubernetes.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    S3,
    Directory,
}

fn store(reader: &mut Reader<'_>) -> StoreSettings {
    const KINDS: &[(&str, Kind)] = &[("s3", Kind::S3), ("directory", Kind::Directory)];
    let kind = reader
        .choice(
            "kind",
            "s3; or directory, which locks nothing, so that each tier needs lock: none",
            KINDS,
        )
        .default(Kind::S3);
    let s3 = reader.only_with("kind: s3", kind == Kind::S3, s3);
    let path = reader.only_with("kind: directory", kind == Kind::Directory, |reader| {
        reader
            .path("path", "the directory")
            .example("/var/lib/tidewatch/archive")
            .required()
    });
    s3.map_or_else(|| StoreSettings::Directory(path.unwrap_or_default()), StoreSettings::S3)
}

fn s3(reader: &mut Reader<'_>) -> S3Settings {
    let bucket = reader
        .text("bucket", "the bucket, which exists and has Object Lock")
        .example("audit-archive")
        .required();
    let mut settings = S3Settings::new(bucket, reader.text("region", "the region").default("us-east-1"));
    settings.prefix = reader
        .text("prefix", "what object names begin with: empty, or ending in /")
        .example("tidewatch/")
        .default("");
    settings.endpoint = reader
        .text("endpoint", "the address of the server where it is not Amazon's")
        .example("https://s3.example")
        .optional();
    // Not by `accept`, which would repeat what it refuses.
    if settings.endpoint.as_ref().is_some_and(|url| url.contains('@')) {
        reader.problem("endpoint", "must not contain a user name or password");
    }
    settings.path_style = reader
        .boolean(
            "path_style",
            "whether the bucket goes into the path, not into the host name",
        )
        .example(true)
        .depends("true where there is an endpoint, else false")
        .default(settings.endpoint.is_some());
    let id = reader
        .text(
            "access_key_id",
            "who we are to the store; without it the usual AWS sources are asked",
        )
        .example("AKIAEXAMPLE")
        .optional();
    let secret = reader
        .secret("secret_access_key", "the secret half of access_key_id")
        .optional();
    reader.require(
        id.is_some() == secret.is_some(),
        &["access_key_id", "secret_access_key"],
        "one needs the other",
    );
    settings.access_key = id.zip(secret).map(|(id, secret)| AccessKey::new(id, secret));
    // Less than a worker may go without polling, or a store in trouble costs the partitions.
    settings.attempt_timeout = Duration::from_secs(15);
    settings.patience = reader
        .duration("patience", "how long one write may take, all attempts together")
        .range(Duration::from_secs(1)..=Duration::from_secs(50))
        .default(Duration::from_secs(40));
    settings
}
