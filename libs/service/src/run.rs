//! The boot order, in one place for every service.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;

use crate::exit::{Exit, Failure};
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::settings::{self, Loaded, Problem, Problems, Reader, Sources, Tree};
use crate::signals::{self, Watchdog};
use crate::stop::Stop;
use crate::telemetry::{self, LogOutput, LogSettings};

/// What is to be started.
pub struct Boot {
    /// The name of the service, as in `ingest`.
    pub service: &'static str,
    /// The version of the program.
    pub version: &'static str,
    /// Where its configuration is.
    pub sources: Sources,
    /// What it serves beside `/metrics`, `/healthz` and `/readyz`.
    pub routes: Router,
}

/// What a service is given to run with.
pub struct Context {
    /// Where it counts.
    pub metrics: Metrics,
    /// Where it says how it is; it becomes ready when all the parts it registers are.
    pub health: Health,
    /// When it must end. It may request the stop itself.
    pub stop: Stop,
    /// Where its metrics and its health are served.
    pub address: SocketAddr,
}

/// The settings that every process has.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    /// Where metrics and health are served.
    pub listen: SocketAddr,
    /// What is logged, and how.
    pub log: LogSettings,
    /// How long a stop may take until the process is ended.
    pub stop_timeout: Duration,
}

impl ProcessSettings {
    /// Reads the sections `telemetry` and `process`; the reader is that of the whole file.
    pub fn read(root: &mut Reader<'_>) -> Self {
        let (listen, log) = root.section("telemetry", "metrics, health and logs", |reader| {
            let listen = reader
                .address("listen", "where /metrics, /healthz and /readyz are served")
                .default(([0, 0, 0, 0], 9090));
            (listen, LogSettings::read(reader))
        });
        let stop_timeout = root.section("process", "the process itself", |reader| {
            reader
                .duration(
                    "stop_timeout",
                    "how long a stop may take until the process ends itself; less than the patience of what supervises it",
                )
                .range(Duration::from_secs(1)..=Duration::from_mins(10))
                .default(Duration::from_secs(25))
        });
        Self {
            listen,
            log,
            stop_timeout,
        }
    }
}

/// Runs a service from its first line to its exit code:
///
/// 1. read the settings; a mistake ends it here, all of them listed on standard error
/// 2. start logs, panics included
/// 3. take over the signals, and watch that a stop comes to its end
/// 4. serve metrics and health: not ready yet, but there
/// 5. `start` the service, which returns when it has stopped
/// 6. say how it ended
///
/// `read` names every section of the file that the service knows, but for those of
/// [`ProcessSettings`]. The caller ends the process with what is returned, without delay: the stop
/// timeout runs on.
pub fn run<S>(
    boot: Boot,
    read: impl FnOnce(&mut Reader<'_>) -> S,
    start: impl FnOnce(S, Context) -> Result<(), Failure>,
) -> Exit {
    let loaded = Tree::load(&boot.sources)
        .and_then(|tree| settings::read(&tree, |root| (ProcessSettings::read(root), read(root))));
    let Loaded {
        settings: (process, settings),
        warnings,
        ..
    } = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    if let Err(error) = telemetry::start(boot.service, &process.log, LogOutput::Stdout) {
        complain(&format!("cannot start logging: {error:#}"));
        return Exit::Failure;
    }
    let stop = Stop::new();
    let watchdog = match Watchdog::start(&stop, process.stop_timeout) {
        Ok(watchdog) => watchdog,
        Err(error) => return report(Err(error.into())),
    };
    let result = run_settled(boot, &process, &warnings, &stop, |context| start(settings, context));
    let exit = report(result);
    watchdog.ended(exit);
    stop.request();
    exit
}

/// Steps 3 to 5, once there are settings and logs.
fn run_settled(
    boot: Boot,
    process: &ProcessSettings,
    warnings: &[Problem],
    stop: &Stop,
    start: impl FnOnce(Context) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for warning in warnings {
        tracing::warn!(%warning, "the configuration is unwise");
    }
    signals::stop_on_signals(stop).context("cannot take over the signals")?;
    let metrics = Metrics::new();
    metrics.build_info(boot.service, boot.version);
    let health = Health::default();
    let endpoint = health::serve(
        process.listen,
        health.clone(),
        metrics.clone(),
        stop.clone(),
        boot.routes,
    )
    .with_context(|| format!("cannot serve metrics and health on {}", process.listen))?;
    let address = endpoint.address();
    tracing::info!(version = boot.version, %address, "started");
    start(Context {
        metrics,
        health,
        stop: stop.clone(),
        address,
    })
}

fn report(result: Result<(), Failure>) -> Exit {
    match result {
        Ok(()) => {
            tracing::info!("stopped");
            Exit::Ok
        }
        Err(Failure { exit, error }) => {
            let error: &(dyn std::error::Error + 'static) = error.as_ref();
            tracing::error!(error, exit = exit.code(), "ended by an error");
            exit
        }
    }
}

fn refuse(problems: &Problems) -> Exit {
    complain(&problems.to_string());
    Exit::Configuration
}

/// Before there are logs, people are told on standard error.
fn complain(text: &str) {
    // There is nobody left to tell that telling failed.
    writeln!(io::stderr(), "{text}").ok();
}
