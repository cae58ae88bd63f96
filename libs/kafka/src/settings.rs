//! What the adapter needs to know, its checks, and the client configurations that follow from it.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use broker::Error;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::{ExposeSecret, SecretString};

/// The largest record we write, in bytes of key, value and headers.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// `max.message.bytes` of our topics and `message.max.bytes` of our producers: the largest record and its framing.
pub(crate) const MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX + (64 << 10);

/// How to reach a cluster, and how to behave towards it.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port` of some brokers, separated by commas.
    pub brokers: String,
    /// What the names of our topics, groups and transactional ids begin with, so that a cluster can carry several Tidewatches.
    pub prefix: String,
    /// What the brokers' logs and quotas know us by.
    pub client_id: String,
    /// TLS; `None` is plain text.
    pub tls: Option<Tls>,
    /// SASL; `None` is no authentication by password.
    pub sasl: Option<Sasl>,
    /// How long a member may be silent before its partitions are given to others.
    pub session_timeout: Duration,
    /// How long a transaction may stay undecided before the brokers abort it. Readers of its topics wait meanwhile.
    pub transaction_timeout: Duration,
    /// How long a worker may go without polling.
    pub max_poll_interval: Duration,
    /// How long a producer collects records for one request. Measured in `docs/performance.md`.
    pub linger: Duration,
    /// How long to wait before asking a busy coordinator again. Measured in `docs/performance.md`.
    pub retry_backoff: Duration,
    /// The most bytes of one produce request to one partition.
    pub batch_bytes: usize,
    /// The most records that one poll takes from the client.
    pub drain_records: usize,
    /// How long one poll goes on taking records once it has one.
    pub drain_time: Duration,
    /// The most bytes that a publisher has on its way.
    pub publish_bytes: usize,
    /// What to do with a partition that the group never committed a position of.
    pub start: Start,
}

/// What to do with a partition that the group never committed a position of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Announce it without a position; the worker begins at the first record that is kept.
    Earliest,
    /// Stop: a group that has run before does not lose its positions unnoticed.
    Fail,
}

/// Encryption of the connections.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The certificates that vouch for the brokers; `None` is the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key, for brokers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Authentication by name and password.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// How the password is proven.
    pub mechanism: Mechanism,
    /// The name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// How a password is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Sent as it is: only with TLS.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct InvalidSetting {
    /// The field of [`KafkaSettings`].
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl KafkaSettings {
    /// Settings that suit most clusters; see the fields for what they mean.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            prefix: "tidewatch.".into(),
            client_id: "tidewatch".into(),
            tls: None,
            sasl: None,
            session_timeout: Duration::from_secs(12),
            transaction_timeout: Duration::from_secs(20),
            max_poll_interval: Duration::from_secs(60),
            linger: Duration::from_millis(1),
            retry_backoff: Duration::from_millis(5),
            batch_bytes: 1_000_000,
            drain_records: 5_000,
            drain_time: Duration::from_millis(5),
            publish_bytes: 64 << 20,
            start: Start::Earliest,
        }
    }

    /// Everything that is wrong, at once.
    ///
    /// # Errors
    /// One entry for each setting that cannot work.
    pub fn check(&self) -> Result<(), Vec<InvalidSetting>> {
        let mut found = Vec::new();
        let mut require = |holds: bool, setting, problem: &str| {
            if !holds {
                found.push(InvalidSetting {
                    setting,
                    problem: problem.to_owned(),
                });
            }
        };
        require(
            self.brokers.split(',').all(is_address),
            "brokers",
            "expected host:port, separated by commas",
        );
        require(
            is_topic_text(&self.prefix),
            "prefix",
            "only letters, digits, dot, dash and underscore, at most 100",
        );
        require(!self.client_id.is_empty(), "client_id", "must not be empty");
        require(
            self.transaction_timeout >= Duration::from_secs(1),
            "transaction_timeout",
            "at least 1 s: shorter, and a pause of the process aborts its transaction",
        );
        require(
            self.transaction_timeout < self.max_poll_interval,
            "transaction_timeout",
            "must be shorter than max_poll_interval, or a slow commit costs the partitions",
        );
        require(
            self.session_timeout >= Duration::from_secs(1) && self.session_timeout <= self.max_poll_interval,
            "session_timeout",
            "at least 1 s, at most max_poll_interval",
        );
        require(
            self.linger < self.message_timeout(),
            "linger",
            "must be shorter than 3/4 of transaction_timeout",
        );
        require(
            (Duration::from_millis(1)..=Duration::from_secs(1)).contains(&self.retry_backoff),
            "retry_backoff",
            "at least 1 ms, at most 1 s",
        );
        require(
            (1..=MESSAGE_BYTES_MAX).contains(&self.batch_bytes),
            "batch_bytes",
            "at least 1, at most 1,114,112",
        );
        require(self.drain_records >= 1, "drain_records", "at least 1");
        require(
            self.publish_bytes >= MESSAGE_BYTES_MAX,
            "publish_bytes",
            "at least 1,114,112: room for one record",
        );
        let open_password = self.tls.is_none() && self.sasl.as_ref().is_some_and(|it| it.mechanism == Mechanism::Plain);
        require(
            !open_password,
            "sasl",
            "PLAIN without TLS shows the password to the network",
        );
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Settings that fail the checks are not used, whoever forgot to ask.
    pub(crate) fn require(&self) -> Result<(), Error> {
        let all = |found: Vec<InvalidSetting>| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.check().map_err(|found| Error::Misconfigured(all(found)))?;
        self.tls.iter().flat_map(Tls::files).try_for_each(|file| {
            // The client would say that a file cannot be read, and not which.
            let problem = |error| Error::Misconfigured(format!("tls: cannot read {}: {error}", file.display()));
            File::open(file).map(drop).map_err(problem)
        })
    }

    /// `message.timeout.ms`: how long a record may take to be acknowledged. Below the transaction timeout, so that a
    /// record that cannot be written fails its transaction before the brokers do.
    pub(crate) fn message_timeout(&self) -> Duration {
        self.transaction_timeout * 3 / 4
    }

    /// `socket.timeout.ms`: librdkafka wants it at least 100 ms below the transaction timeout.
    fn socket_timeout(&self) -> Duration {
        self.transaction_timeout / 2
    }

    /// How long a transactional call may take before the process is ended.
    pub(crate) fn watchdog_timeout(&self) -> Duration {
        self.transaction_timeout * 2 + Duration::from_secs(10)
    }

    fn common(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("{}-{role}", self.client_id))
            .set("socket.timeout.ms", millis(self.socket_timeout()))
            .set("retry.backoff.ms", millis(self.retry_backoff))
            .set("allow.auto.create.topics", "false")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Info);
        self.secure(&mut config);
        config
    }

    fn secure(&self, config: &mut ClientConfig) {
        let protocol = match (&self.sasl, &self.tls) {
            (None, None) => "plaintext",
            (None, Some(_)) => "ssl",
            (Some(_), None) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            if let Some(file) = &tls.ca_file {
                config.set("ssl.ca.location", file.to_string_lossy());
            }
            if let Some((certificate, key)) = &tls.identity {
                config.set("ssl.certificate.location", certificate.to_string_lossy());
                config.set("ssl.key.location", key.to_string_lossy());
            }
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", sasl.mechanism.name());
            config.set("sasl.username", &sasl.user);
            config.set("sasl.password", sasl.password.expose_secret());
        }
    }

    /// A consumer that reads only what is committed, commits nothing by itself, and jumps nowhere by itself.
    fn consumer(&self, role: &str, group: &str) -> ClientConfig {
        let mut config = self.common(role);
        config
            .set("group.id", group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", "32768");
        config
    }

    /// The consumer of a [`crate::KafkaSession`].
    pub(crate) fn group_consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.consumer(group, group);
        config
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(self.session_timeout))
            .set(
                "heartbeat.interval.ms",
                millis((self.session_timeout / 4).min(Duration::from_secs(3))),
            )
            .set("max.poll.interval.ms", millis(self.max_poll_interval))
            .set("statistics.interval.ms", "1000");
        config
    }

    /// The consumer of a [`crate::KafkaReader`]. It joins no group; librdkafka wants a name all the same, and asks for its
    /// coordinator.
    pub(crate) fn reading_consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.consumer("reader", group);
        // A fetch that waits at an end delays the next, of another place; the reader does not stay at ends.
        config
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            // As many of them as partitions are restored at once.
            .set("queued.max.messages.kbytes", "8192");
        config
    }

    /// The consumer that a [`crate::KafkaReader`] asks for the ends of partitions, undecided transactions included.
    pub(crate) fn asking_consumer(&self) -> ClientConfig {
        let mut config = self.common("reader");
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// The client that only asks: for topics, and to create them.
    pub(crate) fn admin(&self) -> ClientConfig {
        self.common("admin")
    }

    fn producer(&self, role: &str) -> ClientConfig {
        let mut config = self.common(role);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Below the message timeout, or a topic that is not there looks like a cluster that is away.
            .set("topic.metadata.propagation.max.ms", millis(self.message_timeout() / 3))
            .set("compression.type", "lz4")
            .set("linger.ms", millis(self.linger))
            .set("batch.size", self.batch_bytes.to_string())
            .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string());
        config
    }

    /// The producer of a [`crate::KafkaSession`].
    pub(crate) fn transactional_producer(&self, transactional_id: &str) -> ClientConfig {
        let mut config = self.producer(transactional_id);
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", millis(self.transaction_timeout))
            .set("message.timeout.ms", millis(self.message_timeout()));
        config
    }

    /// The producer of a [`crate::KafkaPublisher`].
    pub(crate) fn publishing_producer(&self) -> ClientConfig {
        let mut config = self.producer("publisher");
        config.set("message.timeout.ms", millis(self.message_timeout()));
        config
    }
}

impl Tls {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.ca_file.iter().chain(identity)
    }
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

fn is_address(text: &str) -> bool {
    text.trim()
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Whether it may be part of a topic's name.
fn is_topic_text(text: &str) -> bool {
    text.len() <= 100
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests;
