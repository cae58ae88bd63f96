//! Real logs that nobody here wrote, through the binary as a user runs it.
//!
//! The data lie beside the repository, not in it. Where they are missing a test says "skipped" and passes.

#![allow(clippy::print_stdout, reason = "a test that is skipped must say so")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use serde_json::Value;

pub mod panther;

/// A file of the shared data, or `None`, said aloud, where it is missing. They lie in the folder that
/// `TIDEWATCH_SHARED_DATA` names, else beside the repository.
pub fn data(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TIDEWATCH_SHARED_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped, data not present: {name}");
        return None;
    }
    Some(path)
}

/// The values of a file with one in each line, packed with gzip. `None` where it is missing.
///
/// # Panics
/// If it cannot be read.
pub fn json_lines(name: &str) -> Option<Vec<Value>> {
    let file = File::open(data(name)?).expect("a file that is there can be opened");
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let value = |line: std::io::Result<String>| {
        let line = line.expect("the file is whole");
        serde_json::from_str(&line).expect("each line is JSON")
    };
    Some(lines.map(value).collect())
}

/// Runs `tidewatch` with these arguments: the binary that `TIDEWATCH_BIN` names, or the one built beside this test.
pub fn tidewatch(arguments: &[&str]) -> Output {
    let beside = || {
        let test = std::env::current_exe().expect("a running program has a path");
        test.parent()
            .and_then(Path::parent)
            .expect("tests lie in target/debug/deps")
            .join("tidewatch")
    };
    let binary = std::env::var_os("TIDEWATCH_BIN").map_or_else(beside, PathBuf::from);
    let run = Command::new(&binary).args(arguments).output();
    run.unwrap_or_else(|error| panic!("{} cannot be run ({error}): cargo build -p tidewatch", binary.display()))
}
