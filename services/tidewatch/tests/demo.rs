//! `tidewatch demo` as people run it: the program, what it prints, and the archive it leaves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use archive::read_segments;
use broker::{Record, TopicPartition};
use event::{Alert, AlertStatus, Event, topic};
use objects::Directory;

fn demo(archive: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
    command.arg("demo").arg("--archive").arg(archive);
    command
}

fn finish(command: &mut Command) -> (String, Output) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (text, output)
}

fn assert_success(text: &str, output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert_eq!(errors, "", "nothing is complained of");
}

/// The records of a topic as the archive has them, without heartbeats.
fn archived(archive: &Path, topic: &str) -> Vec<Record> {
    let store = Directory::open(archive).unwrap();
    let segments = read_segments(&store, &TopicPartition::new(topic, 0)).unwrap();
    let records = segments.flat_map(|segment| segment.unwrap().1);
    records
        .filter(|record| record.header(topic::HEADER_HEARTBEAT).is_none())
        .collect()
}

fn events(archive: &Path) -> Vec<Event> {
    let records = topic::EVENTS.iter().flat_map(|name| archived(archive, name));
    records
        .map(|record| Event::decode(&record.value.unwrap()).unwrap())
        .collect()
}

fn alerts(archive: &Path) -> Vec<Alert> {
    let records = archived(archive, topic::ALERTS).into_iter();
    records
        .map(|record| Alert::decode(&record.value.unwrap()).unwrap())
        .collect()
}

/// Checks that the summary speaks of the whole archive, and of nothing that came to it later.
fn assert_archive_is_summed_up(archive: &Path, text: &str) {
    for (tier, topic) in [
        ("audit", topic::EVENTS_AUDIT),
        ("security", topic::EVENTS_SECURITY),
        ("access", topic::EVENTS_ACCESS),
        ("alerts", topic::ALERTS),
    ] {
        let mut lines = text.lines().map(str::trim_start);
        let line = lines
            .rfind(|line| line.starts_with(tier) && line.contains(" segment"))
            .unwrap();
        let records = archived(archive, topic).len();
        assert!(line.contains(&format!(", {records} record")), "{records} in {line}");
    }
}

/// The lines that a person sees of alerts, by message.
fn told<'a>(text: &'a str, message: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.ends_with(message)).collect()
}

#[test]
fn each_rule_of_the_guide_fires_once_and_everything_is_archived() {
    let scratch = tempfile::tempdir().unwrap();
    let archive = scratch.path().join("archive");
    let (text, output) = finish(&mut demo(&archive));
    assert_success(&text, &output);

    let alerts = alerts(&archive);
    let mut opened = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.status == AlertStatus::Opened) {
        *opened.entry(alert.rule_id.as_str()).or_insert(0) += 1;
        assert_eq!(told(&text, &alert.message).len(), 1, "{} in\n{text}", alert.message);
    }
    let rules = [
        "account_takeover",
        "admin_off_hours",
        "api_abuse",
        "brute_force",
        "impossible_travel",
        "privilege_escalation",
    ];
    let once = rules.map(|rule| (format!("guide_{rule}"), 1));
    assert_eq!(
        opened,
        once.iter().map(|(rule, count)| (rule.as_str(), *count)).collect()
    );
    let closed: BTreeSet<&str> = alerts
        .iter()
        .filter(|alert| alert.status == AlertStatus::Closed)
        .map(|alert| alert.rule_id.as_str())
        .collect();
    let episodes = ["guide_account_takeover", "guide_api_abuse", "guide_brute_force"];
    assert_eq!(closed, episodes.into(), "what is over is closed");

    let lines: usize = ["auth.log", "access.log", "security.jsonl"]
        .iter()
        .map(|name| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample").join(name);
            fs::read_to_string(path).unwrap().lines().count()
        })
        .sum();
    let events = events(&archive);
    assert_eq!(events.len(), lines - 1, "one line of the sample is cut off");
    let ids: BTreeSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!(ids.len(), events.len());
    assert!(text.contains(&format!("\nevents        {}: ", lines - 1)), "{text}");
    assert!(
        text.contains("\ndead letters  1: 1 malformed\n              access.log:"),
        "{text}"
    );
    assert!(text.contains("\nlate          0\n"), "{text}");
    assert_archive_is_summed_up(&archive, &text);
}

#[test]
fn an_alert_names_the_line_it_begins_with() {
    let scratch = tempfile::tempdir().unwrap();
    let (text, output) = finish(&mut demo(scratch.path()));
    assert_success(&text, &output);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample/auth.log");
    let sample = fs::read_to_string(sample).unwrap();
    let first = sample
        .lines()
        .position(|line| line.contains("Failed password for root from 203.0.113.99 "));
    let place = format!("from auth.log:{}\n", first.unwrap() + 1);
    assert!(text.contains(&place), "{place} in\n{text}");
}

/// Twelve failures in a minute of a year that is not named, and a line that is none.
fn own_log() -> String {
    let mut log = String::new();
    for second in 10..22 {
        writeln!(
            log,
            "Mar 27 13:00:{second} host sshd[7]: Failed password for root from 203.0.113.5 port 22 ssh2"
        )
        .unwrap();
    }
    log.push_str("garbage\n");
    log
}

fn assert_own_log(archive: &Path, text: &str) {
    assert_eq!(
        told(text, "Brute force attack detected from 203.0.113.5").len(),
        1,
        "{text}"
    );
    assert!(
        text.contains("\nevents        12: 12 sshd\ndead letters  1: 1 malformed\n"),
        "{text}"
    );
    assert!(text.contains("\nlate          0\nalerts        1\n"), "{text}");
    assert!(text.contains(" 1 guide_brute_force, 1 not over\n"), "{text}");
    let times: BTreeSet<String> = events(archive).iter().map(|event| event.time.to_string()).collect();
    assert_eq!(times.len(), 12);
    assert!(
        times.iter().all(|time| time.starts_with("2017-03-27T13:00:")),
        "{times:?}"
    );
}

#[test]
fn a_log_of_ones_own_is_replayed_from_a_file() {
    let scratch = tempfile::tempdir().unwrap();
    let (archive, log) = (scratch.path().join("archive"), scratch.path().join("my.log"));
    fs::write(&log, own_log()).unwrap();
    let mut command = demo(&archive);
    command
        .arg("--input")
        .arg(&log)
        .args(["--format", "sshd", "--year", "2017"]);
    let (text, output) = finish(&mut command);
    assert_success(&text, &output);
    assert_own_log(&archive, &text);
    assert!(text.contains("my.log:13: malformed: "), "{text}");
}

#[test]
fn an_episode_is_over_when_the_log_is_past_it_whoever_wrote_the_last_line() {
    let scratch = tempfile::tempdir().unwrap();
    let (archive, log) = (scratch.path().join("archive"), scratch.path().join("my.log"));
    // An access event, an hour later: nothing comes to the other topics any more.
    let last = "Mar 27 14:00:00 host CRON[9]: pam_unix(cron:session): session opened for user root by (uid=0)\n";
    fs::write(&log, own_log() + last).unwrap();
    let mut command = demo(&archive);
    command
        .arg("--input")
        .arg(&log)
        .args(["--format", "sshd", "--year", "2017"]);
    let (text, output) = finish(&mut command);
    assert_success(&text, &output);
    let statuses: Vec<AlertStatus> = alerts(&archive).iter().map(|alert| alert.status).collect();
    assert_eq!(statuses, [AlertStatus::Opened, AlertStatus::Closed], "{text}");
    assert!(text.contains(" 1 guide_brute_force\n"), "{text}");
}

#[test]
fn a_log_of_ones_own_is_replayed_from_standard_input() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = demo(scratch.path());
    command.args(["--input", "-", "--format", "sshd", "--year", "2017"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(own_log().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_success(&text, &output);
    assert_own_log(scratch.path(), &text);
}

#[test]
fn an_empty_log_is_no_error() {
    let scratch = tempfile::tempdir().unwrap();
    let (archive, log) = (scratch.path().join("archive"), scratch.path().join("empty.log"));
    fs::write(&log, "\n\n").unwrap();
    let (text, output) = finish(demo(&archive).arg("--input").arg(&log));
    assert_success(&text, &output);
    assert!(text.contains("\nevents        0: none\n"), "{text}");
}

#[test]
fn an_archive_is_not_mixed_with_another() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("something"), "").unwrap();
    let (text, output) = finish(&mut demo(scratch.path()));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
}

#[test]
fn a_rule_file_with_a_mistake_starts_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (archive, rule) = (scratch.path().join("archive"), scratch.path().join("rule.yml"));
    fs::write(&rule, "id: x\n").unwrap();
    let (text, output) = finish(demo(&archive).arg("--rules").arg(&rule));
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(!archive.exists());
}

/// A demo that listens; killed if the test ends before it.
struct Listening {
    child: Child,
    lines: Receiver<String>,
}

impl Listening {
    fn start(archive: &Path) -> Self {
        let mut child = demo(archive)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that contains `text`.
    fn wait_for(&self, text: &str, patience: Duration) -> String {
        let begun = Instant::now();
        loop {
            let left = patience.saturating_sub(begun.elapsed());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("`{text}` did not come within {patience:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Ends it as Ctrl-C does: its exit code, and what it still said.
    fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().map(|line| line + "\n").collect())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (told, lines) = sync_channel(10_000);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if told.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Posts as the printed command does, and returns the status line.
fn post(command: &str) -> String {
    let between = |before: &str, after: &str| {
        let (_, rest) = command.split_once(before).unwrap();
        rest.split_once(after).unwrap().0
    };
    let (address, key) = (between("http://", "/"), between("X-API-Key: ", "'"));
    let body = between("-d '", "'");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /api/v1/ingest HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[test]
fn eleven_failed_logins_over_http_are_an_alert_within_two_seconds() {
    const MESSAGE: &str = "Brute force attack detected from 203.0.113.7";
    let scratch = tempfile::tempdir().unwrap();
    let demo = Listening::start(scratch.path());
    let command = demo.wait_for("curl ", Duration::from_secs(60));
    demo.wait_for("Ctrl-C", Duration::from_secs(10));
    for _ in 0..10 {
        assert_eq!(post(&command), "HTTP/1.1 200 OK");
    }
    thread::sleep(Duration::from_millis(500));
    let early: Vec<String> = demo.lines.try_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(early, [""; 0], "ten are not too many");
    let begun = Instant::now();
    assert_eq!(post(&command), "HTTP/1.1 200 OK");
    demo.wait_for(MESSAGE, Duration::from_secs(2));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    let (code, text) = demo.interrupt();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\nalerts        7\n"), "{text}");
    assert_archive_is_summed_up(scratch.path(), &text);
    let posted = events(scratch.path());
    let posted = posted
        .iter()
        .filter(|event| event.source_ip.as_deref() == Some("203.0.113.7"));
    assert_eq!(posted.count(), 11);
    let opened: Vec<Alert> = alerts(scratch.path())
        .into_iter()
        .filter(|alert| alert.status == AlertStatus::Opened && alert.message == MESSAGE)
        .collect();
    assert_eq!(opened.len(), 1);
}
