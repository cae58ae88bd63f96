//! `tidewatch rules` as a user runs it. What it prints is held against files in `golden/rules`; `GOLDEN=write` writes them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "a variable says whether golden files are written"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Rule files, events, and what is wrong with them; the program runs in this folder.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidewatch"))
        .arg("rules")
        .args(arguments)
        .current_dir(dir.path())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code, standard output and standard error, as in the golden file.
fn check(dir: &TempDir, arguments: &[&str], golden: &str) {
    let output = run(dir, arguments);
    let told = format!(
        "exit {}\n-- output\n{}-- errors\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    );
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/rules")
        .join(golden);
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        fs::write(&path, &told).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(told, expected, "{golden}");
}

const COUNT: &str = "\
id: two_failures
title: Two failures
severity: low
query: security_event:login_failed | window 1m | group by source_ip | count > 1
message: Two failures from {source_ip}
";

/// Of which the first passes and each other is wrong in its own way.
const TESTS: &str = "\
tests:
  - name: two
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 192.0.2.1}
      - {time: 2026-01-05T00:00:01Z, security_event: login_failed, source_ip: 192.0.2.1}
    expect: [{count: 2, key: {source_ip: 192.0.2.1}, events: [event-1, event-2]}]
  - name: other values
    events:
      - {time: 2026-01-05T00:00:00Z, event_id: a, security_event: login_failed, source_ip: 192.0.2.1, repeat: 2}
    expect:
      - {count: 3, key: {source_ip: 192.0.2.2}, message: None, events: [b], first_event_at: 2026-01-05T00:00:00Z}
  - name: one that is missing
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 192.0.2.1}
    expect: [{count: 2}]
  - name: one too many
    format: sshd
    events:
      - 'Jan 5 00:00:00 web-1 sshd[17]: message repeated 2 times: [ Failed password for root from 192.0.2.7 port 22 ssh2]'
    expect: []
  - name: what is no event
    format: sshd
    events: [no line of a log]
    expect: []
";

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    let broken = COUNT
        .replace("window", "windw")
        .replace("severity: low", "severity: lwo");
    let dir = folder(&[
        ("rules/broken.yml", broken.as_bytes()),
        ("rules/cut.yml", &COUNT.as_bytes()[..60]),
        ("rules/latin.yml", b"id: m\ntitle: M\xfcller\n"),
        ("rules/twin.yml", COUNT.replace("login_failed", "x").as_bytes()),
        ("rules/under/one.yml", COUNT.as_bytes()),
        ("empty/readme.txt", b"no rule"),
    ]);
    check(&dir, &["check", "rules", "empty", "nowhere"], "mistakes.txt");
    check(
        &dir,
        &["check", "--format", "json", "rules", "nowhere"],
        "mistakes.jsonl",
    );
}

#[test]
fn warnings_have_names_and_can_be_denied() {
    let warned = COUNT
        .replace("{source_ip}", "somebody")
        .replace("source_ip", "sorce_ip");
    let silenced = format!(
        "{}lint_off: {{missing-tests: no time}}\n",
        COUNT.replace("two_", "three_").replace("1m", "2m")
    );
    let dir = folder(&[("a.yml", warned.as_bytes()), ("b.yml", silenced.as_bytes())]);
    check(&dir, &["check", "a.yml", "b.yml"], "warnings.txt");
    check(
        &dir,
        &["check", "--deny-warnings", "--format", "json", "a.yml", "b.yml"],
        "warnings.jsonl",
    );
    let fine = run(&dir, &["check", "--deny-warnings", "b.yml"]);
    assert_eq!(fine.status.code(), Some(0), "{}", text(&fine.stderr));
}

#[test]
fn no_rules_are_refused_unless_asked_for() {
    let dir = folder(&[("rules/readme.txt", b"no rule")]);
    assert_eq!(run(&dir, &["check", "rules"]).status.code(), Some(78));
    assert_eq!(run(&dir, &["test", "rules"]).status.code(), Some(78));
    let allowed = run(&dir, &["check", "--allow-empty", "rules"]);
    assert_eq!(allowed.status.code(), Some(0));
    assert_eq!(text(&allowed.stdout), "0 rules, 0 mistakes, 0 warnings\n");
}

#[test]
fn a_rule_file_without_end_is_not_read_to_its_end() {
    let dir = folder(&[]);
    let endless = run(&dir, &["check", "/dev/zero"]);
    assert_eq!(endless.status.code(), Some(78));
    assert!(
        text(&endless.stderr).contains("at most 1048576 bytes"),
        "{}",
        text(&endless.stderr)
    );
}

#[test]
fn a_failing_test_shows_what_was_expected_and_what_was_found() {
    let dir = folder(&[("rule.yml", format!("{COUNT}{TESTS}").as_bytes())]);
    check(&dir, &["test", "rule.yml"], "tests.txt");
    let one = run(&dir, &["test", "--filter", "two", "--verbose", "rule.yml"]);
    assert!(
        text(&one.stdout).starts_with("ok rule.yml: two_failures: two\n"),
        "{}",
        text(&one.stdout)
    );
    let some = run(&dir, &["test", "--filter", "other", "rule.yml"]);
    assert!(
        text(&some.stdout).ends_with("0 passed, 1 failed\n"),
        "{}",
        text(&some.stdout)
    );
}

/// Rules that read alerts are tested with those they read, whether or not these are on.
#[test]
fn a_rule_is_tested_together_with_the_rules_it_reads() {
    let reads = "\
id: again
title: Again
severity: high
query: alert:two_failures | window 1h | group by source_ip | count > 1
message: Again from {source_ip}
tests:
  - name: two alerts
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 192.0.2.1, repeat: 2}
      - {time: 2026-01-05T00:30:00Z, security_event: login_failed, source_ip: 192.0.2.1, repeat: 2}
    expect: [{count: 2, key: {source_ip: 192.0.2.1}}]
  - name: one alert
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 192.0.2.1, repeat: 2}
    expect: []
";
    let dir = folder(&[
        ("a.yml", format!("{COUNT}mode: test\n").as_bytes()),
        ("b.yml", reads.as_bytes()),
    ]);
    let output = run(&dir, &["test", "a.yml", "b.yml"]);
    assert_eq!(text(&output.stdout), "2 passed, 0 failed\n", "{}", text(&output.stderr));
}

/// Taken, folded, without a key, of no concern, firing, and late.
const EVENTS: &str = r#"{"event_id":"a","time":"2026-01-05T10:00:00Z","service":"api","security_event":"login_failed","source_ip":"203.0.113.9"}
{"event_id":"a","time":"2026-01-05T10:00:00Z","service":"api","security_event":"login_failed","source_ip":"203.0.113.9"}
{"event_id":"b","time":"2026-01-05T10:00:01Z","service":"api","security_event":"login_failed"}
{"event_id":"c","time":"2026-01-05T10:00:02Z","service":"api","source_ip":"203.0.113.9"}
{"event_id":"d","time":"2026-01-05T10:00:03Z","service":"api","security_event":"login_failed","source_ip":"203.0.113.9"}
{"event_id":"e","time":"2026-01-05T13:00:00Z","service":"api","security_event":"login_failed","source_ip":"203.0.113.10"}
{"event_id":"f","time":"2026-01-05T10:30:00Z","service":"api","security_event":"login_failed","source_ip":"203.0.113.9"}
{"event_id":"g","time":"2026-01-05T13:00:01Z","service":"api","security_event":"login_failed","source_ip":"203.0.113.10"}
{"event_id":"h","time":"2026-01-05T13:00:02Z","service":"api","security_event":"x"}
no event
"#;

#[test]
fn it_is_explained_what_became_of_each_event() {
    let dir = folder(&[("rule.yml", COUNT.as_bytes()), ("events.jsonl", EVENTS.as_bytes())]);
    let arguments = [
        "explain",
        "two_failures",
        "--rules",
        "rule.yml",
        "--events",
        "events.jsonl",
    ];
    check(&dir, &arguments, "explain.txt");
    check(
        &dir,
        &[&arguments[..], &["--json", "--key", "203.0.113.9", "--limit", "2"]].concat(),
        "explain.jsonl",
    );
    let unknown = run(
        &dir,
        &["explain", "nobody", "--rules", "rule.yml", "--events", "events.jsonl"],
    );
    assert_eq!(unknown.status.code(), Some(64));
    assert_eq!(
        text(&unknown.stderr),
        "there is no rule `nobody`; there are two_failures\n"
    );
}

/// What is explained is what `scan` finds.
#[test]
fn the_alerts_that_are_explained_are_those_of_a_scan() {
    let dir = folder(&[("rule.yml", COUNT.as_bytes()), ("events.jsonl", EVENTS.as_bytes())]);
    let arguments = [
        "explain",
        "two_failures",
        "--rules",
        "rule.yml",
        "--events",
        "events.jsonl",
        "--json",
    ];
    let lines: Vec<Value> = text(&run(&dir, &arguments).stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let alerts = lines.iter().flat_map(|line| line["alerts"].as_array().unwrap());
    let opened = alerts
        .filter(|alert| alert["status"] == "opened")
        .map(|alert| alert["alert_id"].clone());
    let scan = Command::new(env!("CARGO_BIN_EXE_tidewatch"))
        .args(["scan", "--rules", "rule.yml", "--output", "jsonl", "events.jsonl"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let found = text(&scan.stdout);
    let found = found
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["alert_id"].clone());
    let (opened, found): (Vec<Value>, Vec<Value>) = (opened.collect(), found.collect());
    assert_eq!(opened.len(), 2);
    assert_eq!(opened, found);
}

#[test]
fn the_schema_that_is_printed_is_the_one_that_is_shipped() {
    let dir = folder(&[]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rule.schema.json");
    assert_eq!(
        text(&run(&dir, &["schema"]).stdout),
        fs::read_to_string(shipped).unwrap()
    );
}
