use proptest::prelude::*;

use super::*;
use crate::{Mode, Pattern, TestEvent};

/// A rule file of which every line can be replaced.
const RULE: &str = "\
id: brute_force
title: Brute force
severity: high
query: security_event:login_failed | window 5m | group by source_ip | count > 10
message: Brute force from {source_ip}
tests:
  - name: one failure is none
    events:
      - {time: 2026-01-05T00:00:00Z, security_event: login_failed, source_ip: 203.0.113.9}
    expect: []
";

/// The rule with the line of `key` replaced by `lines`.
fn with(key: &str, lines: &str) -> String {
    with_line(RULE, key, lines)
}

/// A rule with the line of `key` replaced by `lines`.
pub(crate) fn with_line(rule: &str, key: &str, lines: &str) -> String {
    let prefix = format!("{key}:");
    assert!(
        rule.lines().any(|line| line.starts_with(&prefix)),
        "there is no line {key}"
    );
    let replaced = |line: &str| {
        if line.starts_with(&prefix) {
            format!("{lines}\n")
        } else {
            format!("{line}\n")
        }
    };
    rule.lines().map(replaced).collect()
}

fn rule(text: &str) -> Rule {
    let mut file = parse("r.yml", text).unwrap_or_else(|errors| panic!("{text}\n{}", errors[0]));
    assert_eq!(file.rules.len(), 1);
    file.rules.remove(0)
}

/// Every error as `line:column: message`.
fn errors(text: &str) -> Vec<String> {
    let errors = parse("r.yml", text).expect_err(text);
    let told = |error: &RuleError| format!("{}:{}: {}", error.place.line, error.place.column, error.message);
    errors.iter().map(told).collect()
}

#[test]
fn a_rule_has_the_defaults_of_its_window() {
    let rule = rule(RULE);
    assert_eq!(
        (rule.id.as_str(), rule.file.as_str(), rule.mode),
        ("brute_force", "r.yml", Mode::Live)
    );
    let timing = (
        rule.timing.grace.as_secs(),
        rule.timing.lateness.as_secs(),
        rule.timing.keep_alive.as_secs(),
    );
    assert_eq!((timing, rule.timing.timezone.as_str()), ((300, 3600, 300), "UTC"));
    let [TestEvent::Fields(event)] = rule.tests[0].events.as_slice() else {
        panic!("{:?}", rule.tests)
    };
    assert_eq!(event["source_ip"], "203.0.113.9");
    let join = self::rule(&with("query", "query: a | join (b) on user_id | within 24h"));
    assert_eq!(
        (join.timing.grace.as_secs(), join.timing.keep_alive.as_secs()),
        (600, 86_400)
    );
}

#[test]
fn every_key_is_read() {
    let text = with(
        "title",
        "title: T\ndescription: |\n  two\n  lines\ntags: [attack.t1110]\nmode: off\ngrace: 1m\nlateness: 2h\nkeep_alive: 1h\n\
         runbook: https://example.com/runbook\nreferences: [https://example.com/a]\ntimezone: europe/berlin",
    );
    let rule = rule(&text);
    assert_eq!((rule.description.as_str(), rule.mode), ("two\nlines", Mode::Off));
    assert_eq!(
        (rule.tags, rule.references),
        (
            vec!["attack.t1110".to_owned()],
            vec!["https://example.com/a".to_owned()]
        )
    );
    assert_eq!(rule.runbook.as_deref(), Some("https://example.com/runbook"));
    let timing = (
        rule.timing.grace.as_secs(),
        rule.timing.lateness.as_secs(),
        rule.timing.keep_alive.as_secs(),
    );
    assert_eq!(
        (timing, rule.timing.timezone.as_str()),
        ((60, 7200, 3600), "Europe/Berlin")
    );
}

#[test]
fn the_message_is_a_template() {
    let message = |template: &str| rule(&with("message", &format!("message: '{template}'"))).message;
    let values = |name: &str| (name == "user_id").then(|| "alice".to_owned());
    assert_eq!(
        message("{{x}} {user_id} of {tenant}").render(values),
        "{x} alice of unknown"
    );
    let refused = |template: &str| errors(&with("message", &format!("message: '{template}'"))).remove(0);
    assert_eq!(
        refused("a {user_id"),
        "5:13: this brace is never closed: a brace itself is `{{`"
    );
    assert_eq!(
        refused("a } b"),
        "5:13: this brace was never opened: a brace itself is `}}`"
    );
    assert!(refused("{}").contains("is not a field name"));
    assert!(refused("{user_id + 1}").contains("is not a field name"));
    assert!(refused("{hour}").contains("is not a field"));
    assert!(
        errors(&with("message", "message: \"a\\tb\""))
            .remove(0)
            .contains("control characters")
    );
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_and_at_its_place() {
    let text = "\
id: a b
titel: T
severity: hihg
query: >
  security_event:login_failed
  | windw 5m
  | where hour = 25
message: from {source_ip
mode: on
";
    assert_eq!(
        errors(text),
        [
            "1:1: `title` is missing",
            "1:5: `a b` is not an id: ASCII letters, digits, `_`, `-` and `.`",
            "2:1: unknown key `titel`: did you mean `title`?",
            "3:11: `hihg` is not a severity: did you mean `high`?",
            "6:5: unknown stage `windw`: did you mean `window`?",
            "7:18: `25` is not an hour from 0 to 23",
            "8:15: this brace is never closed: a brace itself is `{{`",
            "9:7: `on` is not a mode: it is one of off, test, live",
        ]
    );
}

/// Each: the key whose line is replaced, the lines, and what the first error says.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "id",
        "id: 5",
        "1:5: `id` is text (in quotes, if it looks like something else), not a number",
    ),
    ("id", "id: ''", "1:5: `id` is empty"),
    ("title", "title: [a]", "2:8: `title` is text, not a list"),
    ("title", "title:", "`title` is text, not nothing"),
    (
        "title",
        "title: T\nsigma: x",
        "a rule has a `query` or `sigma`, not both",
    ),
    (
        "title",
        "title: T\ndetection: {}",
        "3:1: a rule of this language has a `query`, and one of Sigma has none",
    ),
    (
        "title",
        "title: T\ntimezone: Europe/Berln",
        "3:11: `Europe/Berln` is not a time zone: did you mean `Europe/Berlin`?",
    ),
    ("title", "title: T\ntimezone: Nowhere", "write an IANA name"),
    (
        "title",
        "title: T\nlateness: 25h",
        "3:11: lateness is from 0s to 24h, this is `25h`",
    ),
    ("title", "title: T\nkeep_alive: 5", "3:13: `keep_alive` is text"),
    ("title", "title: T\nkeep_alive: '5'", "3:13: `5` has no unit"),
    ("title", "title: T\nmode: yes", "`yes` is not a mode"),
    ("title", "title: T\ntags: attack", "3:7: `tags` is a list, not text"),
    (
        "title",
        "title: T\ntitle: U",
        "3:1: the key `title` stands here a second time",
    ),
    (
        "title",
        "title: T\ntests: []",
        "the key `tests` stands here a second time",
    ),
    (
        "query",
        "query: a\ngrace: 1m",
        "5:8: `grace` has no effect on a rule without a window or a join",
    ),
    (
        "query",
        "query: a | window 5m | count > 1 | grace 1m\ngrace: 1m",
        "5:8: `grace` stands in the query as well",
    ),
    (
        "    expect",
        "    expect: [{}, {cuont: 1}]",
        "10:19: unknown key `cuont`: did you mean `count`?",
    ),
    (
        "    expect",
        "    expect: [{key: {user_id: a}}]",
        "10:21: the rule is not keyed by `user_id`: it is one of source_ip",
    ),
    ("    expect", "    expect: [{count: -1}]", "`count` is a whole number"),
    (
        "    expect",
        "    expect: [{first_event_at: yesterday}]",
        "`yesterday` is not a time",
    ),
    (
        "    expect",
        "    expects: []",
        "10:5: unknown key `expects`: did you mean `expect`?",
    ),
    ("    expect", "", "7:5: `expect` is missing"),
    (
        "    events",
        "    events: {}\n    other:",
        "`events` is a list, not a mapping",
    ),
];

#[test]
fn what_cannot_be_right_is_refused_with_its_reason() {
    for (key, lines, says) in REFUSED {
        let found = errors(&with(key, lines));
        assert!(
            found.iter().any(|error| error.contains(says)),
            "{lines}\n  said {found:#?}\n  not {says}"
        );
    }
}

#[test]
fn the_events_of_a_test_are_canonical_events() {
    let event = |event: &str| {
        let line = format!("      - {{{event}}}");
        let text: String = RULE
            .lines()
            .map(|old| {
                if old.contains("- {time") {
                    format!("{line}\n")
                } else {
                    format!("{old}\n")
                }
            })
            .collect();
        parse("r.yml", &text).err().map(|errors| errors[0].message.clone())
    };
    assert_eq!(
        event("time: 2026-01-05T00:00:00Z, metadata: {anything: [1, {a: b}]}, tags: [t], repeat: 5"),
        None
    );
    assert!(event("sorce_ip: 1.2.3.4").is_some_and(|error| error.contains("did you mean `source_ip`?")));
    assert!(event("time: 2026-02-30T00:00:00Z").is_some_and(|error| error.contains("not an RFC 3339 time")));
    assert!(event("user_id: 5").is_some_and(|error| error.contains("`user_id` cannot be this: invalid type")));
    assert!(event("severity: hihg").is_some_and(|error| error.contains("`severity` cannot be this")));
    assert!(event("repeat: -1").is_some_and(|error| error.contains("`repeat` cannot be this")));
}

#[test]
fn a_file_holds_one_rule_or_several_documents() {
    let second = RULE.replace("brute_force", "second").replace("5m", "6m");
    let file =
        parse("r.yml", &format!("\u{feff}---\n{RULE}---\n{second}")).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(
        file.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
        ["brute_force", "second"]
    );
    assert!(parse("r.yml", &RULE.replace('\n', "\r\n")).is_ok());
    let marked = format!("\u{feff}{}", with("id", "id: a b"));
    assert!(errors(&marked)[0].starts_with("1:5:"), "a byte order mark is no column");
    for empty in ["", "# nothing\n", "---\n"] {
        assert_eq!(errors(empty), ["1:1: this file holds no rule"]);
    }
    assert!(errors("- id: a\n")[0].contains("separated by `---`"));
    assert!(errors("just text")[0].contains("a rule is a mapping"));
    let broken = errors(&format!(
        "{}---\n{}",
        with("severity", "severity: hihg"),
        with("severity", "severity: wrong")
    ));
    assert_eq!(
        broken.len(),
        2,
        "a mistake in one document does not hide another's: {broken:?}"
    );
}

#[test]
fn a_file_that_is_not_text_is_refused_at_its_byte() {
    let refused = |bytes: &[u8]| {
        let errors = load([("r.yml", bytes)]).expect_err("it is no text");
        let RuleError { place, message } = &errors[0];
        format!("{}:{}: {message}", place.line, place.column)
    };
    let latin = b"id: a\ntitle: M\xfcller\n";
    assert_eq!(refused(latin), "2:9: byte 14 of the file is not UTF-8");
    let wide: Vec<u8> = "\u{feff}id: a".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        refused(&wide),
        "1:1: byte 0 of the file is not UTF-8: the file is in UTF-16, and rule files are in UTF-8"
    );
}

#[test]
fn two_rules_of_one_id_or_one_meaning_are_refused_and_both_files_named() {
    let loaded = |second: &str| {
        load([("a.yml", RULE), ("b.yml", second)])
            .map(|loaded| loaded.rule_set)
            .map_err(|errors| {
                assert_eq!(errors.len(), 1);
                errors[0].to_string().lines().next().unwrap_or_default().to_owned()
            })
    };
    let other = RULE.replace("brute_force", "another");
    assert_eq!(
        loaded(RULE).err().as_deref(),
        Some("b.yml:1:5: error: the id `brute_force` is taken by a.yml:1")
    );
    let twin = "b.yml:4:8: error: this rule means the same as `brute_force` in a.yml:4: they would share their state";
    assert_eq!(
        loaded(&other.replace("Brute", "Other").replace("> 10", ">= 11"))
            .err()
            .as_deref(),
        Some(twin)
    );
    let set = loaded(&other.replace("5m", "6m")).expect("they differ");
    assert_eq!(
        set.rules().iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
        ["another", "brute_force"]
    );
    let empty = load::<&str, &str>([]).expect("nothing is wrong with nothing");
    assert!(empty.rule_set.rules().is_empty());
}

#[test]
fn the_hash_is_of_what_a_rule_means_and_of_nothing_else() {
    let base = rule(RULE);
    for (key, same) in [
        (
            "title",
            "title: Another title\ndescription: d\ntags: [x]\nmode: test\nrunbook: r\nreferences: [y]",
        ),
        ("severity", "severity: low"),
        ("message", "message: other {user_id}"),
        (
            "query",
            "query: (security_event:login_failed)  |window 300s|group by source_ip|count >= 11",
        ),
        (
            "query",
            "query: security_event:login_failed | window 5m | group by source_ip | count > 10 | keep_alive 5m",
        ),
        ("title", "title: T\nkeep_alive: 5m\nlateness: 1h\ngrace: 300s"),
        ("title", "title: T\ntimezone: Asia/Tokyo"),
    ] {
        assert_eq!(rule(&with(key, same)).hash, base.hash, "{same}");
    }
    let edits = [
        "query: security_event:login_success | window 5m | group by source_ip | count > 10",
        "query: security_event:login_failed AND x | window 5m | group by source_ip | count > 10",
        "query: NOT security_event:login_failed | window 5m | group by source_ip | count > 10",
        "query: security_event:login_failed | window 6m | group by source_ip | count > 10",
        "query: security_event:login_failed | window 5m | group by user_id | count > 10",
        "query: security_event:login_failed | window 5m | group by source_ip, user_id | count > 10",
        "query: security_event:login_failed | window 5m | group by user_id, source_ip | count > 10",
        "query: security_event:login_failed | window 5m | count > 10",
        "query: security_event:login_failed | window 5m | group by source_ip | count > 11",
        "query: security_event:login_failed | window 5m | group by source_ip | count > 10 | keep_alive 6m",
        "query: security_event:login_failed | window 5m | group by source_ip | count > 10 | lateness 2h",
        "query: security_event:login_failed | window 5m | group by source_ip | count > 10 | grace 1m",
        "query: security_event:login_failed | join (x) on user_id | within 5m",
        "query: security_event:login_failed | join (x) before on user_id | within 5m",
        "query: security_event:login_failed | join (x) after on user_id | within 5m",
        "query: security_event:login_failed | join (y) on user_id | within 5m",
        "query: security_event:login_failed | join (x) on user_id = target_id | within 5m",
        "query: security_event:login_failed | join (x) on user_id | within 6m",
        "query: security_event:login_failed | where hour > 5",
        "query: security_event:login_failed | where hour > 5\ntimezone: Asia/Tokyo",
        "query: security_event:login_failed | where hour >= 5",
        "query: security_event:login_failed | where weekday > 5",
        "query: security_event:login_failed | where a = 5",
        "query: security_event:login_failed | where a = \"5\"",
        "query: security_event:login_failed | where a = true",
        "query: security_event:login_failed | where a = \"true\"",
        "query: security_event:login_failed | where a in (\"true\")",
        "query: security_event:login_failed | where a like \"true\"",
        "query: security_event:login_failed | where a ~ \"true\"",
        "query: security_event:login_failed | where a exists",
    ];
    let mut hashes: Vec<_> = edits.iter().map(|edit| rule(&with("query", edit)).hash).collect();
    hashes.push(base.hash);
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), edits.len() + 1, "two of the edits mean the same");
}

#[test]
fn a_rule_for_single_events_has_no_timing_in_its_meaning() {
    let rule = rule(&with("query", "query: a"));
    assert!(matches!(rule.pattern, Pattern::Each(_)));
    assert_eq!(rule.meaning(), "tidewatch rule meaning 1\neach (word \"a\")");
}

/// Files of the largest size, each of the kind that costs a careless reader the most. The test is that it ends.
#[test]
fn the_worst_files_are_refused_soon() {
    const SIZE: usize = 1024 * 1024 - 1024;
    let filled = |unit: &str| unit.repeat(SIZE / unit.len());
    let numbered = |line: fn(usize) -> String, count| (0..count).map(line).collect::<String>();
    let with_regexes = |number: usize| {
        let regexes = vec!["a ~ \"b\""; 20].join(" OR ");
        RULE.replace("brute_force", &format!("r{number}"))
            .replace("security_event:login_failed", &format!("x | where {regexes}"))
    };
    let files = [
        filled("["),
        filled("{"),
        filled("- "),
        filled("a: "),
        filled("\""),
        filled("&a "),
        filled("---\n"),
        filled("---\nid: a\n"),
        filled(" \n"),
        numbered(|number| format!("key{number}: x\n"), 45_000),
        numbered(|number| format!("? [k{number}]\n: x\n"), 45_000),
        with("query", &format!("query: {}", "(".repeat(SIZE / 2))),
        with("query", &format!("query: {}", "a OR ".repeat(3_000))),
        with("query", &format!("query: {}", "& 'a' ".repeat(2_500))),
        with("query", &format!("query: a {}", "| b ".repeat(4_000))),
        with("message", &format!("message: \"{}\"", "{".repeat(901))),
        with(
            "    events",
            &format!("    events: [{}]\n    other:", "{sorce_ip: a, b: c},".repeat(20_000)),
        ),
        (0..100).map(with_regexes).collect::<Vec<_>>().join("---\n"),
    ];
    for text in files {
        let errors = errors(&text);
        assert!(
            !errors.is_empty() && errors.len() <= 100,
            "{}: {}",
            &text[..40],
            errors.len()
        );
    }
}

proptest! {
    #[test]
    fn no_file_is_a_panic(text in "\\PC{0,300}") {
        drop(parse("r.yml", &text));
    }

    /// A damaged rule file is refused or read, and what is told can be printed.
    #[test]
    fn no_damage_to_a_file_is_a_panic(cut in 0..RULE.len(), length in 0_usize..40, put in "[\\PC\n\t]{0,8}") {
        let mut text = RULE.to_owned();
        text.replace_range(cut..(cut + length).min(RULE.len()), &put);
        if let Err(errors) = parse("r.yml", &text) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(error.place.line >= 1 && error.place.column >= 1 && !error.to_string().is_empty());
            }
        }
    }
}
