//! The topics we own: what each is, how to create them, and whether those that exist are right.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use broker::Error;
use event::topic;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::{ANSWER, Plain};
use crate::names::Names;
use crate::settings::MESSAGE_BYTES_MAX;
use crate::{KafkaReader, KafkaSettings, Unobserved, failure};

const DAY: Duration = Duration::from_hours(24);

/// One of our topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The name without the prefix.
    pub name: &'static str,
    /// How many partitions it has.
    pub partitions: Partitions,
    /// What becomes of old records.
    pub keeps: Keeps,
    /// Whether producers other than ours write to it.
    pub open: bool,
}

/// How many partitions a topic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// As many as the installation was made for: these carry the load, and those that belong together number the same.
    Scaled,
    /// A fixed number.
    Fixed(u32),
}

/// What becomes of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// They go after this time.
    For(Duration),
    /// The newest of each key stays; a removal is kept this long, for readers that were away.
    Newest(Duration),
}

/// The table. The changelog has as many partitions as the facts, the ledger as many as the alerts.
pub const TOPICS: [Topic; 13] = [
    Topic {
        open: true,
        ..scaled(topic::RAW, Keeps::For(DAY.saturating_mul(7)))
    },
    scaled(topic::EVENTS_SECURITY, Keeps::For(DAY.saturating_mul(7))),
    scaled(topic::EVENTS_AUDIT, Keeps::For(DAY.saturating_mul(7))),
    scaled(topic::EVENTS_ACCESS, Keeps::For(DAY.saturating_mul(7))),
    scaled(topic::FACTS, Keeps::For(DAY.saturating_mul(7))),
    scaled(topic::CHANGELOG, Keeps::Newest(DAY.saturating_mul(7))),
    scaled(topic::ALERTS, Keeps::For(DAY.saturating_mul(30))),
    single(topic::RULES, Keeps::Newest(DAY.saturating_mul(7))),
    scaled(topic::NOTIFICATIONS, Keeps::Newest(DAY.saturating_mul(7))),
    single(topic::MANIFESTS, Keeps::For(DAY.saturating_mul(30))),
    single(topic::DEAD_LETTERS, Keeps::For(DAY.saturating_mul(30))),
    single(topic::LATE_FACTS, Keeps::For(DAY.saturating_mul(30))),
    single(topic::UNDELIVERED, Keeps::For(DAY.saturating_mul(30))),
];

const fn scaled(name: &'static str, keeps: Keeps) -> Topic {
    Topic {
        name,
        partitions: Partitions::Scaled,
        keeps,
        open: false,
    }
}

const fn single(name: &'static str, keeps: Keeps) -> Topic {
    Topic {
        name,
        partitions: Partitions::Fixed(1),
        keeps,
        open: false,
    }
}

impl Topic {
    /// How many partitions it has in an installation made for `scale`.
    pub fn partition_count(&self, scale: u32) -> u32 {
        match self.partitions {
            Partitions::Scaled => scale,
            Partitions::Fixed(count) => count,
        }
    }

    /// The topic's configuration, where ours is not the broker's default.
    pub fn config(&self) -> BTreeMap<&'static str, String> {
        let mut config = BTreeMap::new();
        // The brokers' clock: a forged or broken one can neither be an arrival nor keep a segment for ever.
        config.insert("message.timestamp.type", "LogAppendTime".to_owned());
        config.insert("max.message.bytes", MESSAGE_BYTES_MAX.to_string());
        match self.keeps {
            Keeps::For(time) => {
                config.insert("cleanup.policy", "delete".to_owned());
                config.insert("retention.ms", time.as_millis().to_string());
            }
            Keeps::Newest(time) => {
                config.insert("cleanup.policy", "compact".to_owned());
                config.insert("delete.retention.ms", time.as_millis().to_string());
            }
        }
        if self.open {
            // Brokers unpack and pack again: a batch that unpacks to gigabytes does not reach our consumers.
            config.insert("compression.type", "lz4".to_owned());
        }
        config
    }
}

/// How long an existing topic keeps its records, by its own configuration and that of the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// They go after this time; `None`: time does not make them go.
    pub time: Option<Duration>,
    /// They go sooner, the oldest first, where a partition holds more bytes; `None`: size does not make them go.
    pub bytes: Option<u64>,
}

/// Something about an existing topic that is not as we would have made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{topic}: {what} is {found}, expected {expected}")]
pub struct Difference {
    /// The topic's full name.
    pub topic: String,
    /// `partitions`, `replicas`, or the name of a topic configuration.
    pub what: String,
    /// What it is.
    pub found: String,
    /// What it should be.
    pub expected: String,
}

/// Creates the topics that do not exist, in an installation of `scale` partitions, each on `replicas` brokers. Those that exist
/// are left as they are. Returns the full names of those created.
///
/// # Errors
/// [`Error::Misconfigured`] if the brokers refuse; [`Error::Unavailable`] if nobody answers.
pub fn create(settings: &KafkaSettings, scale: u32, replicas: u32) -> Result<Vec<String>, Error> {
    let admin = admin(settings)?;
    let names = Names::new(&settings.prefix);
    // One may fail without a write being refused, as long as there are enough of them.
    let in_sync = replicas.saturating_sub(1).max(1).to_string();
    let configs: Vec<_> = TOPICS.iter().map(Topic::config).collect();
    let new: Vec<_> = TOPICS
        .iter()
        .zip(&configs)
        .map(|(topic, config)| {
            let replication = TopicReplication::Fixed(i32::try_from(replicas).unwrap_or(i32::MAX));
            let partitions = crate::names::number(topic.partition_count(scale));
            let new = NewTopic::new(names.full(topic.name), partitions, replication);
            let new = new.set("min.insync.replicas", &in_sync);
            config.iter().fold(new, |new, (name, value)| new.set(name, value))
        })
        .collect();
    let results =
        wait(admin.create_topics(&new, &options())).map_err(|error| failure::of_question("create topics", &error))?;
    let mut created = Vec::new();
    for result in results {
        match result {
            Ok(name) => created.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(Error::Misconfigured(format!("{name}: {code}"))),
        }
    }
    await_leaders(&admin, &created)?;
    Ok(created)
}

/// What about the existing topics is not as [`create`] would make it.
///
/// # Errors
/// [`Error::Misconfigured`] if the brokers refuse; [`Error::Unavailable`] if nobody answers.
pub fn verify(settings: &KafkaSettings, scale: u32, replicas: u32) -> Result<Vec<Difference>, Error> {
    let admin = admin(settings)?;
    let names = Names::new(&settings.prefix);
    let mut found = Vec::new();
    let mut existing = Vec::new();
    for topic in &TOPICS {
        let full = names.full(topic.name);
        let wanted = [topic.partition_count(scale), replicas];
        let Some(layout) = layout(&admin, full)? else {
            found.push(difference(
                full,
                "partitions",
                "none: it does not exist".into(),
                wanted[0].to_string(),
            ));
            continue;
        };
        for (what, (is, wanted)) in ["partitions", "replicas"].iter().zip(layout.into_iter().zip(wanted)) {
            if is != wanted {
                found.push(difference(full, what, is.to_string(), wanted.to_string()));
            }
        }
        existing.push((full, topic));
    }
    if existing.is_empty() {
        return Ok(found);
    }
    let configs = describe(&admin, existing.iter().map(|(full, _)| *full))?;
    for ((full, topic), config) in existing.iter().zip(configs) {
        found.extend(differences(full, topic, &config));
    }
    Ok(found)
}

/// How long each of these topics keeps its records.
///
/// # Errors
/// [`Error::Misconfigured`] if there is no such topic, or we may not ask; [`Error::Unavailable`] if nobody answers.
pub fn retention(settings: &KafkaSettings, topics: &[&'static str]) -> Result<Vec<(&'static str, Retention)>, Error> {
    let names = Names::new(&settings.prefix);
    let configs = describe(&admin(settings)?, topics.iter().map(|topic| names.full(topic)))?;
    Ok(topics.iter().copied().zip(configs.iter().map(kept)).collect())
}

fn kept(config: &ConfigResource) -> Retention {
    // -1 is without limit, and so is any other number below zero. Without `delete` no record goes for its age.
    let limit = |name: &str| value(config, name).parse::<u64>().ok();
    let is_deleted = value(config, "cleanup.policy")
        .split(',')
        .any(|policy| policy.trim() == "delete");
    Retention {
        time: limit("retention.ms").filter(|_| is_deleted).map(Duration::from_millis),
        bytes: limit("retention.bytes").filter(|_| is_deleted),
    }
}

/// The configurations of topics, in their order.
fn describe<'a>(
    admin: &AdminClient<Plain>,
    topics: impl Iterator<Item = &'a str> + Clone,
) -> Result<Vec<ConfigResource>, Error> {
    let resources: Vec<_> = topics.clone().map(ResourceSpecifier::Topic).collect();
    let told = wait(admin.describe_configs(&resources, &options()));
    let told = told.map_err(|error| failure::of_question("describe topics", &error))?;
    let mut told: BTreeMap<String, ConfigResource> = told.into_iter().flatten().filter_map(named).collect();
    let configs = topics.map(|full| {
        // The client keeps what the brokers said against it to itself, and gives a configuration without an entry.
        let config = told.remove(full).filter(|config| !config.entries.is_empty());
        config.ok_or_else(|| {
            let reason =
                "its configuration is not told: there is no such topic, or no right to describe its configuration";
            Error::Misconfigured(format!("{full}: {reason}"))
        })
    });
    configs.collect()
}

fn named(config: ConfigResource) -> Option<(String, ConfigResource)> {
    match &config.specifier {
        OwnedResourceSpecifier::Topic(name) => Some((name.clone(), config)),
        OwnedResourceSpecifier::Group(_) | OwnedResourceSpecifier::Broker(_) => None,
    }
}

fn value(config: &ConfigResource, name: &str) -> String {
    let entry = config.get(name);
    entry.and_then(|entry| entry.value.clone()).unwrap_or_default()
}

fn differences(full: &str, topic: &Topic, config: &ConfigResource) -> Vec<Difference> {
    let is = |name: &str| value(config, name);
    let wanted = topic.config().into_iter().filter(|(name, value)| is(name) != *value);
    wanted
        .map(|(name, value)| difference(full, name, is(name), value))
        .collect()
}

fn difference(topic: &str, what: &str, found: String, expected: String) -> Difference {
    Difference {
        topic: topic.to_owned(),
        what: what.to_owned(),
        found,
        expected,
    }
}

fn admin(settings: &KafkaSettings) -> Result<AdminClient<Plain>, Error> {
    // Nobody can poll an admin client, so it would not say why no broker lets it in.
    KafkaReader::connect(settings, Arc::new(Unobserved))?.cluster_id()?;
    settings
        .admin()
        .create_with_context(Plain::new(Arc::new(Unobserved)))
        .map_err(|error| Error::Misconfigured(format!("admin: {error}")))
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER))
}

/// Partitions and replicas of a topic, if it exists.
fn layout(admin: &AdminClient<Plain>, full: &str) -> Result<Option<[u32; 2]>, Error> {
    let question = |error: KafkaError| failure::of_question(full, &error);
    let metadata = admin.inner().fetch_metadata(Some(full), ANSWER).map_err(question)?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == full) else {
        return Ok(None);
    };
    match topic.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(None),
        Some(code) => return Err(question(KafkaError::MetadataFetch(code))),
    }
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let replicas = topic
        .partitions()
        .iter()
        .map(|partition| partition.replicas().len())
        .min()
        .unwrap_or(0);
    Ok(Some([count(topic.partitions().len()), count(replicas)]))
}

/// A topic is created before its partitions have leaders; a client that asks too early waits for long.
fn await_leaders(admin: &AdminClient<Plain>, created: &[String]) -> Result<(), Error> {
    for full in created {
        for _ in 0..100 {
            let metadata = admin.inner().fetch_metadata(Some(full), ANSWER);
            let metadata = metadata.map_err(|error| failure::of_question(full, &error))?;
            let led = |topic: &rdkafka::metadata::MetadataTopic| {
                topic.name() == full && topic.error().is_none() && topic.partitions().iter().all(|it| it.leader() >= 0)
            };
            if metadata.topics().iter().any(led) {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// Waits for a future of the admin client, which has a thread of its own: no runtime is needed, and none is in the way.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> &'static Topic {
        TOPICS
            .iter()
            .find(|topic| topic.name == name)
            .expect("it is in the table")
    }

    #[test]
    fn topics_that_belong_together_have_as_many_partitions() {
        for (one, other) in [(topic::FACTS, topic::CHANGELOG), (topic::ALERTS, topic::NOTIFICATIONS)] {
            assert_eq!(find(one).partition_count(7), find(other).partition_count(7));
        }
    }

    #[test]
    fn arrival_is_the_brokers_and_state_is_compacted() {
        for name in topic::EVENTS {
            assert_eq!(find(name).config()["message.timestamp.type"], "LogAppendTime");
        }
        for name in [topic::CHANGELOG, topic::RULES, topic::NOTIFICATIONS] {
            assert_eq!(find(name).config()["cleanup.policy"], "compact");
            assert!(!find(name).config().contains_key("retention.ms"));
        }
    }

    #[test]
    fn a_future_that_is_woken_from_another_thread_is_waited_for() {
        let mut asked = 0;
        let value = wait(std::future::poll_fn(|context| {
            asked += 1;
            if asked == 3 {
                return Poll::Ready(asked);
            }
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        }));
        assert_eq!(value, 3);
    }
}
