//! A process that is killed at any moment leaves whole writes, and loses none that it was told are done.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use common::{check, identity, open, shared, write};
use rocks::{Opened, RocksImage};
use state::{Image, ImageError};

const KILLS: u32 = 10;
const DIR: &str = "TIDEWATCH_TEST_WRITE_UNTIL_KILLED";
const REPORT: &str = "covers ";

#[test]
fn a_killed_process_leaves_whole_writes() {
    if let Some(dir) = own_variable(DIR) {
        write_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for kill in 0..KILLS {
        let (mut child, mut output) = start(dir.path());
        let mut line = String::new();
        while !line.contains(REPORT) {
            line.clear();
            assert_ne!(
                output.read_line(&mut line).unwrap(),
                0,
                "the child ended before its first write"
            );
        }
        let locked = RocksImage::open(&shared(), dir.path(), &identity());
        assert!(matches!(
            locked.map(|(_, opened)| opened),
            Err(ImageError::Unavailable(_))
        ));
        let wait = Duration::from_micros(u64::from(nanos()) % 150_000);
        sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap();
        let done = output
            .lines()
            .map_while(|line| line.unwrap().strip_prefix(REPORT)?.parse().ok())
            .last();

        let (image, opened) = open(dir.path());
        let covers = image.covers();
        let context = format!("kill {kill} after {wait:?}: covers {covers}, reported {done:?}, before {before}");
        assert_eq!(opened, Opened::Kept, "{context}");
        assert!(covers > before, "{context}");
        assert!(covers >= done.unwrap_or(before), "{context}");
        check(&image).expect(&context);
        before = covers;
    }
}

/// Runs this very test in a process that will only write.
fn start(dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_whole_writes", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn write_until_killed(dir: &Path) -> ! {
    let (mut image, _) = open(dir);
    let mut output = std::io::stdout();
    loop {
        write(&mut image).unwrap();
        writeln!(output, "{REPORT}{}", image.covers()).unwrap();
    }
}

fn nanos() -> u32 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos()
}

#[allow(
    clippy::disallowed_methods,
    reason = "not a setting: the test tells its own child what to do"
)]
fn own_variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
