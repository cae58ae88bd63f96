//! `tidewatch scan` as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidewatch"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn alerts(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn failure(minute: u32, second: u32, address: &str) -> String {
    format!(
        r#"{{"time":"2026-01-05T10:{minute:02}:{second:02}Z","service":"api","level":"warn","message":"no","security_event":"login_failed","source_ip":"{address}"}}"#
    )
}

fn attack() -> String {
    let lines: Vec<String> = (0..12).map(|second| failure(0, second, "203.0.113.9")).collect();
    lines.join("\n") + "\n"
}

#[test]
fn an_episode_is_one_line_in_its_final_state() {
    let output = run(&["scan", "--output", "jsonl", "-"], attack().as_bytes());
    let found = alerts(&output);
    assert_eq!(found.len(), 1, "{}", text(&output.stderr));
    let alert = found[0].as_object().unwrap();
    let names = [
        "alert_id",
        "rule_id",
        "title",
        "message",
        "severity",
        "status",
        "key",
        "opened_at",
        "first_event_at",
        "last_event_at",
        "count",
        "events",
    ];
    assert_eq!(alert.keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(alert["key"], serde_json::json!({"source_ip": "203.0.113.9"}));
    assert_eq!(alert["message"], "Brute force attack detected from 203.0.113.9");
    assert_eq!((&alert["count"], &alert["status"]), (&12.into(), &"opened".into()));
    assert_eq!(alert["opened_at"], "2026-01-05T10:00:10.000Z");
    assert_eq!(alert["events"].as_array().unwrap().len(), 12);
    assert_eq!(
        alert["events"][11],
        serde_json::json!({"file": "-", "line": 12, "time": "2026-01-05T10:00:11.000Z"})
    );
}

#[test]
fn an_episode_is_closed_once_the_log_goes_past_it() {
    let log = attack() + &failure(30, 0, "198.51.100.7") + "\n";
    assert_eq!(
        alerts(&run(&["scan", "--output", "jsonl", "-"], log.as_bytes()))[0]["status"],
        "closed"
    );
}

#[test]
fn what_cannot_be_read_is_named_with_its_line_and_nothing_stops() {
    let log = format!("\u{1}garbage\n\n{}{{\"a\":\n", attack());
    let output = run(&["scan", "--output", "jsonl", "-"], log.as_bytes());
    let said = text(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(alerts(&output).len(), 1, "{said}");
    assert!(lines[0].starts_with("-:1: "), "{said}");
    assert!(lines[1].starts_with("-:15: malformed: "), "{said}");
    assert_eq!(lines.len(), 2, "{said}");
}

#[test]
fn a_line_of_20_megabytes_is_passed_over_and_named() {
    let log = "x".repeat(20 << 20) + "\n" + &attack();
    let output = run(&["scan", "--output", "jsonl", "-"], log.as_bytes());
    assert_eq!(alerts(&output).len(), 1);
    assert!(
        text(&output.stderr).starts_with("-:1: too_large: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_stray_future_line_hides_nothing_and_invents_nothing() {
    let stray = failure(0, 0, "198.51.100.1").replace("2026", "2099");
    let log = stray.clone() + "\n" + &attack();
    assert_eq!(
        alerts(&run(&["scan", "--output", "jsonl", "-"], log.as_bytes())).len(),
        1
    );
    let hourly: String = (0..20)
        .map(|hour| failure(0, 0, "198.51.100.1").replace("T10", &format!("T{hour:02}")) + "\n")
        .collect();
    assert_eq!(
        alerts(&run(
            &["scan", "--output", "jsonl", "-"],
            (stray + "\n" + &hourly).as_bytes()
        ))
        .len(),
        0
    );
}

#[test]
fn an_arrival_field_is_the_clock() {
    // Eleven failures that claim one minute, but arrived an hour apart from each other.
    let line = |hour: u32| {
        let arrived = format!(r#","metadata":{{"seen":"2026-01-05T{hour:02}:00:00Z"}}}}"#);
        failure(0, hour, "203.0.113.9")
            .replace("T10", "T23")
            .replacen('}', &arrived, 1)
            + "\n"
    };
    let log: String = (0..11).map(line).collect();
    assert_eq!(
        alerts(&run(&["scan", "--output", "jsonl", "-"], log.as_bytes())).len(),
        1
    );
    let by_field = run(&["scan", "--output", "jsonl", "--arrival", "seen", "-"], log.as_bytes());
    assert_eq!(
        alerts(&by_field).len(),
        0,
        "no event counts more than five minutes after it arrived"
    );
    let absent = run(&["scan", "--arrival", "nothing", "-"], log.as_bytes());
    assert_eq!(absent.status.code(), Some(1));
    assert_eq!(text(&absent.stderr).trim(), "-: -:1: the event has no field `nothing`");
}

#[test]
fn files_are_read_in_the_order_given_and_unpacked() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (dir.path().join("a.log.gz"), dir.path().join("b.log"));
    let lines = attack();
    let lines: Vec<&str> = lines.lines().collect();
    let mut packed = flate2::write::GzEncoder::new(fs::File::create(&first).unwrap(), flate2::Compression::fast());
    packed.write_all(lines[..6].join("\n").as_bytes()).unwrap();
    packed.finish().unwrap();
    fs::write(&second, lines[6..].join("\n")).unwrap();
    let output = run(&["scan", "--output", "jsonl", path(&first), path(&second)], b"");
    let found = alerts(&output);
    assert_eq!(found[0]["events"][5]["file"], path(&first));
    assert_eq!(
        found[0]["events"][6],
        serde_json::json!({"file": path(&second), "line": 1, "time": "2026-01-05T10:00:06.000Z"})
    );
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn exit_codes_say_what_to_do() {
    let code = |arguments: &[&str], input: &str| run(arguments, input.as_bytes()).status.code();
    assert_eq!(code(&["scan", "-"], &attack()), Some(0));
    assert_eq!(code(&["scan", "--fail-on", "high", "-"], &attack()), Some(1));
    assert_eq!(code(&["scan", "--fail-on", "critical", "-"], &attack()), Some(0));
    assert_eq!(code(&["scan", "--format", "morse", "-"], ""), Some(64));
    assert_eq!(code(&["scan", "nowhere.log"], ""), Some(1));
    let dir = TempDir::new().unwrap();
    let rule = dir.path().join("wrong.yml");
    fs::write(
        &rule,
        "id: x\ntitle: X\nquery: a:b | windw 5m\nseverity: high\nmessage: m\n",
    )
    .unwrap();
    let output = run(&["scan", "--rules", path(&rule), "-"], b"");
    assert_eq!(output.status.code(), Some(78));
    assert!(
        text(&output.stderr).contains("did you mean `window`"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(code(&["scan", "--rules", path(dir.path()), "-"], ""), Some(78));
    assert_eq!(code(&["rules", "check", path(&rule)], ""), Some(78));
}

/// What the kubelet makes of a ConfigMap: a folder with a date, a link `..data` to it, and a link for each file.
#[test]
fn rules_that_kubernetes_mounts_are_read_once() {
    let dir = TempDir::new().unwrap();
    let dated = dir.path().join("..2026_01_05_10_00_00.1234567890");
    fs::create_dir(&dated).unwrap();
    fs::write(
        dated.join("two.yml"),
        "id: two\ntitle: Two\nseverity: low\nmessage: Two\nquery: a:b | window 1m | count > 1\n",
    )
    .unwrap();
    std::os::unix::fs::symlink(&dated, dir.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/two.yml", dir.path().join("two.yml")).unwrap();
    let output = run(&["rules", "check", path(dir.path())], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("1 rule,"), "{}", text(&output.stdout));
}
