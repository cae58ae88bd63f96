//! Sigma rules that others wrote, over the events that they must match: in process, without the binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says how much it has seen")]

use std::io::Read as _;

use conformance::data;
use detection::{Matched, Matcher};
use event::{Source, SourcePartition, SourceTopic, Timestamp};
use formats::{Choice, Context};
use serde_json::Value;

/// The records of a compressed file of JSON lines.
fn records(name: &str) -> Option<Vec<Value>> {
    let file = std::fs::File::open(data(name)?).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// How many of the events lead to an alert of the rule.
fn matches(rule: &str, events: &[Value]) -> usize {
    let loaded = ruleset::load([("rule.yml", rule)]).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let mut matcher = Matcher::new(&loaded.rule_set);
    let mut matched = Matched::default();
    let arrival = Timestamp::parse("2027-01-01T00:00:00Z").unwrap();
    for (offset, event) in (0..).zip(events) {
        let bytes = event.to_string();
        let decoded = Choice::Auto
            .decode(bytes.as_bytes(), &Context::new("acme", arrival))
            .unwrap();
        assert_eq!(decoded.event.format, "windows", "{bytes}");
        let partition = SourcePartition {
            topic: SourceTopic::from(decoded.event.tier()),
            partition: 0,
        };
        matcher
            .evaluate(
                &decoded.event.encode(),
                Source { partition, offset },
                arrival,
                &mut matched,
            )
            .unwrap();
    }
    matched.alerts.len()
}

/// `match_count` says how many of a rule's events have to match, at least: so SigmaHQ's own runner reads it, which warns
/// where more do, and asks for one where it is missing.
#[test]
fn every_rule_of_the_regression_data_loads_and_matches_as_often_as_it_must() {
    let Some(records) = records("sigma_regression.jsonl.gz") else {
        return;
    };
    let (mut exact, mut more, mut unstated, mut wrong) = (0, Vec::new(), 0, Vec::new());
    for record in &records {
        let id = record["rule_id"].as_str().unwrap();
        let events = record["events"].as_array().unwrap();
        let found = matches(record["rule_yaml"].as_str().unwrap(), events) as u64;
        match record["match_count"].as_u64() {
            Some(expected) if found == expected => exact += 1,
            Some(expected) if found > expected => more.push(format!("{id}: {found} of {} events", events.len())),
            None if found > 0 => unstated += 1,
            expected => wrong.push(format!("{id}: {found} instead of {expected:?}")),
        }
    }
    println!(
        "{} rules loaded; {exact} matched exactly as often as match_count says, {} more often, {unstated} have none and matched \
         at least once, {} matched too seldom",
        records.len(),
        more.len(),
        wrong.len()
    );
    println!("more often than match_count, which is a minimum: {more:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(exact + more.len() + unstated, records.len());
}
