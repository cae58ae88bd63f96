//! `tidewatch rules`.

mod check;
mod difference;
mod explain;
mod files;
mod play;
mod test;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use service::Exit;

use crate::output::{complain, print};
pub(crate) use files::load;

/// Reads, checks and tests rule files.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Reads rule files and names every mistake in them, and what is likely one.
    Check(check::CheckArgs),
    /// Runs the tests inside rule files through the detector.
    Test(test::TestArgs),
    /// Says why a rule fires on the events of a file, or does not: what each condition says, and what is held for each key.
    Explain(explain::ExplainArgs),
    /// Prints the JSON Schema of rule files, for editors.
    Schema,
}

/// Runs `tidewatch rules …`.
pub(crate) fn run(command: &RulesCommand) -> Result<Exit> {
    match command {
        RulesCommand::Check(args) => check::run(args),
        RulesCommand::Test(args) => test::run(args),
        RulesCommand::Explain(args) => explain::run(args),
        RulesCommand::Schema => {
            print(&format!("{:#}\n", ruleset::schema()));
            Ok(Exit::Ok)
        }
    }
}

/// The rules of these paths, or the exit code after it was said why there are none.
fn load_or_complain(paths: &[PathBuf]) -> Result<ruleset::RuleSet, Exit> {
    load(paths).map(|loaded| loaded.rule_set).map_err(|error| {
        complain(&error);
        Exit::Configuration
    })
}
