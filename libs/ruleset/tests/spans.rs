//! How long an episode goes on, and how late an event may be, as far as a query says it and where it does not.

use std::time::Duration;

use ruleset::{Rule, parse};

fn file(query: &str, more: &str) -> String {
    format!("id: a\ntitle: A\nseverity: low\nmessage: \"{{user_id}}\"\n{more}query: |\n  {query}\n")
}

fn rule(query: &str) -> Rule {
    let mut read = parse("a.yml", &file(query, "")).unwrap_or_else(|errors| panic!("{}", errors[0]));
    read.rules.remove(0)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[test]
fn what_is_not_said_follows_from_the_pattern() {
    // Each: keep-alive, suppression, grace, lateness in seconds.
    let cases = [
        ("a | window 5m | count > 1", [5 * MINUTE, 0, 5 * MINUTE, HOUR]),
        ("a | window 1h every 5m | count > 1", [HOUR, 0, 10 * MINUTE, HOUR]),
        ("a | window 5m tumbling | count < 3", [5 * MINUTE, 0, 5 * MINUTE, HOUR]),
        (
            "a | session gap 2m max 1d | count > 1",
            [2 * MINUTE, 0, 10 * MINUTE, HOUR],
        ),
        ("a | join (b) on k within 1d", [DAY, 0, 10 * MINUTE, HOUR]),
        ("a | without (b) on k within 1m", [MINUTE, 0, MINUTE, HOUR]),
        ("sequence (a) then (b) by k within 2h", [2 * HOUR, 0, 10 * MINUTE, HOUR]),
        ("a | new value of f by k within 7d", [0, 0, 10 * MINUTE, HOUR]),
        (
            "a | window 5m | count > 1 | suppress 1h",
            [5 * MINUTE, HOUR, 5 * MINUTE, HOUR],
        ),
        (
            "a | window 5m | count > 1 | keep_alive 1h | suppress 1d",
            [HOUR, DAY, 5 * MINUTE, HOUR],
        ),
        ("a | window 5m | count > 1 | every_match", [0, 0, 5 * MINUTE, HOUR]),
        ("a | group by k | suppress 1h", [HOUR, 0, 10 * MINUTE, HOUR]),
        (
            "a | group by k | keep_alive 1m | suppress 1h",
            [MINUTE, HOUR, MINUTE, HOUR],
        ),
        ("a | window 5m | count < 3 | grace 0s | keep_alive 1ms", [0, 0, 0, HOUR]),
        (
            "a | window 5m | count > 3 | lateness 2h",
            [5 * MINUTE, 0, 5 * MINUTE, 2 * HOUR],
        ),
        ("a", [0, 0, 0, HOUR]),
    ];
    for (query, expected) in cases {
        let timing = rule(query).timing;
        let found = [timing.keep_alive, timing.suppress, timing.grace, timing.lateness];
        assert_eq!(found.map(|span| span.as_secs()), expected, "{query}");
    }
    let shortest = rule("a | window 5m | count < 3 | keep_alive 1ms").timing.keep_alive;
    assert_eq!(shortest, Duration::from_millis(1));
}

#[test]
fn a_suppression_that_ends_before_the_episode_does_is_refused() {
    let refused = [
        ("a | window 5m | count > 1 | suppress 5m", ""),
        ("a | window 5m | count > 1 | keep_alive 2h | suppress 1h", ""),
        ("a | group by k | keep_alive 2h | suppress 1h", ""),
        ("a | window 5m | count > 1 | suppress 1h", "keep_alive: 2h\n"),
    ];
    for (query, more) in refused {
        let errors = parse("a.yml", &file(query, more)).expect_err(query);
        assert!(
            errors[0].message.contains("not longer than `keep_alive`"),
            "{}",
            errors[0]
        );
    }
    let errors = parse(
        "a.yml",
        &file("a | window 5m | count > 1 | every_match", "suppression: 1h\n"),
    );
    assert!(
        errors.expect_err("they contradict")[0]
            .message
            .contains("none can be suppressed")
    );
    let file = file("a | window 2h | count > 1 | suppress 1h", "keep_alive: 5m\n");
    assert!(parse("a.yml", &file).is_ok(), "the file may make it shorter");
}
