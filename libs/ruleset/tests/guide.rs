//! The six rules of the guide: as text, as meaning, and the documentation's examples beside them.
#![allow(
    clippy::disallowed_methods,
    reason = "the rules, the documentation and the golden file are read"
)]

use std::path::{Path, PathBuf};

use ruleset::{Loaded, Pattern, Rule, load};

/// Each: the file, the query and the message, character for character.
const GUIDE: [(&str, &str, &str); 6] = [
    (
        "brute_force.yml",
        "service:security AND security_event:login_failed | window 5m | group by source_ip | count > 10",
        "Brute force attack detected from {source_ip}",
    ),
    (
        "account_takeover.yml",
        "service:security AND security_event:login_success AND new_device_login | join (security_event:password_reset_requested) on user_id | within 24h",
        "Possible account takeover for user {user_id}",
    ),
    (
        "privilege_escalation.yml",
        "service:security AND security_event:role_changed | where metadata.new_role = \"admin\"",
        "User {target_id} promoted to admin by {user_id}",
    ),
    (
        "api_abuse.yml",
        "service:security AND security_event:rate_limit_exceeded | window 1h | group by source_ip | count > 50",
        "Sustained API abuse from {source_ip}",
    ),
    (
        "impossible_travel.yml",
        "service:security AND security_event:impossible_travel",
        "Impossible travel detected for user {user_id}",
    ),
    (
        "admin_off_hours.yml",
        "service:security AND severity:high | where hour >= 22 OR hour <= 6 | where user_role = \"admin\"",
        "Admin activity outside business hours",
    ),
];

/// A rule for every pattern, window, aggregate and test that the guide's rules do not have.
const PATTERNS: [(&str, &str); 18] = [
    (
        "absence",
        "a | without (b | where c exists) on k = l, m within 10m | grace 5m",
    ),
    ("absence_around", "a | without (b) around within 1h"),
    ("absence_before", "a | without (b) before on k within 1h | suppress 2h"),
    (
        "aggregate_average",
        "a | session gap 30m max 24h | group by k | avg(f) < -1.5",
    ),
    (
        "aggregate_count",
        "a | window 5m | group by k | count != 3 | lateness 1m",
    ),
    (
        "aggregate_distinct",
        "a | window 10m every 1m | count_distinct(f, g) >= 5",
    ),
    ("aggregate_maximum", "a | window 1h | group by k, l | max(f) > 10"),
    (
        "aggregate_minimum",
        "a | window 1h | group by k | min(metadata.f) <= 0.5",
    ),
    (
        "aggregate_percentile",
        "a | window 1h tumbling | group by k | percentile(f, 99.9) >= 500",
    ),
    (
        "aggregate_sum",
        "a | window 1d tumbling | group by k | sum(f) > 1000000 | every_match",
    ),
    ("alerts", "alert:guide_brute_force | group by source_ip | suppress 1h"),
    ("new_value", "a | new value of f by k, l within 30d"),
    ("sequence_any_order", "sequence (a) and (b) and (c) by k | within 1h"),
    (
        "sequence_ordered",
        "x | sequence (a | count >= 5) then (b | where c = 1) by k = l, m within 1h | keep_alive 2h",
    ),
    (
        "suppressed_count",
        "a | window 5m | group by k | count > 10 | suppress 4h",
    ),
    (
        "values",
        "a:[1 TO 5} AND b:(c*, 10.0.0.0/8) AND d:/e+/ AND f:* | where g != field(h) AND i in (2001:db8::/32, j) AND k !~ \"l\"",
    ),
    (
        "zone_of_its_own",
        "a | where hour in timezone Europe/Berlin >= 22 AND weekday in timezone Asia/Tokyo = sun",
    ),
    (
        "zone_of_the_rule",
        "a | where hour >= 22 OR weekday in timezone Asia/Tokyo = sun",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn guide() -> Vec<(String, String)> {
    let folder = root().join("rules/guide");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths
        .map(|path| {
            (
                path.file_name().expect("a file").to_string_lossy().into_owned(),
                read(&path),
            )
        })
        .collect()
}

fn loaded() -> Loaded {
    load(guide()).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

#[test]
fn the_queries_and_messages_are_the_guides_own() {
    let files = guide();
    assert_eq!(files.len(), GUIDE.len());
    for (name, query, message) in GUIDE {
        let (_, text) = files
            .iter()
            .find(|(file, _)| file == name)
            .unwrap_or_else(|| panic!("{name} is not there"));
        assert!(text.contains(&format!("\nquery: {query}\n")), "{name}");
        assert!(text.contains(&format!("\nmessage: {message}\n")), "{name}");
    }
}

#[test]
fn every_rule_has_a_test_that_fires_and_one_that_does_not() {
    for rule in loaded().rule_set.rules() {
        assert!(
            rule.tests.iter().any(|test| !test.expect.is_empty()),
            "{} never fires",
            rule.id
        );
        assert!(
            rule.tests.iter().any(|test| test.expect.is_empty()),
            "{} is never silent",
            rule.id
        );
    }
}

/// The guide's sixth rule leaves out critical events, and its message names nobody: its file says that this is known.
#[test]
fn nothing_is_left_to_warn_of_and_what_is_off_is_known() {
    assert_eq!(loaded().warnings, []);
    let asked: Vec<(String, String)> = guide()
        .into_iter()
        .map(|(name, text)| (name, text.replace("lint_off:", "lint_off: {}\nx-off:")))
        .collect();
    let errors = load(asked).expect_err("the key is not known");
    assert_eq!(errors.len(), 1, "one file turns lints off: {errors:?}");
    assert_eq!(errors[0].place.file, "admin_off_hours.yml");
}

/// The schema for editors is that of the reader. `GOLDEN=write` writes the file.
#[test]
fn the_schema_that_is_shipped_is_that_of_the_code() {
    let path = root().join("deploy/rule.schema.json");
    let written = format!("{:#}\n", ruleset::schema());
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&path, &written).expect("the schema can be written");
    }
    assert_eq!(read(&path), written);
}

/// State is kept by the hash of the meaning: a change here is a decision to forget the state of every user of the
/// rule. `GOLDEN=write` writes the file.
#[test]
fn the_meanings_of_the_guide_have_not_drifted() {
    let of_guide = loaded();
    let of_patterns: Vec<_> = PATTERNS.iter().map(|(id, query)| alone(id, query)).collect();
    let rules = of_guide.rule_set.rules().iter().map(AsRef::as_ref).chain(&of_patterns);
    let written: Vec<_> = rules.map(in_full).collect();
    let written = written.join("\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/meanings.txt");
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&path, &written).expect("the golden file can be written");
    }
    assert_eq!(read(&path), written);
}

/// The rule of a query, without the guide's.
fn alone(id: &str, query: &str) -> Rule {
    let text = rule_of(id, query);
    let mut file = ruleset::parse(id, &text).unwrap_or_else(|errors| panic!("{}", errors[0]));
    file.rules.remove(0)
}

fn rule_of(id: &str, query: &str) -> String {
    format!("id: {id}\ntitle: Example\nseverity: low\nmessage: \"{{user_id}}\"\nquery: |\n  {query}\n")
}

fn in_full(rule: &Rule) -> String {
    format!("{} {}\n{}\n", rule.id, rule.hash, rule.meaning())
}

/// In `docs/rules.md` a block marked `query` has one query a line, and a block marked `yaml` is a rule file.
#[test]
fn every_example_of_the_documentation_loads() {
    let text = read(&root().join("docs/rules.md"));
    let blocks = |kind: &str| -> Vec<String> {
        let fence = format!("```{kind}\n");
        let parts = text.split(&fence).skip(1);
        parts
            .map(|part| part.split("```").next().unwrap_or_default().to_owned())
            .collect()
    };
    let queries: Vec<String> = blocks("query")
        .iter()
        .flat_map(|block| block.lines())
        .map(str::to_owned)
        .collect();
    assert!(
        queries.len() > 20 && blocks("yaml").len() > 1,
        "the examples are not found"
    );
    for query in queries {
        let rule = rule_of("example", &query);
        // Beside the guide's, whose alerts some examples read.
        let mut files = guide();
        files.push(("example".to_owned(), rule));
        assert!(load(files.clone()).is_ok(), "{}", load(files).expect_err("it fails")[0]);
    }
    for rule in blocks("yaml") {
        assert!(
            load([("docs/rules.md", &rule)]).is_ok(),
            "{}",
            load([("docs/rules.md", &rule)]).expect_err("it fails")[0]
        );
    }
}

#[test]
fn the_six_are_two_counts_a_join_and_three_for_single_events() {
    let kinds = |wanted: fn(&Pattern) -> bool| {
        loaded()
            .rule_set
            .rules()
            .iter()
            .filter(|rule| wanted(&rule.pattern))
            .count()
    };
    assert_eq!(kinds(|pattern| matches!(pattern, Pattern::Count(_))), 2);
    assert_eq!(kinds(|pattern| matches!(pattern, Pattern::Join(_))), 1);
    assert_eq!(kinds(|pattern| matches!(pattern, Pattern::Each(_))), 3);
}
