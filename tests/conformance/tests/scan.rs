//! `tidewatch scan` over real logs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use conformance::{data, tidewatch};
use serde_json::Value;

/// The alerts of a scan, and what it said on standard error.
fn scan(arguments: &[&str]) -> (Vec<Value>, String, Option<i32>) {
    let output = tidewatch(&[&["scan", "--output", "jsonl"], arguments].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    let alerts = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (alerts, String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn the_attackers_in_a_real_auth_log_are_found_and_nobody_else() {
    let Some(log) = data("auth.log.gz") else { return };
    let (alerts, _, code) = scan(&["--format", "sshd", "--year", "2017", log.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    let found: BTreeMap<&str, (&str, u64)> = alerts
        .iter()
        .map(|alert| {
            let key = alert["key"]["source_ip"].as_str().unwrap();
            (
                key,
                (alert["rule_id"].as_str().unwrap(), alert["count"].as_u64().unwrap()),
            )
        })
        .collect();
    let expected = BTreeMap::from([
        ("181.25.206.27", ("guide_brute_force", 12)),
        ("24.151.103.17", ("guide_brute_force", 87)),
    ]);
    assert_eq!(found, expected);
    assert_eq!(alerts.len(), 2, "once each");
}

#[test]
fn the_format_of_a_real_auth_log_is_recognised() {
    let Some(log) = data("auth.log.gz") else { return };
    let named = scan(&["--format", "sshd", "--year", "2017", log.to_str().unwrap()]);
    let recognised = scan(&["--year", "2017", log.to_str().unwrap()]);
    assert_eq!(named, recognised);
}

#[test]
fn every_line_of_a_real_access_log_is_read_and_none_is_an_attack() {
    let Some(log) = data("apache_access.log.gz") else {
        return;
    };
    let (alerts, said, code) = scan(&["--fail-on", "low", log.to_str().unwrap()]);
    assert_eq!((alerts.len(), code), (0, Some(0)), "{said}");
    assert!(!said.contains("malformed"), "{said}");
    let table = tidewatch(&["scan", log.to_str().unwrap()]);
    let said = String::from_utf8(table.stderr).unwrap();
    assert_eq!(said.trim(), "5000 lines: 5000 events, 0 not readable; 0 alerts");
}

#[test]
fn an_alert_can_fail_a_pipeline() {
    let Some(log) = data("auth.log.gz") else { return };
    let log = log.to_str().unwrap();
    assert_eq!(scan(&["--year", "2017", "--fail-on", "high", log]).2, Some(1));
    assert_eq!(scan(&["--year", "2017", "--fail-on", "critical", log]).2, Some(0));
}
