//! The microservices, each wired to Kafka, the state on disk and the archive.

mod alerter;
mod archiver;
mod canary;
mod detector;
mod ingest;
mod observer;

use std::path::PathBuf;
use std::time::Duration;

use ::broker::Error;
use ::service::health::Readiness;
use ::service::settings::Sources;
use ::service::{Boot, Context, Exit, Failure, Stop};
use clap::ValueEnum;

/// The wait before a worker that gave up is built anew.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);

/// A service of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    Ingest,
    Detector,
    Alerter,
    Archiver,
}

impl Service {
    pub(crate) const ALL: [Self; 4] = [Self::Ingest, Self::Detector, Self::Alerter, Self::Archiver];

    /// Its subcommand, its section of the configuration, and what its logs and metrics call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Detector => "detector",
            Self::Alerter => "alerter",
            Self::Archiver => "archiver",
        }
    }
}

/// Runs a service until it is asked to stop.
pub(crate) fn run(service: Service, config: Option<PathBuf>) -> Exit {
    let boot = Boot {
        service: service.name(),
        version: env!("CARGO_PKG_VERSION"),
        sources: Sources::of_process(config),
        routes: axum::Router::new(),
    };
    match service {
        Service::Ingest => ::service::run(boot, ingest::read, ingest::start),
        Service::Detector => ::service::run(boot, detector::read, detector::start),
        Service::Alerter => ::service::run(boot, alerter::read, alerter::start),
        Service::Archiver => ::service::run(boot, archiver::read, archiver::start),
    }
}

/// Runs a worker until a stop is requested, and builds it anew whenever it gave up for a reason that may pass: the one
/// path of recovery.
fn keep_running(stop: &Stop, readiness: &Readiness, work: impl FnMut() -> Result<(), Error>) -> Result<(), Failure> {
    let mut work = work;
    loop {
        match work() {
            Ok(()) => return Ok(()),
            Err(error @ (Error::Unavailable(_) | Error::Aborted(_) | Error::Overloaded(_))) => {
                tracing::warn!(%error, "the worker is built anew");
                readiness.not_ready(error.to_string());
            }
            Err(error @ (Error::Fenced(_) | Error::Misconfigured(_) | Error::Refused(_))) => {
                return Err(failure(error));
            }
        }
        if stop.wait_timeout(REBUILD_PAUSE) {
            return Ok(());
        }
    }
}

/// An error of the log, with the exit code that says what to do about it.
fn failure(error: Error) -> Failure {
    match error {
        Error::Fenced(_) => Failure::fenced(error),
        Error::Misconfigured(_) | Error::Refused(_) => Failure::misconfigured(error),
        Error::Unavailable(_) | Error::Aborted(_) | Error::Overloaded(_) => error.into(),
    }
}

/// A named thread that ends the process if its work fails.
fn worker(
    name: String,
    context: &Context,
    work: impl FnOnce() -> Result<(), Failure> + Send + 'static,
) -> Result<std::thread::JoinHandle<Result<(), Failure>>, Failure> {
    let stop = context.stop.clone();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let done = work();
        // One worker that cannot go on ends all: a half-working service looks well and is not.
        stop.request();
        done
    })?;
    Ok(thread)
}

/// Waits for all threads; the first failure is the one that is told.
fn join(threads: Vec<std::thread::JoinHandle<Result<(), Failure>>>) -> Result<(), Failure> {
    let mut result = Ok(());
    for thread in threads {
        let done = thread
            .join()
            .unwrap_or_else(|_| Err(anyhow::anyhow!("a worker panicked").into()));
        result = result.and(done);
    }
    result
}
