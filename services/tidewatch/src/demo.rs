//! `tidewatch demo`: all of Tidewatch in one process. Logs are replayed through the four services, and nothing is left
//! behind but the archive.

mod clock;
mod console;
mod pipeline;
mod replay;
mod sample;
mod summary;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::io::{self, IsTerminal as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use clock::Clock;
use console::Console;
use event::{DEFAULT_TENANT, position_id, topic};
use formats::Choice;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::ApiKey;
use pipeline::{Parts, Pipeline};
use replay::{Log, Replay};
use service::health::{Endpoint, Health};
use service::metrics::Metrics;
use service::telemetry::{self, LogFormat, LogOutput, LogSettings};
use service::{Exit, Stop, signals};
use summary::{Replayed, Summary};

use crate::lines;
use crate::output::{complain, say};
use crate::rules;

/// How often a demo that waits for events looks whether its services still run.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Replays attacks through all four services in one process: nothing to install.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// A log of yours instead of the sample; `-` is standard input; `.gz` is unpacked.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The format of its lines: a format's name, or `auto` to tell by their content.
    #[arg(long, default_value = "auto", requires = "input")]
    format: Choice,
    /// The year of its times, if they are written without one.
    #[arg(long, requires = "input")]
    year: Option<i16>,
    /// A rule file or a directory of them, instead of the guide's rules.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// Where the archive is written: a directory that is empty, or not there yet. [default: a new temporary one]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Keep the HTTP door open after the replay, here. [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:8080")]
    listen: Option<SocketAddr>,
    /// Where metrics and health are served; port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    metrics: SocketAddr,
    /// No colours, whatever the terminal can do.
    #[arg(long, env = "NO_COLOR", value_parser = FalseyValueParser::new())]
    no_color: bool,
}

/// Runs the demo.
pub(crate) fn run(args: DemoArgs) -> Result<Exit> {
    let paths: Vec<PathBuf> = args.rules.iter().cloned().collect();
    let rules = match rules::load(&paths) {
        Ok(loaded) => loaded.rule_set,
        Err(error) => {
            complain(&error);
            return Ok(Exit::Configuration);
        }
    };
    let logging = LogSettings {
        format: LogFormat::Text,
        level: "error".to_owned(),
    };
    telemetry::start("demo", &logging, LogOutput::Stderr)?;
    let stop = Stop::new();
    signals::stop_on_signals(&stop)?;
    // Before the replay: a port that is taken is to be told at once.
    let door = args.listen.map(listen).transpose()?;
    let (logs, bytes) = logs(&args)?;
    let replay = Replay::new(logs)?;
    let archive = archive_directory(args.archive.as_deref())?;
    let console = Arc::new(Console::new(
        progress(bytes),
        !args.no_color && io::stdout().is_terminal(),
    ));
    let (metrics, health) = (Metrics::new(), Health::default());
    metrics.build_info("demo", env!("CARGO_PKG_VERSION"));
    let endpoint = service::health::serve(
        args.metrics,
        health.clone(),
        metrics.clone(),
        stop.clone(),
        axum::Router::new(),
    )
    .with_context(|| format!("cannot serve metrics and health on {}", args.metrics))?;
    let key = api_key();
    say(&format!(
        "Tidewatch: ingest, detector, alerter and archiver in one process; {} rules",
        rules.rules().len()
    ));
    let parts = Parts {
        rules,
        format: args.format,
        api_keys: vec![ApiKey::new(key.as_str(), DEFAULT_TENANT)],
        clock: Arc::new(Clock::new(replay.begins_at())),
        metrics: metrics.clone(),
        health,
        sink: {
            let console = console.clone();
            Box::new(move |alert| console.tell(alert))
        },
    };
    let demo = Demo {
        pipeline: Pipeline::start(parts, &archive)?,
        console,
        archive,
        metrics,
        endpoint,
        stop,
    };
    demo.run(replay, door, &key)
}

/// A demo that is set up.
struct Demo {
    pipeline: Pipeline,
    console: Arc<Console>,
    archive: PathBuf,
    metrics: Metrics,
    endpoint: Endpoint,
    stop: Stop,
}

impl Demo {
    fn run(self, replay: Replay, door: Option<TcpListener>, key: &str) -> Result<Exit> {
        let replayed = self.replay(replay)?;
        self.pipeline.settle()?;
        self.summary().print(&replayed)?;
        match door {
            Some(listener) => {
                self.listen(listener, key)?;
                self.pipeline.settle()?;
                self.summary().print(&replayed)?;
            }
            None => hint(&self.archive),
        }
        self.pipeline.stop()?;
        Ok(Exit::Ok)
    }

    /// Publishes all lines, a piece of time after the other.
    fn replay(&self, mut replay: Replay) -> Result<Replayed> {
        let begun = Instant::now();
        let mut replayed = Replayed::default();
        while !self.stop.requested() {
            let (entries, arrival) = replay.next_lines()?;
            if entries.is_empty() {
                break;
            }
            let mut lines = Vec::with_capacity(entries.len());
            for entry in entries {
                // An event without an id gets one from its place in the topic.
                let id = entry
                    .event_id
                    .unwrap_or_else(|| position_id(topic::RAW, 0, replayed.lines));
                if let Some(problem) = entry.problem {
                    replayed.problem(format!("{}: {problem}", entry.place));
                }
                self.console.locate(&id, entry.place);
                lines.push(entry.bytes);
                replayed.lines += 1;
            }
            let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
            self.pipeline.publish(lines, arrival)?;
            self.console.progressed(bytes as u64);
        }
        let unread = replay.unread().iter();
        unread.for_each(|line| replayed.problem(line.clone()));
        self.console.replayed();
        replayed.took = begun.elapsed();
        Ok(replayed)
    }

    /// Keeps the HTTP door open until somebody asks to stop.
    fn listen(&self, listener: TcpListener, key: &str) -> Result<()> {
        let address = listener.local_addr()?;
        let door = self.pipeline.listen(listener, &self.stop)?;
        say(&format!(
            "\nThe door is open at http://{address}. Eleven failed logins are one too many; paste this:\n"
        ));
        say(&curl(address, key));
        say("\nCtrl-C ends it.\n");
        while !self.stop.wait_timeout(CHECK_INTERVAL) {
            self.pipeline.check()?;
        }
        self.pipeline.close(door)
    }

    fn summary(&self) -> Summary<'_> {
        Summary {
            metrics: &self.metrics,
            console: &self.console,
            archive: &self.archive,
            endpoint: self.endpoint.address(),
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))
}

/// The directory of the archive. One that holds another log's records would be a conflict, so it must be empty.
fn archive_directory(given: Option<&Path>) -> Result<PathBuf> {
    let Some(path) = given else {
        let now = service::clock::now().as_millis();
        let path = std::env::temp_dir().join(format!("tidewatch-demo-{now}-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        return Ok(path);
    };
    let place = || path.display().to_string();
    fs::create_dir_all(path).with_context(place)?;
    if fs::read_dir(path).with_context(place)?.next().is_some() {
        bail!("{}: not empty; every demo begins an archive of its own", place());
    }
    Ok(path.to_owned())
}

/// What is replayed, and how many bytes that is, if it is known.
fn logs(args: &DemoArgs) -> Result<(Vec<Log>, Option<u64>)> {
    let Some(path) = &args.input else {
        let (logs, bytes) = sample::logs();
        return Ok((logs, Some(bytes)));
    };
    let name = path.display().to_string();
    let reader = lines::open(path).with_context(|| name.clone())?;
    let is_packed = path.extension().is_some_and(|extension| extension == "gz");
    let size = fs::metadata(path).ok().filter(|file| file.is_file() && !is_packed);
    let log = Log {
        name,
        reader,
        format: args.format,
        year: args.year,
    };
    Ok((vec![log], size.map(|file| file.len())))
}

/// A bar on standard error, or nothing where that is no terminal.
fn progress(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "replaying {wide_bar} {bytes}/{total_bytes}"),
        None => (ProgressBar::new_spinner(), "replaying {spinner} {bytes}"),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.expect("the templates above are ones"))
}

/// A key for as long as this process lives, from the random keys of the standard library's hash.
fn api_key() -> String {
    let random = RandomState::new();
    format!("demo-{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

fn curl(address: SocketAddr, key: &str) -> String {
    let body = concat!(
        r#"{"logs":[{"service":"security","level":"warn","message":"SECURITY: login_failed","metadata":"#,
        r#"{"security_event":"login_failed","severity":"medium","source_ip":"203.0.113.7","reason":"invalid_password"}}]}"#,
    );
    format!(
        "for i in $(seq 11); do curl -sS http://{address}/api/v1/ingest -H 'X-API-Key: {key}' \
         -H 'Content-Type: application/json' -d '{body}' -w '\\n'; done"
    )
}

fn hint(archive: &Path) {
    say("");
    say("tidewatch demo --listen                      the same, and then an alert by curl");
    say("tidewatch demo --input FILE --format sshd    your own log through all services");
    say("tidewatch scan FILE                          the rules over files, and nothing else");
    say(&format!(
        "zstd -dc {}/tier=alerts/*/*/*.zst    what is archived",
        archive.display()
    ));
}
