//! Kafka's own command line tools, as an operator runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where they are: to be put on the PATH of whoever runs commands as they are printed.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/dev/kafka/bin")
}

/// Runs the tool of this name against the brokers at `bootstrap`.
///
/// # Panics
/// If it cannot be started.
pub fn run(name: &str, bootstrap: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(directory().join(name));
    command.args(["--bootstrap-server", bootstrap]).args(arguments);
    command.output().expect("Java is there (deploy/dev/packages.sh kafka)")
}
