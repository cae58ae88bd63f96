use crate::lints::{ALERT_FIELD, SILENT_ALERTS};
use crate::{Rule, load};

/// A rule file with this id and query, and lines of its own.
fn file(id: &str, query: &str, more: &str) -> (String, String) {
    let text = format!(
        "id: {id}\ntitle: T\nseverity: high\nmessage: M {{source_ip}}\nquery: {query}\n{more}tests:\n  - {{name: n, events: [{{}}], expect: []}}\n"
    );
    (format!("{id}.yml"), text)
}

const COUNT: &str = "security_event:login_failed | window 5m | group by source_ip | count > 10";

fn loaded(files: &[(&str, &str, &str)]) -> (Vec<String>, Vec<String>) {
    let files = files.iter().map(|(id, query, more)| file(id, query, more));
    match load(files.collect::<Vec<_>>()) {
        Ok(loaded) => (
            Vec::new(),
            loaded
                .warnings
                .iter()
                .filter(|warning| [SILENT_ALERTS.0, ALERT_FIELD.0].contains(&warning.lint))
                .map(|warning| format!("{}:{}: {}", warning.place.file, warning.place.line, warning.message))
                .collect(),
        ),
        Err(errors) => (
            errors
                .iter()
                .map(|error| format!("{}:{}: {}", error.place.file, error.place.line, error.message))
                .collect(),
            Vec::new(),
        ),
    }
}

fn errors(files: &[(&str, &str, &str)]) -> Vec<String> {
    loaded(files).0
}

fn warnings(files: &[(&str, &str, &str)]) -> Vec<String> {
    let (errors, warnings) = loaded(files);
    assert_eq!(errors, [""; 0]);
    warnings
}

#[test]
fn a_chain_loads_and_has_its_levels() {
    let files = [
        file("a", COUNT, ""),
        file("b", "alert:a | window 1h | group by source_ip | count > 1", ""),
        file("c", "alert:b AND alert:a", ""),
        file("d", "alert:c OR alert:a", ""),
    ];
    let loaded = load(files).expect("nothing is wrong with them");
    let level = |rule: &std::sync::Arc<Rule>| loaded.rule_set.level(&rule.id);
    let levels: Vec<_> = loaded.rule_set.rules().iter().map(level).collect();
    assert_eq!(levels, [Some(0), Some(1), Some(2), Some(3)]);
    assert!(loaded.warnings.iter().all(|warning| warning.lint == "missing-tests"));
}

#[test]
fn a_rule_that_is_not_there_is_refused_and_the_nearest_is_named() {
    let files = [
        ("brute_force", COUNT, ""),
        ("b", "alert:brute_forc", ""),
        ("c", "alert:zzz", ""),
    ];
    assert_eq!(
        errors(&files),
        [
            "b.yml:5: there is no rule `brute_forc` whose alerts could be read: did you mean `brute_force`?",
            "c.yml:5: there is no rule `zzz` whose alerts could be read",
        ]
    );
}

#[test]
fn what_could_not_be_read_is_not_called_missing() {
    let found = errors(&[("a", "x | windw 5m", ""), ("b", "alert:a", "")]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn circles_are_refused_once_each() {
    let files = [
        ("a", "alert:b", ""),
        ("b", "alert:c OR x", ""),
        ("c", "alert:a", ""),
        ("d", "alert:d", ""),
        ("e", "alert:c AND alert:d", ""),
    ];
    assert_eq!(
        errors(&files),
        [
            "a.yml:5: rules that read each other's alerts in a circle: `a` reads `b` reads `c` reads `a`",
            "d.yml:5: rules that read each other's alerts in a circle: `d` reads `d`",
        ]
    );
}

#[test]
fn more_than_three_levels_are_refused_where_the_fourth_begins() {
    let files = [
        ("e", "alert:d AND y", ""),
        ("d", "alert:c", ""),
        ("c", "alert:b", ""),
        ("b", "alert:a", ""),
        ("a", COUNT, ""),
        ("f", "alert:e", ""),
    ];
    assert_eq!(
        errors(&files),
        ["e.yml:5: this rule reads alerts of alerts 4 levels deep: at most 3 are possible"]
    );
    assert_eq!(errors(&files[1..5]), [""; 0]);
}

#[test]
fn a_long_chain_is_no_deep_recursion() {
    let rule = |at: usize| file(&format!("r{at:05}"), &format!("alert:r{:05}", at + 1), "");
    let mut files: Vec<_> = (0..3000).map(rule).collect();
    files.push(file("r03000", COUNT, ""));
    assert_eq!(load(files).expect_err("it is too high").len(), 1);
    let mut files: Vec<_> = (0..3000).map(rule).collect();
    files.push(file("r03000", "alert:r00000", ""));
    assert_eq!(load(files).expect_err("it is a circle").len(), 1);
}

#[test]
fn a_field_that_the_alerts_do_not_have_is_warned_of() {
    let key = "alerts of `a` have no field `user_id`: they have source_ip; rule_id, severity, message, event_id, time, tenant";
    let of = |query: &str| warnings(&[("a", COUNT, ""), ("b", query, "")]);
    for query in [
        "alert:a | window 1h | group by user_id | count > 1",
        "alert:a AND user_id:root",
        "alert:a | join (security_event:login_success) on user_id | within 1h",
    ] {
        assert_eq!(of(query), [format!("b.yml:5: {key}")], "{query}");
    }
    for query in [
        "alert:a | window 1h | group by source_ip | count > 1",
        "alert:a AND metadata.source_ip:192.*",
        "alert:a AND rule_id:a AND severity:critical",
        "alert:a OR user_id:root",
        "security_event:login_success | join (alert:a) on source_ip | within 1h",
    ] {
        assert_eq!(of(query), [""; 0], "{query}");
    }
    let of_one_event = [
        ("a", "security_event:x", ""),
        ("b", "alert:a | window 1h | group by user_id | count > 1", ""),
    ];
    assert_eq!(warnings(&of_one_event), [""; 0], "it has the fields of its event");
}

#[test]
fn reading_a_rule_that_is_off_is_warned_of() {
    let files = [
        ("a", COUNT, "mode: off\n"),
        ("b", "alert:a", ""),
        ("c", "alert:a AND x", "mode: off\n"),
    ];
    assert_eq!(warnings(&files), ["b.yml:5: `a` is off: it has no alerts to read"]);
}
