//! What the operator says of the doors.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use event::{DEFAULT_TENANT, canary, topic};
use formats::{Choice, FORMATS, Limits, Zone};
use secrecy::{ExposeSecret as _, SecretString};
use service::settings::{Key, Reader};

/// The settings of the doors.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The HTTP door.
    pub http: HttpSettings,
    /// Who may use it.
    pub api_keys: Vec<ApiKey>,
    /// The topics that the topic door reads.
    pub topics: Vec<TopicSettings>,
    /// Threads of the topic door. More than partitions are of no use.
    pub topic_workers: usize,
    /// The longest time from one commit of the topic door to the next, while there are records.
    pub commit_interval: Duration,
    /// After how long without a record a partition of `events.*` gets a heartbeat.
    pub heartbeat_interval: Duration,
    /// How often a canary is written; zero: never.
    pub canary_interval: Duration,
    /// How much of anything an entry may hold, at every door.
    pub limits: Limits,
}

/// The HTTP door.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The most bytes of a body, before and after decompression.
    pub body_bytes: usize,
    /// The most bytes of bodies that are read or being delivered at once. Beyond: 503. The memory this takes is a
    /// multiple, for an event holds its bytes and its fields.
    pub in_flight_bytes: usize,
    /// The most connections at once. Further ones wait to be accepted.
    pub connections: usize,
    /// How long a connection may take to send a request's headers, waiting for the request included.
    pub header_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a receipt is remembered, to answer the same body with it.
    pub receipt_window: Duration,
    /// The most bytes of receipts that are remembered. Beyond, the oldest are forgotten early.
    pub receipt_bytes: usize,
    /// How long a stop waits for requests under way.
    pub drain_timeout: Duration,
}

/// A key that admits to the HTTP door.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// What requests present.
    pub secret: SecretString,
    /// Whose events they bring.
    pub tenant: String,
}

/// A topic that the topic door reads.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// Its name: `raw`, or one of the operator's own.
    pub topic: String,
    /// How its records are read.
    pub format: Choice,
    /// Whose records they are.
    pub tenant: String,
    /// The program that wrote them, for formats that do not say.
    pub service: Option<String>,
    /// The zone of times written without one.
    pub zone: Zone,
}

/// The topics that a Tidewatch writes: reading one as input would feed it to itself.
const OURS: [&str; 12] = [
    topic::EVENTS_SECURITY,
    topic::EVENTS_AUDIT,
    topic::EVENTS_ACCESS,
    topic::FACTS,
    topic::CHANGELOG,
    topic::ALERTS,
    topic::RULES,
    topic::NOTIFICATIONS,
    topic::MANIFESTS,
    topic::DEAD_LETTERS,
    topic::LATE_FACTS,
    topic::UNDELIVERED,
];

/// What an operator may write as `api_keys`.
const API_KEYS: &str = "\
#web-shop:
  #secret_file: /run/secrets/web_shop_key
  #tenant: shop
";

/// What the canary is.
const CANARY: &str =
    "a synthetic attack that must become an alert, and tells nobody: the alert rule TidewatchCanaryMissing watches it";

/// What an operator may write as `topics`.
const TOPICS: &str = "\
#- topic: raw
#- topic: legacy.auth
  #format: sshd
  #tenant: shop
  #service: bastion               # for lines that do not name their program
  #zone: Europe/Berlin            # for times that name none
";

/// A key that can be guessed in a day is no key.
const KEY_CHARACTERS_MIN: usize = 16;

impl Default for IngestSettings {
    /// The defaults: `raw` in any format, and nobody may use the HTTP door.
    fn default() -> Self {
        Self {
            http: HttpSettings::default(),
            api_keys: Vec::new(),
            topics: vec![TopicSettings::new(topic::RAW)],
            topic_workers: 1,
            commit_interval: Duration::from_millis(100),
            heartbeat_interval: Duration::from_secs(1),
            canary_interval: Duration::from_mins(1),
            limits: Limits::default(),
        }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            body_bytes: 50 << 20,
            in_flight_bytes: 256 << 20,
            connections: 4096,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_mins(1),
            receipt_window: Duration::from_mins(10),
            receipt_bytes: 32 << 20,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl ApiKey {
    /// A key of a tenant.
    pub fn new(secret: impl Into<SecretString>, tenant: impl Into<String>) -> Self {
        Self {
            secret: secret.into(),
            tenant: tenant.into(),
        }
    }
}

impl TopicSettings {
    /// A topic with records of any format, in UTC, of the default tenant.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            format: Choice::Auto,
            tenant: DEFAULT_TENANT.to_owned(),
            service: None,
            zone: Zone::default(),
        }
    }
}

impl IngestSettings {
    /// Reads the section of the doors.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        let settings = Self {
            http: reader.section("http", "the HTTP door", HttpSettings::read),
            api_keys: read_api_keys(reader),
            topics: read_topics(reader),
            topic_workers: reader
                .integer(
                    "topic_workers",
                    "threads of the topic door; more than partitions are of no use",
                )
                .range(1..=256)
                .default(default.topic_workers),
            commit_interval: reader
                .duration("commit_interval", "how often the topic door commits")
                .range(Duration::from_millis(10)..=Duration::from_secs(5))
                .default(default.commit_interval),
            heartbeat_interval: reader
                .duration(
                    "heartbeat_interval",
                    "after how long a silent partition of events.* gets a record, so that watermarks move",
                )
                .range(Duration::from_millis(100)..=Duration::from_secs(5))
                .default(default.heartbeat_interval),
            canary_interval: reader.section("canary", CANARY, read_canary),
            limits: reader.section("limits", "what an entry may hold, at every door", read_limits),
        };
        let (body, in_flight) = (settings.http.body_bytes, settings.http.in_flight_bytes);
        if in_flight < body.saturating_mul(2) {
            let message = "in_flight_bytes is less than two bodies of body_bytes: large requests shut out all others";
            reader.warning("http", message);
        }
        settings
    }
}

impl HttpSettings {
    fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        Self {
            listen: reader
                .address("listen", "where producers send events")
                .default(default.listen),
            body_bytes: size(
                reader.bytes(
                    "body_bytes",
                    "the largest body, before and after decompression; a larger one is refused with 413",
                ),
                1 << 10..=1 << 30,
                default.body_bytes,
            ),
            in_flight_bytes: size(
                reader.bytes(
                    "in_flight_bytes",
                    "the most bytes of bodies under way at once; beyond it 503. Memory is a multiple of it",
                ),
                1 << 20..=1 << 40,
                default.in_flight_bytes,
            ),
            connections: reader
                .integer("connections", "the most connections at once; further ones wait")
                .range(1..=1_000_000)
                .default(default.connections),
            header_timeout: reader
                .duration(
                    "header_timeout",
                    "how long a connection may wait or take to send headers",
                )
                .range(second..=hour)
                .default(default.header_timeout),
            body_timeout: reader
                .duration("body_timeout", "how long a body may take to arrive")
                .range(second..=hour)
                .default(default.body_timeout),
            receipt_window: reader
                .duration(
                    "receipt_window",
                    "how long the same body is answered with its first receipt",
                )
                .range(second..=hour)
                .default(default.receipt_window),
            receipt_bytes: size(
                reader.bytes("receipt_bytes", "the most memory for receipts"),
                1 << 20..=1 << 32,
                default.receipt_bytes,
            ),
            drain_timeout: reader
                .duration("drain_timeout", "how long a stop waits for requests under way")
                .range(Duration::ZERO..=Duration::from_mins(5))
                .default(default.drain_timeout),
        }
    }
}

/// A size in memory.
fn size(key: Key<'_, '_, u64>, range: RangeInclusive<u64>, default: usize) -> usize {
    let bytes = key.range(range).default(default as u64);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn read_api_keys(reader: &mut Reader<'_>) -> Vec<ApiKey> {
    let purpose = "who may send to the HTTP door, by names of yours; without a key it refuses every request";
    let keys: Vec<ApiKey> = reader
        .named_sections("api_keys", purpose, API_KEYS, |_, reader| {
            let secret = reader
                .secret(
                    "secret",
                    "what requests present; at least 16 characters, or it can be guessed",
                )
                .required();
            let length = secret.expose_secret().chars().count();
            if (1..KEY_CHARACTERS_MIN).contains(&length) {
                let message = format!("shorter than {KEY_CHARACTERS_MIN} characters: it can be guessed");
                reader.warning("secret", message);
            }
            ApiKey {
                secret,
                tenant: read_tenant(reader),
            }
        })
        .into_values()
        .collect();
    let given = || {
        keys.iter()
            .map(|key| key.secret.expose_secret())
            .filter(|secret| !secret.is_empty())
    };
    if given().count() != given().collect::<BTreeSet<_>>().len() {
        reader.problem("api_keys", "two keys have the same secret");
    }
    if keys.is_empty() {
        reader.warning("api_keys", "there is none: the HTTP door refuses every request");
    }
    keys
}

fn read_canary(reader: &mut Reader<'_>) -> Duration {
    let sensible = |interval: &Duration| match interval.as_secs() {
        _ if interval.is_zero() => Ok(()),
        1..=3600 => Ok(()),
        _ => Err("must be from 1s to 1h, or 0s for none".to_owned()),
    };
    reader
        .duration("interval", "how often one is written, from 1s to 1h; 0s for none")
        .accept(sensible)
        .default(IngestSettings::default().canary_interval)
}

fn read_tenant(reader: &mut Reader<'_>) -> String {
    let short = |tenant: &String| match tenant.len() {
        0..=100 => Ok(()),
        _ => Err("must be at most 100 bytes".to_owned()),
    };
    // Rules do not tell small letters from large ones.
    let foreign = |tenant: &String| match tenant.eq_ignore_ascii_case(canary::TENANT) {
        false => Ok(()),
        true => Err("is the tenant of Tidewatch's own canaries".to_owned()),
    };
    reader
        .text("tenant", "whose events they are, whatever they say themselves")
        .accept(short)
        .accept(foreign)
        .default(DEFAULT_TENANT)
}

/// The topics that are written, or `raw` if none are.
fn read_topics(reader: &mut Reader<'_>) -> Vec<TopicSettings> {
    let mut names = BTreeSet::new();
    let mut repeated = None;
    let purpose = "what the topic door reads; without this list raw, in any format, of the tenant `default`";
    let topics = reader.section_list("topics", purpose, TOPICS, |reader| {
        let topic = read_topic(reader);
        if !topic.topic.is_empty() && !names.insert(topic.topic.clone()) {
            repeated = Some(topic.topic.clone());
        }
        topic
    });
    if let Some(topic) = repeated {
        reader.problem("topics", format!("{topic} is named twice"));
    }
    if topics.is_empty() {
        vec![TopicSettings::new(topic::RAW)]
    } else {
        topics
    }
}

fn read_topic(reader: &mut Reader<'_>) -> TopicSettings {
    let foreign = |name: &String| match OURS.contains(&name.as_str()) {
        false => Ok(()),
        true => Err("is written by Tidewatch itself".to_owned()),
    };
    let zone = |name: &String| name.parse::<Zone>().map(drop).map_err(|error| error.to_string());
    let name = reader.text("topic", "raw, or a topic of yours by its whole name");
    let topic = name.accept(foreign).example("nginx.access").required();
    let formats = FORMATS.iter().map(|format| format.name());
    let formats: Vec<&str> = [Choice::Auto.name()].into_iter().chain(formats).collect();
    let read_as = reader.text("format", "how records are read; auto looks at each");
    let read_as = read_as.one_of(&formats).default(Choice::Auto.name());
    let times = reader.text("zone", "the time zone of times that name none");
    let times = times.accept(zone).example("Europe/Berlin").default("UTC");
    TopicSettings {
        topic,
        // What cannot be read has been reported above, and such settings are never handed out.
        format: read_as.parse().unwrap_or_default(),
        tenant: read_tenant(reader),
        service: reader
            .text("service", "the program that wrote lines that do not name one")
            .example("nginx")
            .optional(),
        zone: times.parse().unwrap_or_default(),
    }
}

/// The limits an operator may move; the others protect the process from its input and are not to be argued with.
fn read_limits(reader: &mut Reader<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        entries: reader
            .integer("entries", "the most entries of one body")
            .range(1..=1_000_000)
            .default(default.entries),
        record: size(
            reader.bytes("record_bytes", "the largest entry; a larger one is a dead letter"),
            1 << 10..=1 << 20,
            default.record,
        ),
        ..default
    }
}

#[cfg(test)]
mod tests;
