#![allow(
    clippy::disallowed_methods,
    reason = "the folder and the documentation are compared with the list"
)]

use std::collections::BTreeSet;

use super::*;
use crate::parse;
use crate::rule_file::tests::with_line;

/// A rule in which no lint finds anything.
const SOUND: &str = "\
id: brute_force
title: Brute force
severity: high
query: security_event:login_failed | window 5m | group by source_ip | count > 1
message: Brute force from {source_ip}
tests:
  - name: two
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 203.0.113.9, repeat: 2}
    expect: [{}]
  - name: one
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 203.0.113.9}
    expect: []
";

/// The sound rule with the line of `key` replaced by `lines`.
fn with(key: &str, lines: &str) -> String {
    with_line(SOUND, key, lines)
}

/// Every warning as `line:column lint: message`.
fn warnings(text: &str) -> Vec<String> {
    let file = parse("r.yml", text).unwrap_or_else(|errors| panic!("{text}\n{}", errors[0]));
    let told = |warning: &RuleWarning| {
        let RuleWarning { lint, place, message } = warning;
        format!("{}:{} {lint}: {message}", place.line, place.column)
    };
    file.warnings.iter().map(told).collect()
}

fn query(query: &str) -> Vec<String> {
    warnings(&with("query", &format!("query: '{query}'")))
}

#[test]
fn a_sound_rule_is_not_warned_about() {
    assert_eq!(warnings(SOUND), [""; 0]);
}

/// Each: the key whose line is replaced, by what, and the one warning.
const FOUND: &[(&str, &str, &str)] = &[
    (
        "query",
        "query: sevice:security",
        "4:8 unknown-field: `sevice` is read as `metadata.sevice`: did you mean `service`?",
    ),
    (
        "message",
        "message: '{user_id} has {metadata.amount.value}'",
        "5:26 unknown-field: no format of ours writes `amount.value`: it is there only if a producer sends it in `metadata`",
    ),
    (
        "query",
        "query: a | join (b) on user_id = account | within 1h",
        "4:34 unknown-field: no format of ours writes `account`: it is there only if a producer sends it in `metadata`",
    ),
    (
        "query",
        "query: service:shop AND severity:high",
        "4:34 severity-literal: this leaves out events worse than high: `| where severity >= high` takes them in",
    ),
    (
        "query",
        "query: service:* AND NOT source_ip:10.0.0.1 OR severity:* | suppress 1h",
        "4:8 matches-everything: nearly every event passes this filter: name the service, the event or the field it is about",
    ),
    (
        "query",
        "query: x | new value of source_ip by user_id within 91d",
        "4:8 window-beyond-retention: it looks back 91 days, and facts are kept for 90",
    ),
    (
        "query",
        "query: x | where path like \"%admin%\"",
        "4:28 doubtful-query: `%` stands for itself here: `*` is any text and `?` any one character",
    ),
    (
        "message",
        "message: fixed",
        "5:10 message-constant: the message names nothing of the event, so every alert of the rule reads the same",
    ),
    (
        "title",
        "title: T\ntimezone: UTC",
        "3:11 unused-timezone: the time zone has no effect: the query asks for no hour and no weekday",
    ),
    (
        "    expect",
        "    expect: []",
        "1:5 missing-tests: `brute_force` has no test in which it fires",
    ),
    (
        "    expect",
        "    expect: [{}]",
        "1:5 missing-tests: `brute_force` has no test in which it is silent, with events that it must not take for what it finds",
    ),
    (
        "    events",
        "    events:\n      - {audit: true, time: 2026-01-05T00:00:00Z, action: delete, success: true}",
        "9:9 audit-event-incomplete: this audit event does not say who (`user_id` or `user_email`), where (`source_ip`)",
    ),
];

#[test]
fn likely_mistakes_are_found_at_their_place() {
    for (key, lines, expected) in FOUND {
        let found = warnings(&with(key, lines));
        // What stands in both tests is found in both.
        assert_eq!(found.first().map(String::as_str), Some(*expected), "{lines}");
        let of_lint = |found: &String| found.split(' ').nth(1) == expected.split(' ').nth(1);
        assert!(found.iter().all(of_lint), "{lines}: {found:#?}");
    }
    let untested: String = SOUND.lines().take(5).map(|line| format!("{line}\n")).collect();
    let expected = "1:5 missing-tests: `brute_force` has no tests: nothing shows that it fires";
    assert_eq!(warnings(&untested), [expected]);
}

#[test]
fn a_warning_is_told_as_a_compiler_tells_it() {
    let file = parse("r.yml", &with("message", "message: fixed")).expect("it is a rule");
    let expected = "r.yml:5:10: warning: the message names nothing of the event, so every alert of the rule reads the same \
                    [message-constant]\n 5 | message: fixed\n   |          ^^^^^";
    assert_eq!(file.warnings[0].to_string(), expected);
}

#[test]
fn a_lint_that_is_off_says_nothing_and_one_that_need_not_be_off_is_told() {
    let off = |lints: &str| with("query", &format!("query: severity:high\nlint_off: {lints}"));
    assert_eq!(
        warnings(&off("{severity-literal: critical ones have a rule of their own}")),
        [""; 0]
    );
    let found = warnings(&off("{severity-literal: there is another, missing-tests: no time}"));
    assert_eq!(
        found,
        ["5:48 unused-lint-off: `missing-tests` finds nothing here: it need not be off"]
    );
    let refused = |lints: &str| parse("r.yml", &off(lints)).expect_err(lints)[0].message.clone();
    assert!(
        refused("{severty-literal: x}")
            .contains("there is no lint `severty-literal`: did you mean `severity-literal`?")
    );
    assert!(refused("{severity-literal: }").contains("`severity-literal` is text, not nothing"));
    assert!(refused("[severity-literal]").contains("`lint_off` is a mapping from a lint to the reason"));
}

#[test]
fn severities_that_leave_nothing_out() {
    for fine in [
        "severity:high OR severity:critical",
        "x | where severity in (high, critical)",
        "x | where severity >= high",
        "x AND severity:low",
        "x AND NOT severity:medium",
        "x | where severity != medium",
    ] {
        assert_eq!(query(fine), [""; 0], "{fine}");
    }
    assert_eq!(query("x | where severity = medium").len(), 1);
}

#[test]
fn filters_that_take_everything_and_ones_that_do_not() {
    for everything in [
        "severity:*",
        "severity:* AND level:*",
        "x OR message:*",
        "severity:* | where hour >= 1 OR severity >= medium",
        "NOT user_id:alice AND NOT user_id:bob OR NOT service:billing",
        "severity:low OR severity:medium OR severity:high OR severity:critical",
        "service:a* OR format:* | where hour >= 22 OR hour <= 6",
    ] {
        // One alert for each would be refused.
        let found = query(&format!("{everything} | suppress 1h"));
        assert!(
            found.iter().any(|found| found.contains("matches-everything")),
            "{everything}: {found:?}"
        );
    }
    for some in [
        "service:security",
        "user_id:*",
        "NOT user_id:alice",
        "severity:* AND user_role:admin",
        "severity:low OR severity:critical",
        "source_ip:* | where hour >= 22",
    ] {
        let found = query(some);
        assert!(
            !found.iter().any(|found| found.contains("matches-everything")),
            "{some}: {found:?}"
        );
    }
}

#[test]
fn fields_of_formats_and_canonical_ones_are_known() {
    for known in [
        "status_code:500",
        "metadata.new_role:admin",
        "trace_id:a AND target_id:b",
        "metadata.user_id:a",
    ] {
        let found = query(known);
        assert!(
            !found.iter().any(|found| found.contains("unknown-field")),
            "{known}: {found:?}"
        );
    }
    assert!(
        warnings(&with("message", "message: from {source-ip}"))[0]
            .starts_with("5:16 unknown-field: `source-ip` is read as")
    );
}

#[test]
fn the_folder_and_the_list_agree_and_every_lint_is_found_once() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lints")).expect("the folder is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("it can be read").file_name();
    let files: BTreeSet<String> = folder.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    let mut listed: BTreeSet<String> = LINTS.iter().map(|lint| lint.name().replace('-', "_") + ".rs").collect();
    listed.insert("tests.rs".to_owned());
    assert_eq!(files, listed);
    let told = |lint: &str| {
        FOUND
            .iter()
            .any(|(_, _, expected)| expected.contains(&format!(" {lint}: ")))
    };
    let untold: Vec<&str> = LINTS
        .iter()
        .map(|lint| lint.name())
        .filter(|lint| !told(lint))
        .collect();
    assert_eq!(untold, [""; 0], "these are not shown to find anything");
}

#[test]
fn every_lint_has_its_row_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
    let text = std::fs::read_to_string(path).expect("the documentation is there");
    for (name, about) in all() {
        assert!(
            text.contains(&format!("| `{name}` | {about} |\n")),
            "| `{name}` | {about} |"
        );
    }
}
