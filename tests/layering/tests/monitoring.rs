//! What Prometheus is asked for exists: no compiler sees that a metric was renamed under an alert.

use std::collections::{BTreeMap, BTreeSet};

const RULES: &str = "deploy/prometheus/tidewatch.rules.yml";
const TESTS: [&str; 2] = [
    "deploy/prometheus/tidewatch.test.yml",
    "deploy/prometheus/tidewatch.silent.test.yml",
];
const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";
const RUNBOOK: &str = "docs/operations.md";
const PREFIX: &str = "tidewatch_";
/// What the names of recorded series begin with.
const RECORDED: &str = "tidewatch:";

/// What looks like a metric and is the value of a label: the id of a rule.
const LABEL_VALUES: [&str; 1] = ["tidewatch_canary"];

/// The calls that make a metric, and whether what they make is a histogram. `service::Metrics` puts the prefix before.
const MAKERS: [(&str, bool); 12] = [
    ("counter(", false),
    ("counters(", false),
    ("gauge(", false),
    ("gauges(", false),
    ("float_gauge(", false),
    ("float_gauges(", false),
    ("IntCounter::new(", false),
    ("IntGauge::new(", false),
    ("Opts::new(", false),
    ("histogram(", true),
    ("histograms(", true),
    ("HistogramOpts::new(", true),
];

/// The metrics that the code registers, and whether each is a histogram.
fn registered() -> BTreeMap<String, bool> {
    let is_source = |file: &String| {
        (file.starts_with("services/") || file.starts_with("libs/service/"))
            && file.contains("/src/")
            && file.ends_with(".rs")
            && !file.ends_with("/tests.rs")
    };
    let mut found = BTreeMap::new();
    for file in layering::files().into_iter().filter(is_source) {
        let text = layering::read(&file);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (maker, is_histogram) in MAKERS {
            // `HistogramOpts::new(` ends in `Opts::new(`, and `float_gauge(` in `gauge(`.
            let begins =
                |before: &str| !before.ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
            for (at, _) in code.match_indices(maker).filter(|(at, _)| begins(&code[..*at])) {
                let argument = code[at + maker.len()..].trim_start();
                if let Some(name) = argument.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                    let name = name.strip_prefix(PREFIX).unwrap_or(name);
                    found.insert(format!("{PREFIX}{name}"), is_histogram);
                }
            }
        }
    }
    assert!(found.len() > 40, "the metrics of the code were misread: {found:?}");
    found
}

/// The names of metrics that a text mentions; a name that ends in `_` is the beginning of several.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter))
        .filter(|word| word.starts_with(PREFIX) && !word.ends_with('_') && !LABEL_VALUES.contains(word))
        .map(str::to_owned)
        .collect()
}

/// The names of recorded series that a text mentions.
fn mentioned_records(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_:".contains(letter);
    let words = text.split(|letter| !is_part(letter));
    words
        .filter(|word| word.starts_with(RECORDED))
        .map(str::to_owned)
        .collect()
}

fn exists(name: &str, registered: &BTreeMap<String, bool>) -> bool {
    let series = ["_bucket", "_sum", "_count"];
    registered.get(name) == Some(&false)
        || series
            .iter()
            .filter_map(|ending| name.strip_suffix(ending))
            .any(|histogram| registered.get(histogram) == Some(&true))
}

/// The values after `key:` in the lines of a file, in their order.
fn values(file: &str, key: &str) -> Vec<String> {
    let text = layering::read(file);
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
    let of_key = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    of_key.map(|value| value.trim().to_owned()).collect()
}

#[test]
fn every_metric_that_is_asked_for_is_registered() {
    let registered = registered();
    let is_asking = |file: &String| {
        (file.starts_with("deploy/") && [".yml", ".yaml", ".json"].iter().any(|ending| file.ends_with(ending)))
            || (file.starts_with("docs/") && file.ends_with(".md"))
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in layering::files().into_iter().filter(is_asking) {
        for name in mentioned(&layering::read(&file)) {
            count += 1;
            let is_written = exists(&name, &registered) || (file.ends_with(".md") && registered.contains_key(&name));
            if !is_written {
                wrong.push(format!("{file}: {name}"));
            }
        }
    }
    assert!(count > 30, "only {count} names were found");
    assert!(wrong.is_empty(), "no code registers:\n{}", wrong.join("\n"));
}

#[test]
fn every_alert_is_explained_and_the_explanations_explain_no_other() {
    let alerts: BTreeSet<String> = values(RULES, "alert").into_iter().collect();
    assert!(alerts.len() > 20, "the rules were misread: {alerts:?}");
    let links: BTreeSet<String> = values(RULES, "runbook_url").into_iter().collect();
    let wanted = alerts.iter().map(|alert| format!("{RUNBOOK}#{}", alert.to_lowercase()));
    assert_eq!(links, wanted.collect());
    let runbook = layering::read(RUNBOOK);
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    let explained: BTreeSet<String> = headings
        .filter(|heading| heading.starts_with("Tidewatch"))
        .map(str::to_owned)
        .collect();
    assert_eq!(explained, alerts);
}

#[test]
fn every_alert_is_seen_firing_and_silent() {
    let text = TESTS.map(layering::read).concat();
    for alert in values(RULES, "alert") {
        let silent = format!("alertname: {alert}, exp_alerts: []");
        assert!(text.contains(&silent), "no test sees {alert} silent");
        let firing = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        assert!(text.contains(&firing), "no test sees {alert} firing");
    }
}

#[test]
fn every_recorded_series_that_is_asked_for_is_recorded() {
    let recorded: BTreeSet<String> = values(RULES, "record").into_iter().collect();
    assert!(recorded.iter().all(|name| name.starts_with(RECORDED)), "{recorded:?}");
    let is_asking = |file: &String| {
        ["deploy/prometheus/", "deploy/grafana/"]
            .iter()
            .any(|folder| file.starts_with(folder))
    };
    let asking = layering::files().into_iter().filter(is_asking);
    let asked: BTreeSet<String> = asking
        .flat_map(|file| mentioned_records(&layering::read(&file)))
        .collect();
    assert_eq!(asked, recorded);
}

#[test]
fn what_silences_and_what_is_silenced_are_alerts_of_ours() {
    let alerts: BTreeSet<String> = values(RULES, "alert").into_iter().collect();
    let text = layering::read(ALERTMANAGER);
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_alert = |word: &&str| word.strip_prefix("Tidewatch").is_some_and(|rest| !rest.is_empty());
    let named: BTreeSet<&str> = words.filter(is_alert).collect();
    assert!(named.len() > 5, "{named:?}");
    let unknown: Vec<&str> = named.into_iter().filter(|name| !alerts.contains(*name)).collect();
    assert!(unknown.is_empty(), "no alert has the name of {unknown:?}");
}
