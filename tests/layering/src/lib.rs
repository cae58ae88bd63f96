//! The table of layers and the tidy checks. This library only finds files; the checks are in `tests/`:
//!
//! - `layers.rs`: who may depend on whom, and on which crates of others;
//! - `bans.rs`: the clippy files that keep the pure crates pure;
//! - `supply.rs`: licences and sources of everything that is linked;
//! - `monitoring.rs`: metrics, the alerts that ask for them, and the runbook;
//! - `dashboards.rs`: what makes a dashboard whole;
//! - `tidy.rs`: what no compiler looks at.
//!
//! They see the working tree as git does: tracked files, and new ones that are not ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates of layers 0 to 3: no clock, randomness, threads, async, Kafka, files.
pub const PURE: [&str; 8] = [
    "event",
    "formats",
    "state",
    "ruleset",
    "broker",
    "detection",
    "alerting",
    "archive",
];

/// What images are built for; what is linked elsewhere may differ.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The folder of the workspace.
///
/// # Panics
/// If this crate is not in `tests/layering`.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("this crate is in tests/layering")
        .to_path_buf()
}

/// The paths of all files of the repository, relative to [`root`], sorted.
///
/// # Panics
/// If git cannot list them: these checks are about what a clone gets.
#[must_use]
pub fn files() -> Vec<String> {
    let listed = run(&["git", "ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut files: Vec<String> = listed
        .lines()
        .map(str::to_owned)
        .filter(|file| root().join(file).is_file())
        .collect();
    files.sort();
    files
}

/// The text of a file of the repository; bytes that are no UTF-8 are replaced.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn read(file: &str) -> String {
    let bytes = std::fs::read(root().join(file)).unwrap_or_else(|error| panic!("cannot read {file}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What `cargo metadata` prints for the platform that we build images for.
///
/// # Panics
/// If cargo fails, for one because `Cargo.lock` does not fit the manifests.
#[must_use]
pub fn cargo_metadata() -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    run(&[
        &cargo,
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        PLATFORM,
    ])
}

/// The C libraries that a crate links when it is built by itself, each with its version and features.
///
/// # Panics
/// If cargo fails.
#[must_use]
pub fn c_libraries(name: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = [
        &cargo,
        "tree",
        "--locked",
        "-p",
        name,
        "-e",
        "normal,build,dev",
        "--target",
        PLATFORM,
    ];
    let printed = run(&[&tree[..], &["--prefix", "none", "--format", "{p} [{f}]"]].concat());
    let lines = printed.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
    lines.filter(|line| line.contains("-sys v")).collect()
}

fn run(command: &[&str]) -> String {
    let output = Command::new(command[0])
        .args(&command[1..])
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", command[0]));
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("git and cargo print UTF-8")
}
