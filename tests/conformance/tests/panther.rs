//! Panther's correlation rules, said in the pipe language and run through the engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what is said, and what is not, is the result")]

#[path = "../../../libs/detection/tests/engine/driver.rs"]
#[allow(dead_code, reason = "the tests of the engine ask for more of its driver")]
mod driver;

use std::collections::BTreeMap;

use conformance::json_lines;
use conformance::panther::{Unsaid, events, queries, rule_name};
use serde_json::{Value, json};

use driver::{Engine, HOUR};

/// Whether the rule alerts on these signals.
fn fires(queries: &[String], outputs: &Value) -> bool {
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let mut engine = Engine::new(&queries);
    let events = events(outputs);
    let end = events.last().map_or(0, |event| event.time.as_millis());
    engine.send(events);
    // Long after, so that whatever was waited for did not come.
    engine.tick(end + 60 * 24 * HOUR);
    let rule = rule_name(queries.len() - 1);
    engine.alerts.iter().any(|alert| alert.rule_id == rule)
}

#[test]
fn the_rules_of_panther_give_the_verdicts_that_their_cases_demand() {
    let Some(cases) = json_lines("panther_correlation_tests.jsonl.gz") else {
        return;
    };
    let mut by_rule: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for case in &cases {
        by_rule.entry(case["rule_id"].as_str().unwrap()).or_default().push(case);
    }
    let (mut rules_said, mut passed, mut unsaid) = (0, 0, Vec::new());
    let mut wrong = Vec::new();
    for (rule, cases) in &by_rule {
        let said = match queries(&cases[0]["detection"]) {
            Ok(said) => said,
            Err(Unsaid(why)) => {
                unsaid.push(format!("{rule}: {} cases: {why}", cases.len()));
                continue;
            }
        };
        rules_said += 1;
        println!("{rule}:");
        said.iter().for_each(|query| println!("    {query}"));
        for case in cases {
            assert_eq!(
                case["detection"], cases[0]["detection"],
                "one rule, one detection: {rule}"
            );
            let expected = case["expected"].as_bool().unwrap();
            if fires(&said, &case["rule_outputs"]) == expected {
                passed += 1;
            } else {
                wrong.push(format!("{rule}: {}: expected {expected}", case["test"]));
            }
        }
    }
    println!(
        "{rules_said} of {} rules said, {passed} of {} cases as expected",
        by_rule.len(),
        cases.len()
    );
    unsaid.iter().for_each(|rule| println!("cannot be said: {rule}"));
    assert_eq!(wrong, [""; 0]);
    assert!(passed > 0, "no case was run");
}

/// Signals of one kind that a field has this value for, at these minutes.
fn output(id: &str, field: &str, value: &str, minutes: &[i64]) -> Value {
    json!({"ID": id, "Matches": {field: {value: minutes}}})
}

fn check(detection: &Value, cases: &[(&[Value], bool)]) {
    let said = queries(detection).unwrap();
    for (outputs, expected) in cases {
        let outputs = Value::from(outputs.to_vec());
        assert_eq!(fires(&said, &outputs), *expected, "{said:#?}\n{outputs}");
    }
}

fn transition(from: &str, to: &str, on: &str, minutes: u64) -> Value {
    json!({"ID": format!("{from} {to}"), "From": from, "To": to, "WithinTimeFrameMinutes": minutes, "Match": [{"On": on}]})
}

#[test]
fn a_sequence_is_in_order_and_within_its_span() {
    let detection = json!([{
        "Sequence": [{"ID": "A", "RuleID": "a", "MinMatchCount": 2}, {"ID": "B", "RuleID": "b"}],
        "Transitions": [{"ID": "AB", "From": "A", "To": "B", "WithinTimeFrameMinutes": 10, "Match": [{"From": "x", "To": "y"}]}],
        "LookbackWindowMinutes": 60, "EventEvaluationOrder": "Chronological", "Schedule": {"RateMinutes": 40},
    }]);
    assert_eq!(
        queries(&detection).unwrap(),
        ["sequence (security_event:a | count >= 2) then (security_event:b) by metadata.x = metadata.y within 10m"]
    );
    let (a, b) = (
        |minutes: &[i64]| output("A", "x", "1", minutes),
        |minutes: &[i64]| output("B", "y", "1", minutes),
    );
    check(
        &detection,
        &[
            (&[a(&[0, 5]), b(&[10])], true),
            (&[a(&[0, 5]), b(&[11])], false),
            (&[a(&[0]), b(&[10])], false),
            (&[a(&[5, 10]), b(&[0])], false),
            (&[a(&[0, 5]), output("B", "y", "2", &[10])], false),
        ],
    );
}

#[test]
fn steps_with_spans_of_their_own_are_a_chain() {
    let detection = json!([{
        "Sequence": [{"ID": "A", "RuleID": "a"}, {"ID": "B", "RuleID": "b"}, {"ID": "C", "RuleID": "c"}],
        "Transitions": [transition("A", "B", "u", 10), transition("B", "C", "u", 30)],
        "LookbackWindowMinutes": 60,
    }]);
    let of = |id: &str, minutes: &[i64]| output(id, "u", "1", minutes);
    check(
        &detection,
        &[
            (&[of("A", &[0]), of("B", &[10]), of("C", &[40])], true),
            (&[of("A", &[0]), of("B", &[11]), of("C", &[20])], false),
            (&[of("A", &[0]), of("B", &[10]), of("C", &[41])], false),
            (&[of("A", &[0, 100]), of("B", &[5, 105]), of("C", &[135])], true),
            (&[of("A", &[0]), of("C", &[5]), of("B", &[10])], false),
        ],
    );
}

#[test]
fn an_absence_is_looked_for_where_it_stands() {
    let after = json!([{
        "Sequence": [{"ID": "A", "RuleID": "a"}, {"ID": "B", "RuleID": "b"}, {"ID": "Z", "RuleID": "z", "Absence": true}],
        "Transitions": [transition("A", "B", "u", 60), transition("B", "Z", "u", 10)],
        "LookbackWindowMinutes": 60,
    }]);
    let of = |id: &str, minutes: &[i64]| output(id, "u", "1", minutes);
    check(
        &after,
        &[
            (&[of("A", &[0]), of("B", &[5])], true),
            (&[of("A", &[0]), of("B", &[5]), of("Z", &[15])], false),
            (&[of("A", &[0]), of("B", &[5]), of("Z", &[4, 16])], true),
            (&[of("A", &[0])], false),
        ],
    );
    let before = json!([{
        "Sequence": [{"ID": "Z", "RuleID": "z", "Absence": true}, {"ID": "A", "RuleID": "a"}, {"ID": "B", "RuleID": "b"}],
        "Transitions": [transition("Z", "A", "u", 10), transition("A", "B", "u", 20)],
        "LookbackWindowMinutes": 60,
    }]);
    check(
        &before,
        &[
            (&[of("A", &[30]), of("B", &[35])], true),
            (&[of("Z", &[20]), of("A", &[30]), of("B", &[35])], false),
            (&[of("Z", &[19]), of("A", &[30]), of("B", &[35])], true),
            (&[of("Z", &[31]), of("A", &[30]), of("B", &[50])], true),
            (&[of("A", &[30]), of("B", &[51])], false),
        ],
    );
}

#[test]
fn a_group_has_no_order_and_absence_is_around_it() {
    let detection = json!([{
        "Group": [{"ID": "A", "RuleID": "a", "MinMatchCount": 2}, {"ID": "B", "RuleID": "b"}, {"ID": "Z", "RuleID": "z", "Absence": true}],
        "MatchCriteria": {
            "user": [{"GroupID": "A", "Match": "u"}, {"GroupID": "B", "Match": "u"}, {"GroupID": "Z", "Match": "v"}],
            "place": [{"GroupID": "A", "Match": "p"}, {"GroupID": "B", "Match": "p"}, {"GroupID": "Z", "Match": "p"}],
        },
    }]);
    let of = |id: &str, field: &str, place: &str, minutes: &[i64]| json!({"ID": id, "Matches": {field: {"1": minutes}, "p": {place: minutes}}});
    check(
        &detection,
        &[
            (&[of("B", "u", "x", &[0]), of("A", "u", "x", &[5, 15])], true),
            (&[of("B", "u", "x", &[0]), of("A", "u", "x", &[5, 16])], false),
            (&[of("B", "u", "x", &[0]), of("A", "u", "y", &[5, 15])], false),
            (&[of("A", "u", "x", &[5]), of("B", "u", "x", &[0])], false),
            (
                &[
                    of("Z", "v", "x", &[0]),
                    of("A", "u", "x", &[5, 6]),
                    of("B", "u", "x", &[7]),
                ],
                false,
            ),
            (
                &[
                    of("Z", "v", "x", &[22]),
                    of("A", "u", "x", &[5, 6]),
                    of("B", "u", "x", &[7]),
                ],
                false,
            ),
            (
                &[
                    of("Z", "v", "y", &[7]),
                    of("A", "u", "x", &[5, 6]),
                    of("B", "u", "x", &[7]),
                ],
                true,
            ),
            (
                &[
                    of("Z", "v", "x", &[23]),
                    of("A", "u", "x", &[5, 6]),
                    of("B", "u", "x", &[7]),
                ],
                true,
            ),
        ],
    );
    let one = json!([{"Group": [{"ID": "A", "RuleID": "a", "MinMatchCount": 3}], "LookbackWindowMinutes": 60}]);
    check(
        &one,
        &[
            (&[output("A", "u", "1", &[0, 30, 60])], true),
            (&[output("A", "u", "1", &[0, 30, 61])], false),
        ],
    );
}

#[test]
fn signals_with_a_list_are_equal_to_each_of_its_values() {
    let detection = json!([{
        "Group": [{"ID": "A", "RuleID": "a"}, {"ID": "B", "RuleID": "b"}],
        "MatchCriteria": {"mail": [{"GroupID": "A", "Match": "mails"}, {"GroupID": "B", "Match": "mails"}]},
    }]);
    let a = json!({"ID": "A", "Matches": {"mails": {"x": [0], "y": [0]}}});
    check(
        &detection,
        &[
            (&[a.clone(), output("B", "mails", "y", &[1])], true),
            (&[a, output("B", "mails", "z", &[1])], false),
        ],
    );
}

#[test]
fn what_cannot_be_said_is_named() {
    let why = |detection: Value| queries(&detection).unwrap_err().0;
    let a = json!({"ID": "A", "RuleID": "a"});
    let z = json!({"ID": "Z", "RuleID": "z", "Absence": true});
    let c = json!({"ID": "C", "RuleID": "c"});
    assert_eq!(
        why(json!([{"Group": [z]}])),
        "a group of absences only: nothing says when to look"
    );
    assert_eq!(
        why(json!([{"Sequence": [a, z, c], "Transitions": []}])),
        "an absence between two steps, or of all of them"
    );
    assert_eq!(
        why(json!([{"Group": [{"ID": "A", "RuleID": "a", "MaxMatchCount": 3}]}])),
        "`MaxMatchCount` of a member"
    );
    assert_eq!(
        why(json!([{"Group": [a], "Sequence": [c]}])),
        "a detection that is neither a group nor a sequence"
    );
    assert_eq!(
        why(json!([{"Group": [a, c], "EventEvaluationOrder": "ReverseChronological"}])),
        "events evaluated in the order \"ReverseChronological\""
    );
    let b = json!({"ID": "B", "RuleID": "b"});
    assert_eq!(
        why(
            json!([{"Sequence": [a, b, c], "Transitions": [transition("A", "B", "u", 5), transition("B", "C", "v", 5)]}])
        ),
        "the step `B` is matched to the one before it by other fields than to the one after it"
    );
    assert_eq!(
        why(
            json!([{"Sequence": [a, b, c], "Transitions": [transition("A", "B", "u", 5), transition("B", "C", "u", 14)]}])
        ),
        "spans of transitions that add up to more than the whole may take"
    );
    assert_eq!(
        why(json!([{"Group": [a]}, {"Group": [c]}])),
        "several detections of one rule"
    );
}
