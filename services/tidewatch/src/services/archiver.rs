use std::sync::Arc;
use std::time::Duration;

use archive::{ObjectStore, StoreError};
use archiver::{Archiver, Error, TopicRetention, topics};
use broker::Reader as _;
use event::topic;
use kafka::topics::{Retention, retention};
use kafka::{KafkaSession, KafkaSettings};
use objects::{Directory, S3};
use service::settings::Reader;
use service::{Context, Failure, Stop};

use super::observer::Watch;
use super::{join, keep_running, worker};
use crate::config::{self, ArchiverSettings, LogSettings, StoreSettings};

/// The consumer group of the archiver.
const GROUP: &str = "archiver";

/// How often the brokers are asked how long they keep what is to be archived: an operator may change it.
const RETENTION_INTERVAL: Duration = Duration::from_mins(5);

pub(super) fn read(root: &mut Reader<'_>) -> (LogSettings, ArchiverSettings) {
    config::only(root, "archiver");
    (config::log(root), config::archiver(root))
}

pub(super) fn start((log, settings): (LogSettings, ArchiverSettings), context: Context) -> Result<(), Failure> {
    let shown = TopicRetention::new(&context.metrics);
    let (kafka, stop) = (log.kafka.clone(), context.stop.clone());
    let watch = move || {
        watch_retention(&kafka, &shown, &stop);
        Ok(())
    };
    let watching = worker("topic-retention".to_owned(), &context, watch)?;
    let archived = match &settings.store {
        StoreSettings::S3(store) => run(&log, &settings.archiver, &context, || S3::new(store.clone())),
        StoreSettings::Directory(root) => run(&log, &settings.archiver, &context, || Directory::open(root)),
    };
    context.stop.request();
    archived.and(join(vec![watching]))
}

/// Shows how long the topics keep their records. Whoever may not ask archives all the same.
fn watch_retention(kafka: &KafkaSettings, shown: &TopicRetention, stop: &Stop) {
    let mut told = Ok(Vec::new());
    loop {
        let answer = retention(kafka, &topics());
        if answer != told {
            report(&answer);
        }
        for (topic, Retention { time, .. }) in answer.iter().flatten() {
            shown.set(topic, *time);
        }
        told = answer;
        if stop.wait_timeout(RETENTION_INTERVAL) {
            return;
        }
    }
}

/// Once for each answer that is another than the one before.
fn report(answer: &Result<Vec<(&str, Retention)>, broker::Error>) {
    match answer {
        Ok(topics) => {
            for (topic, Retention { bytes, .. }) in topics {
                if let Some(bytes) = bytes {
                    tracing::warn!(
                        topic,
                        bytes,
                        "the topic forgets by size too, and maybe sooner than it is archived"
                    );
                }
            }
        }
        Err(error) => tracing::warn!(%error, "it is not known how long the brokers keep what is to be archived"),
    }
}

fn run<O: ObjectStore>(
    log: &LogSettings,
    settings: &archiver::Settings,
    context: &Context,
    open: impl Fn() -> Result<O, StoreError>,
) -> Result<(), Failure> {
    let readiness = context.health.readiness("log");
    let watch = Arc::new(Watch::new(&context.metrics, readiness.clone()));
    keep_running(&context.stop, &readiness, || {
        let store = open().map_err(store_failed)?;
        let mut session = KafkaSession::connect(
            &log.kafka,
            GROUP,
            &log.instance,
            &topics(),
            topic::CHANGELOG,
            watch.clone(),
        )?;
        // Before anything is archived whose manifest could not be told.
        session.partition_count(topic::MANIFESTS)?;
        let archive = context.health.readiness("archive");
        let now = Box::new(service::clock::now);
        let mut archiver = Archiver::new(session, store, settings.clone(), now, &context.metrics, archive);
        archiver.run(|| context.stop.requested()).map_err(|error| match error {
            Error::Log(error) => error,
            Error::Store(error) => store_failed(error),
        })
    })
}

/// By what is to be done, as the errors of the log say it.
fn store_failed(error: StoreError) -> broker::Error {
    match error {
        StoreError::Retry(reason) => broker::Error::Unavailable(format!("archive: {reason}")),
        StoreError::Misconfigured(reason) => broker::Error::Misconfigured(format!("archive: {reason}")),
    }
}
