use std::sync::Arc;

use archive::{ObjectStore, StoreError};
use archiver::{Archiver, Error, topics};
use event::topic;
use kafka::KafkaSession;
use objects::{Directory, S3};
use service::settings::Reader;
use service::{Context, Failure};

use super::keep_running;
use super::observer::Watch;
use crate::config::{self, ArchiverSettings, LogSettings, StoreSettings};

/// The consumer group of the archiver.
const GROUP: &str = "archiver";

pub(super) fn read(root: &mut Reader<'_>) -> (LogSettings, ArchiverSettings) {
    config::only(root, "archiver");
    (config::log(root), config::archiver(root))
}

pub(super) fn start((log, settings): (LogSettings, ArchiverSettings), context: Context) -> Result<(), Failure> {
    match &settings.store {
        StoreSettings::S3(store) => run(&log, &settings.archiver, &context, || S3::new(store.clone())),
        StoreSettings::Directory(root) => run(&log, &settings.archiver, &context, || Directory::open(root)),
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
        let session = KafkaSession::connect(
            &log.kafka,
            GROUP,
            &log.instance,
            &topics(),
            topic::CHANGELOG,
            watch.clone(),
        )?;
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
