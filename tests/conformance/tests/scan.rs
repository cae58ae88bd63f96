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

/// The alerts of a pack over a log, by rule.
fn of_pack(pack: &str, log: &str) -> BTreeMap<String, usize> {
    let rules = format!("{}/../../rules/{pack}", env!("CARGO_MANIFEST_DIR"));
    let (alerts, _, code) = scan(&["--rules", &rules, "--year", "2017", log]);
    assert_eq!(code, Some(0));
    let mut found = BTreeMap::new();
    for alert in alerts {
        *found.entry(alert["rule_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    found
}

#[test]
fn the_packs_do_not_cry_wolf_over_a_real_access_log() {
    let Some(log) = data("apache_access.log.gz") else {
        return;
    };
    for pack in ["web", "injection", "data_access"] {
        assert_eq!(of_pack(pack, log.to_str().unwrap()), BTreeMap::new(), "{pack}");
    }
}

#[test]
fn the_packs_find_little_beside_the_attacks_in_a_real_auth_log() {
    let Some(log) = data("auth.log.gz") else { return };
    let expected = [
        // The log ends, and with it the lines of cron.
        ("host_silent", 1),
        ("ssh_brute_force", 2),
        ("ssh_invalid_users", 2),
        ("ssh_login_after_failures", 1),
        ("ssh_new_address", 13),
        ("sudo_first_use", 1),
    ];
    let expected = expected.map(|(rule, count)| (rule.to_owned(), count));
    assert_eq!(
        of_pack("infrastructure", log.to_str().unwrap()),
        BTreeMap::from(expected)
    );
    assert_eq!(of_pack("authorization", log.to_str().unwrap()), BTreeMap::new());
}
