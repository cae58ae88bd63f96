//! `tidewatch`: a subcommand per service and per tool; all wiring is here.

mod archive;
mod arrival;
mod config;
mod demo;
mod health;
mod help;
mod lines;
mod man;
mod offline;
mod output;
mod rules;
mod sample;
mod scan;
mod services;
mod topics;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{FromArgMatches as _, Parser, Subcommand};
use service::Exit;
use services::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Security monitoring as a stream processor.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The configuration file; variables (`TIDEWATCH_KAFKA__BROKERS`) go before what it says.
    #[arg(long, global = true, env = "TIDEWATCH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes events in, over HTTP and from topics.
    ///
    /// It reads the sections `telemetry`, `process`, `kafka` and `ingest` of the configuration.
    Ingest,
    /// Evaluates rules.
    ///
    /// It reads the sections `telemetry`, `process`, `kafka` and `detector` of the configuration.
    Detector,
    /// Tells people.
    ///
    /// It reads the sections `telemetry`, `process`, `kafka` and `alerter` of the configuration.
    Alerter,
    /// Writes everything to the archive.
    ///
    /// It reads the sections `telemetry`, `process`, `kafka` and `archiver` of the configuration.
    Archiver,
    Demo(demo::DemoArgs),
    Scan(scan::ScanArgs),
    Sample(sample::SampleArgs),
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    Health(health::HealthArgs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Completions(man::CompletionsArgs),
    Man(man::ManArgs),
}

fn main() -> ExitCode {
    let given = help::command().try_get_matches();
    let cli = match given.and_then(|given| Cli::from_arg_matches(&given)) {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let done = run(cli.command, cli.config);
    let exit = done.unwrap_or_else(|error| {
        output::complain(&format!("{error:#}"));
        Exit::Failure
    });
    exit.into()
}

fn run(command: Command, config: Option<PathBuf>) -> Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Scan(args) => scan::run(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Topics(command) => topics::run(command, config),
        Command::Archive(command) => archive::run(command, config),
        Command::Health(args) => health::run(&args, config),
        Command::Sample(args) => sample::run(&args, config),
        Command::Config(command) => config::run(command, config),
        Command::Completions(args) => Ok(man::completions(&args)),
        Command::Man(args) => man::run(&args),
        Command::Ingest => Ok(services::run(Service::Ingest, config)),
        Command::Detector => Ok(services::run(Service::Detector, config)),
        Command::Alerter => Ok(services::run(Service::Alerter, config)),
        Command::Archiver => Ok(services::run(Service::Archiver, config)),
    }
}
