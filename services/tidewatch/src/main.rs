//! `tidewatch`: a subcommand per service and per tool; all wiring is here.

mod offline;
mod output;
mod rules;
mod scan;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use service::Exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Security monitoring as a stream processor.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::ScanArgs),
    #[command(subcommand)]
    Rules(rules::RulesCommand),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let done = run(cli.command);
    let exit = done.unwrap_or_else(|error| {
        output::complain(&format!("{error:#}"));
        Exit::Failure
    });
    exit.into()
}

fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Scan(args) => scan::run(&args),
        Command::Rules(command) => rules::run(command),
    }
}
