//! A service as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::log::PATIENCE;
use crate::web::Web;

/// The longest a service may take to stop, its own watchdog included.
pub const STOP_MAX: Duration = Duration::from_secs(30);

/// How much of a log is shown when a test fails.
const LINES_SHOWN: usize = 40;

/// How often something that is waited for is looked at.
const LOOKING: Duration = Duration::from_millis(10);

/// A running service. Killed when it is dropped; its last lines are printed if the test is failing.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    web: Arc<Web>,
}

/// The program under test.
///
/// # Panics
/// If it is not built.
pub fn program() -> PathBuf {
    let beside_tests = || {
        let test = std::env::current_exe().expect("a test is a file");
        let target = test.parent().and_then(Path::parent).expect("target/debug/deps/test");
        target.join("tidewatch")
    };
    let path = std::env::var_os("TIDEWATCH_BIN").map_or_else(beside_tests, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there: `cargo build -p tidewatch`, or set TIDEWATCH_BIN",
        path.display()
    );
    path
}

/// The program, without the variables that configure a Tidewatch from outside.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDEWATCH_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Waits until `find` finds something.
///
/// # Panics
/// If it does not within `patience`.
pub fn wait_for<T>(what: &str, patience: Duration, mut find: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(started.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(LOOKING);
    }
}

impl Process {
    /// Starts `tidewatch SERVICE` with this configuration. Lines are appended to `log`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: &str, service: &str, config: &Path, log: &Path, web: &Arc<Web>) -> Self {
        let config = config.to_str().expect("a path in text");
        // What an earlier process of this name wrote must not be taken for the words of this one.
        let file = File::create(log).expect("a log file");
        let child = command(&["--config", config, service])
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn();
        Self {
            name: name.to_owned(),
            child: child.expect("the program starts"),
            log: log.to_owned(),
            web: web.clone(),
        }
    }

    /// The address in the first log line with this message.
    ///
    /// # Panics
    /// If it is not written in time, or the process ends before.
    pub fn address(&mut self, message: &str) -> String {
        let started = Instant::now();
        loop {
            if let Some(address) = self.logged(message).first().and_then(|line| line["address"].as_str()) {
                return address.to_owned();
            }
            self.expect_alive();
            assert!(started.elapsed() < PATIENCE, "{} does not say `{message}`", self.name);
            std::thread::sleep(LOOKING);
        }
    }

    /// The log lines with this message.
    pub fn logged(&self, message: &str) -> Vec<Value> {
        let lines = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Panics
    /// If it does not in time, or the process ends before.
    pub fn wait_ready(&mut self) {
        let started = Instant::now();
        loop {
            if self.is_ready() {
                return;
            }
            self.expect_alive();
            let why = || {
                self.page("/readyz")
                    .map_or_else(|| "no answer".to_owned(), |(_, body)| body)
            };
            assert!(started.elapsed() < PATIENCE, "{} is not ready: {}", self.name, why());
            std::thread::sleep(LOOKING);
        }
    }

    /// Whether `/readyz` says yes, now.
    pub fn is_ready(&self) -> bool {
        self.page("/readyz").is_some_and(|(status, _)| status == 200)
    }

    fn page(&self, path: &str) -> Option<(u16, String)> {
        let started = self.logged("started");
        let address = started.first()?["address"].as_str()?;
        self.web.get(&format!("http://{address}{path}"))
    }

    /// The value of a series of `/metrics`, as it is written there: `name{label="value"}`. 0 if there is none.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn metric(&self, series: &str) -> f64 {
        let (status, text) = self.page("/metrics").expect("metrics are served");
        assert_eq!(status, 200, "{text}");
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or_default()
    }

    /// Asks it to stop, and waits until it has. Says how it ended and how long that took.
    ///
    /// # Panics
    /// If it does not within [`STOP_MAX`].
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success(), "{} is gone already", self.name);
        let status = wait_for("the stop", STOP_MAX, || self.child.try_wait().expect("our child"));
        (status, asked.elapsed())
    }

    /// Waits until it ends by itself, and says how.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn wait_end(&mut self) -> ExitStatus {
        wait_for(&self.name, PATIENCE, || self.child.try_wait().expect("our child"))
    }

    /// Its number, by which the machine knows it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word, as a crash does: SIGKILL.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// # Panics
    /// If it has ended.
    pub fn expect_alive(&mut self) {
        let ended = self.child.try_wait().expect("our child");
        assert!(
            ended.is_none(),
            "{} ended by itself: {}",
            self.name,
            ended.unwrap_or_default()
        );
    }

    fn show(&self) {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        // Through the test's own output, so that it stands beside the failure.
        #[expect(clippy::print_stderr, reason = "a failing test shows what its processes said")]
        {
            eprintln!(
                "---- {}: the last {} lines\n{}",
                self.name,
                shown.len(),
                shown.join("\n")
            );
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            self.show();
        }
    }
}
