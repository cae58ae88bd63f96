//! The dashboards of deploy/grafana as they stand: what neither Grafana's types nor Prometheus would notice. Their sources
//! are in deploy/grafana/src; `deploy/dev/grafana.sh check` tests that they are written anew, `tests/e2e/tests/dashboards.rs`
//! that they show something.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const RUNBOOK: &str = "docs/operations.md";
const DATASOURCES: &str = "deploy/grafana/provisioning/datasources/prometheus.yml";

/// How many columns a dashboard has.
const COLUMNS: u64 = 24;

/// Units as Grafana calls them: one that it does not know would stand as a word behind every number.
const UNITS: [&str; 11] = [
    "none",
    "short",
    "percentunit",
    "s",
    "bytes",
    "Bps",
    "eps",
    "reqps",
    "rps",
    "wps",
    "ops",
];

/// Variables that Grafana gives.
const GIVEN: [&str; 2] = ["__rate_interval", "__range"];

/// The dashboards by the names of their files.
fn dashboards() -> BTreeMap<String, Value> {
    let files = layering::files().into_iter();
    let files = files.filter(|file| file.starts_with("deploy/grafana/dashboards/") && file.ends_with(".json"));
    let read = |file: String| {
        let json = serde_json::from_str(&layering::read(&file)).expect("a dashboard is JSON");
        (file, json)
    };
    let found: BTreeMap<String, Value> = files.map(read).collect();
    assert_eq!(found.len(), 6, "{:?}", found.keys());
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Rows, and all panels, also those that are folded away in a row.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let outer = list(&dashboard["panels"]).iter();
    outer
        .flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])))
        .collect()
}

/// Fails with all complaints that `check` has of the dashboards.
fn check_each(check: impl Fn(&str, &Value) -> Vec<String>) {
    let mut wrong = Vec::new();
    for (file, dashboard) in dashboards() {
        let complaints = check(&file, &dashboard).into_iter();
        wrong.extend(complaints.map(|complaint| format!("{file}: {complaint}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The values that occur more than once.
fn repeated<T: Ord + Clone>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    values.into_iter().filter(|value| !seen.insert(value.clone())).collect()
}

#[test]
fn names_are_stable_and_of_one_dashboard_each() {
    check_each(|file, dashboard| {
        let stem = file.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
        let uid = format!("tidewatch-{}", stem.unwrap_or_default());
        let mut wrong = Vec::new();
        if dashboard["uid"] != *uid || !dashboard["id"].is_null() {
            wrong.push(format!("its uid is {uid}, and it has no id of one Grafana"));
        }
        if list(&dashboard["tags"]) != ["tidewatch"] {
            wrong.push("the links among the dashboards find it by the tag tidewatch".to_owned());
        }
        wrong
    });
    let titles: Vec<String> = dashboards()
        .values()
        .map(|one| text(&one["title"]).to_owned())
        .collect();
    assert_eq!(repeated(titles), Vec::<String>::new());
}

#[test]
fn panels_lie_beside_each_other() {
    check_each(|_, dashboard| {
        let mut wrong = Vec::new();
        let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
        let ids = panels(dashboard).into_iter().map(|panel| panel["id"].as_u64());
        wrong.extend(repeated(ids).iter().map(|id| format!("{id:?} is the id of two panels")));
        for panel in list(&dashboard["panels"]) {
            let title = text(&panel["title"]);
            let at = |name: &str| panel["gridPos"][name].as_u64().expect("a place is a number");
            if at("x") + at("w") > COLUMNS || at("w") == 0 || at("h") == 0 {
                wrong.push(format!("{title} is wider than {COLUMNS} columns, or has no size"));
            }
            for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                if let Some(other) = taken.insert((x, y), title) {
                    wrong.push(format!("{title} lies over {other}"));
                }
            }
        }
        wrong.dedup();
        wrong
    });
}

#[test]
fn every_panel_says_what_it_shows() {
    check_each(|_, dashboard| {
        let mut wrong = Vec::new();
        let shown = panels(dashboard).into_iter().filter(|panel| panel["type"] != "row");
        for panel in shown {
            let title = text(&panel["title"]);
            let mut expect = |is_right: bool, what: &str| {
                if !is_right {
                    wrong.push(format!("{title}: {what}"));
                }
            };
            expect(!title.is_empty(), "a panel has a title");
            expect(
                text(&panel["description"]).len() > 40,
                "it says what it means, and what is bad",
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            expect(UNITS.contains(&text(&defaults["unit"])), "its unit is none of the list");
            expect(!list(&defaults["thresholds"]["steps"]).is_empty(), "it has thresholds");
            let targets = list(&panel["targets"]);
            expect(!targets.is_empty(), "it asks something");
            let names = targets.iter().map(|target| text(&target["refId"]));
            expect(repeated(names).is_empty(), "two questions have one name");
            for asker in std::iter::once(panel).chain(targets) {
                let is_chosen = asker["datasource"]["uid"] == "${datasource}";
                expect(is_chosen, "it asks the data source that is chosen");
            }
            for target in targets {
                expect(!text(&target["expr"]).is_empty(), "a question is an expression");
                expect(!text(&target["legendFormat"]).is_empty(), "a series has a name");
            }
        }
        let titles = panels(dashboard).into_iter().map(|panel| text(&panel["title"]));
        let within: Vec<String> = repeated(titles)
            .iter()
            .map(|title| format!("two are called {title}"))
            .collect();
        [wrong, within].concat()
    });
}

/// The names after `$` or in `${…}` of a text.
fn variables(text: &str) -> BTreeSet<String> {
    let after = text.split('$').skip(1);
    let name = |rest: &str| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        rest.split(|letter| !is_part(letter))
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    after.map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn variables_are_defined_and_used() {
    check_each(|_, dashboard| {
        let mut without = dashboard.clone();
        // `$__all` there is no variable, and a definition is no use.
        let defined = without["templating"]["list"].take();
        let in_queries: Vec<String> = list(&defined).iter().map(|one| one["query"].to_string()).collect();
        let used = variables(&(without.to_string() + &in_queries.concat()));
        let names: BTreeSet<String> = list(&defined).iter().map(|one| text(&one["name"]).to_owned()).collect();
        let known: BTreeSet<String> = names.iter().cloned().chain(GIVEN.map(str::to_owned)).collect();
        let undefined = used
            .difference(&known)
            .map(|name| format!("{name} is used and not defined"));
        let unused = names
            .difference(&used)
            .map(|name| format!("{name} is defined and not used"));
        undefined.chain(unused).collect()
    });
}

/// A fixed span is wrong as soon as another scrape interval or another time range is chosen.
#[test]
fn rates_are_over_what_grafana_gives() {
    check_each(|_, dashboard| {
        let targets = panels(dashboard).into_iter().flat_map(|panel| list(&panel["targets"]));
        let mut wrong = Vec::new();
        for expression in targets.map(|target| text(&target["expr"])) {
            let spans = expression.split('[').skip(1).filter_map(|rest| rest.split(']').next());
            let fixed = spans.filter(|span| !GIVEN.iter().any(|given| *span == format!("${given}")));
            wrong.extend(fixed.map(|span| format!("{expression}: a span of {span}")));
        }
        wrong
    });
}

/// The anchors of the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    headings
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let page = layering::read(RUNBOOK);
    let headings = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n");
    let anchors = anchors(&headings);
    assert!(
        anchors.contains("the-alerts") && anchors.len() > 20,
        "the runbook was misread: {anchors:?}"
    );
    let count = std::cell::Cell::new(0);
    check_each(|_, dashboard| {
        let own = list(&dashboard["links"]).iter();
        let links = own.chain(panels(dashboard).into_iter().flat_map(|panel| list(&panel["links"])));
        let urls = links.map(|link| text(&link["url"])).filter(|url| !url.is_empty());
        let mut wrong = Vec::new();
        for url in urls {
            count.set(count.get() + 1);
            let anchor = url.strip_prefix("${docs}/operations.md#");
            if !anchor.is_some_and(|anchor| anchors.contains(anchor)) {
                wrong.push(format!("{url} leads nowhere"));
            }
        }
        wrong
    });
    assert!(count.get() > 40, "only {} links were found", count.get());
}

#[test]
fn the_data_source_that_is_provided_is_the_one_that_is_chosen() {
    let provided = layering::read(DATASOURCES);
    check_each(|_, dashboard| {
        let chosen = list(&dashboard["templating"]["list"]).iter();
        let mut chosen = chosen.filter(|variable| variable["type"] == "datasource");
        let uid = chosen.next().map_or("", |variable| text(&variable["current"]["value"]));
        let is_provided = provided.lines().any(|line| line.trim() == format!("uid: {uid}"));
        if is_provided {
            Vec::new()
        } else {
            vec![format!("no data source has the uid {uid:?}")]
        }
    });
}
