//! Whole processes: this test starts itself as a child, talks to it and looks at how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use service::settings::Sources;
use service::{Boot, Context, Exit, Failure, run};

/// Names how the child behaves; without it the child's test does nothing.
const BEHAVIOUR: &str = "SERVICE_TEST_BEHAVIOUR";
/// No child lives longer, so a test that waits for its words ends.
const LIFE_MAX: Duration = Duration::from_secs(30);

#[test]
#[ignore = "the other tests start it as their child"]
#[expect(
    clippy::disallowed_methods,
    reason = "a process of its own inside a test harness: variables tell it what to do, and its exit code is what is tested"
)]
fn child() {
    let Ok(behaviour) = std::env::var(BEHAVIOUR) else {
        return;
    };
    let boot = Boot {
        service: "door",
        version: "1.2.3",
        sources: Sources::of_process(std::env::var_os("SERVICE_TEST_FILE").map(PathBuf::from)),
        routes: axum::Router::new(),
    };
    let exit = run(
        boot,
        |reader| reader.section("door", "", |reader| reader.integer::<u8>("size", "").default(1)),
        |_, context| behave(&behaviour, &context),
    );
    if behaviour.ends_with("lingers") {
        thread::sleep(LIFE_MAX);
    }
    std::process::exit(exit.code().into());
}

fn behave(behaviour: &str, context: &Context) -> Result<(), Failure> {
    let readiness = context.health.readiness("door");
    readiness.ready();
    match behaviour {
        "obeys" | "lingers" => {
            assert!(context.stop.wait_timeout(LIFE_MAX), "nobody asked to stop");
        }
        "returns and lingers" => {}
        "is stuck" => thread::sleep(LIFE_MAX),
        "fails" => {
            return Err(anyhow!("disk full").context("cannot write").into());
        }
        "is fenced" => return Err(Failure::fenced(anyhow!("another took over"))),
        "misses a file" => {
            std::fs::read("/nowhere")
                .context("cannot read the rules")
                .map_err(Failure::misconfigured)?;
        }
        "panics" => panic!("planted\npanic"),
        other => panic!("no such behaviour: {other}"),
    }
    Ok(())
}

struct Started {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

fn start(behaviour: &str, variables: &[(&str, &str)]) -> Started {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(BEHAVIOUR, behaviour)
        .env("TIDEWATCH_TELEMETRY__LISTEN", "127.0.0.1:0")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Started { child, lines }
}

impl Started {
    /// The next log line with that message. The test harness prints lines of its own, and a
    /// beginning of ours.
    fn line(&mut self, message: &str) -> Value {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let json = line.find('{').map_or("", |start| &line[start..]);
            match serde_json::from_str::<Value>(json) {
                Ok(value) if value["message"] == message => return value,
                Ok(_) | Err(_) => {}
            }
        }
        panic!("the child never logged {message:?}")
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// How it ended; a child that does not is killed.
    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().unwrap();
        panic!("the child did not end");
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_service_that_obeys_ends_well_on_both_signals() {
    for signal in ["TERM", "INT"] {
        let mut started = start("obeys", &[]);
        let line = started.line("started");
        assert_eq!(line["service"], "door");
        assert_eq!(line["version"], "1.2.3");
        let address = line["address"].as_str().unwrap().to_owned();
        let metrics = get(&address, "/metrics");
        let build = "tidewatch_build_info{service=\"door\",version=\"1.2.3\"} 1";
        assert!(metrics.contains(build), "{metrics}");
        assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"));
        started.signal(signal);
        started.line("stopped");
        assert_eq!(started.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_service_that_is_stuck_is_ended_when_its_time_is_over() {
    let mut started = start("is stuck", &[("TIDEWATCH_PROCESS__STOP_TIMEOUT", "1s")]);
    started.line("started");
    let asked = Instant::now();
    started.signal("TERM");
    started.line("stopping takes too long, ending the process");
    assert_eq!(started.wait().code(), Some(Exit::Failure.code().into()));
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert!(asked.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_service_that_ended_keeps_its_code_when_the_process_lingers() {
    let mut started = start("lingers", &[("TIDEWATCH_PROCESS__STOP_TIMEOUT", "1s")]);
    started.line("started");
    started.signal("TERM");
    started.line("stopped");
    assert_eq!(started.wait().code(), Some(0));
}

#[test]
fn a_service_that_ended_unasked_is_not_left_lingering() {
    let variables = [("TIDEWATCH_PROCESS__STOP_TIMEOUT", "1s")];
    let mut started = start("returns and lingers", &variables);
    started.line("stopped");
    started.line("stopping takes too long, ending the process");
    assert_eq!(started.wait().code(), Some(0));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let mut started = start("is stuck", &[("TIDEWATCH_PROCESS__STOP_TIMEOUT", "10m")]);
    started.line("started");
    started.signal("TERM");
    started.line("asked to stop");
    started.signal("TERM");
    assert_eq!(started.wait().code(), Some(128 + 15));
}

#[test]
fn an_error_is_logged_once_with_its_causes_and_becomes_the_exit_code() {
    let cases = [
        ("fails", 1, "cannot write: disk full"),
        ("is fenced", 75, "another took over"),
        (
            "misses a file",
            78,
            "cannot read the rules: No such file or directory (os error 2)",
        ),
    ];
    for (behaviour, code, error) in cases {
        let mut started = start(behaviour, &[]);
        let line = started.line("ended by an error");
        assert_eq!(line["error"], error);
        assert_eq!(line["level"], "ERROR");
        assert_eq!(started.wait().code(), Some(code), "{behaviour}");
    }
}

#[test]
fn a_panic_is_one_log_line() {
    let mut started = start("panics", &[]);
    let line = started.line("a thread panicked");
    assert_eq!(line["panic"], "planted\npanic");
    assert!(line["place"].as_str().unwrap().contains("tests/process.rs:"), "{line}");
    assert!(!started.wait().success());
}

#[test]
fn a_wrong_configuration_is_listed_and_nothing_is_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidewatch.yaml");
    std::fs::write(&file, "door: {sizes: 1}\ntelemetry: {listen: 9090}\n").unwrap();
    let file = file.to_string_lossy();
    let variables = [
        ("SERVICE_TEST_FILE", &*file),
        ("TIDEWATCH_TELEMETRY__LISTEN", ""),
        ("TIDEWATCH_PROCESS__STOP_TIMEOUT", "25"),
    ];
    let mut started = start("obeys", &variables);
    assert_eq!(started.wait().code(), Some(78));
    let listed = started.stderr();
    let expected = [
        format!("{file}: telemetry.listen: expected an address and port, as 0.0.0.0:9090 or [::]:9090, found 9090"),
        "TIDEWATCH_PROCESS__STOP_TIMEOUT (process.stop_timeout): expected a duration with its unit (ms, s, m, h, d), as 30s, found \"25\"".to_owned(),
        format!("{file}: door.sizes: unknown key, did you mean size?"),
    ];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn an_address_in_use_is_a_failure_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut started = start("obeys", &[("TIDEWATCH_TELEMETRY__LISTEN", &address)]);
    let error = started.line("ended by an error")["error"].as_str().unwrap().to_owned();
    let expected = format!("cannot serve metrics and health on {address}: Address already in use");
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(started.wait().code(), Some(1));
}
