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
    let matcher = Matcher::new(&loaded.rule_set);
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
        matcher.evaluate(&decoded.event, Source { partition, offset }, arrival, &mut matched);
    }
    matched.alerts.len()
}

/// `match_count` says how many of a rule's events match. Where it is null the data do not say: such a rule comes with
/// the events that somebody recorded for it, so at least one of them has to match.
#[test]
fn every_rule_of_the_regression_data_loads_and_matches_as_often_as_it_must() {
    let Some(records) = records("sigma_regression.jsonl.gz") else {
        return;
    };
    let (mut exact, mut unstated, mut wrong) = (0, 0, Vec::new());
    for record in &records {
        let rule = record["rule_yaml"].as_str().unwrap();
        let events = record["events"].as_array().unwrap();
        let found = matches(rule, events);
        match record["match_count"].as_u64() {
            Some(expected) if found as u64 == expected => exact += 1,
            None if found > 0 => unstated += 1,
            expected => wrong.push(format!("{}: {found} instead of {expected:?}", record["rule_id"])),
        }
    }
    println!(
        "{} rules loaded; {exact} matched exactly as often as match_count says, {unstated} have no match_count and matched at \
         least once, {} are wrong",
        records.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(exact + unstated, records.len());
}
