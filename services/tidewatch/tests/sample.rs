//! `tidewatch sample` as a user pipes it on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::Timestamp;
use serde_json::Value;

fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tidewatch"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_rule_of_the_guide_fires_once_and_nothing_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sample.jsonl");
    fs::write(&file, run(&["sample"])).unwrap();
    let alerts = lines(&run(&["scan", "--output", "jsonl", file.to_str().unwrap()]));
    let mut fired = BTreeMap::new();
    for alert in &alerts {
        *fired.entry(alert["rule_id"].as_str().unwrap()).or_insert(0) += 1;
    }
    let once = [
        "guide_account_takeover",
        "guide_admin_off_hours",
        "guide_api_abuse",
        "guide_brute_force",
        "guide_impossible_travel",
        "guide_privilege_escalation",
    ];
    assert_eq!(fired, once.map(|rule| (rule, 1)).into());
}

#[test]
fn what_a_stateful_rule_reads_is_not_too_late_for_it() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap());
    let hour_ago = now.minus(Duration::from_hours(1));
    let events = lines(&run(&["sample"]));
    let old: Vec<&Value> = events
        .iter()
        .filter(|event| event["time"].as_str().unwrap() < hour_ago.to_string().as_str())
        .map(|event| &event["metadata"]["security_event"])
        .collect();
    assert_eq!(old, ["settings_changed"], "only the event of last night is old");
}
