//! The committed dashboards, and what Grafana makes of their expressions before it asks Prometheus.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

/// What a dashboard asks.
pub struct Dashboard {
    /// Its name in links.
    pub uid: String,
    /// What a person can choose.
    pub variables: Vec<Variable>,
    /// What is asked, with the panel that asks it.
    pub questions: Vec<Question>,
}

/// An expression of a panel.
pub struct Question {
    /// The panel's title.
    pub panel: String,
    /// With variables in it.
    pub expression: String,
}

/// A variable of a dashboard whose values can be chosen.
pub struct Variable {
    /// Its name, without `$`.
    pub name: String,
    /// What `All` is replaced by; none where one value is chosen.
    pub all: Option<String>,
    /// The series and the label whose values can be chosen, if Prometheus is asked.
    pub query: Option<(String, String)>,
}

/// All of `deploy/grafana/dashboards`, by their names.
///
/// # Panics
/// If they are not there, or are none.
pub fn load() -> Vec<Dashboard> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/dashboards");
    let files = std::fs::read_dir(directory).expect("deploy/grafana/dashboards is there");
    let mut paths: Vec<_> = files.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("text");
        dashboard(&serde_json::from_str(&text).expect("JSON"))
    };
    paths.iter().map(read).collect()
}

fn dashboard(json: &Value) -> Dashboard {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut questions = Vec::new();
    // Those of a row that is folded are within it.
    for panel in list(&json["panels"])
        .iter()
        .flat_map(|panel| [vec![panel.clone()], list(&panel["panels"])].concat())
    {
        for target in list(&panel["targets"]) {
            questions.push(Question {
                panel: text(&panel["title"]),
                expression: text(&target["expr"]),
            });
        }
    }
    for annotation in list(&json["annotations"]["list"]) {
        if annotation["expr"].is_string() {
            questions.push(Question {
                panel: text(&annotation["name"]),
                expression: text(&annotation["expr"]),
            });
        }
    }
    let variables = list(&json["templating"]["list"]);
    Dashboard {
        uid: text(&json["uid"]),
        variables: variables.iter().map(variable).collect(),
        questions,
    }
}

fn variable(json: &Value) -> Variable {
    let asked = json["query"]["query"].as_str();
    let query = asked.map(|asked| {
        let inner = asked
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'));
        let (series, label) = inner
            .and_then(|inner| inner.rsplit_once(", "))
            .expect("label_values(series, label)");
        (series.to_owned(), label.to_owned())
    });
    Variable {
        name: text(&json["name"]),
        all: json["allValue"].as_str().map(str::to_owned),
        query,
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

impl Dashboard {
    /// What Grafana puts for each variable while `All` is chosen, where a time range of `seconds` is looked at and
    /// Prometheus scrapes every second.
    pub fn all_chosen(&self, seconds: u64) -> BTreeMap<String, String> {
        let chosen = self.variables.iter();
        let mut values: BTreeMap<String, String> = chosen
            .filter_map(|variable| Some((variable.name.clone(), variable.all.clone()?)))
            .collect();
        // Four scrapes: the most of that and of an interval and a scrape.
        values.insert("__rate_interval".to_owned(), "4s".to_owned());
        values.insert("__range".to_owned(), format!("{seconds}s"));
        values
    }
}

/// An expression as Prometheus is asked it.
///
/// # Panics
/// If a variable has no value: Grafana would leave it as it stands.
pub fn substitute(expression: &str, values: &BTreeMap<String, String>) -> String {
    let variables = Regex::new(r"\$(?:\{(\w+)\}|(\w+))").expect("a pattern");
    let replaced = variables.replace_all(expression, |found: &regex::Captures<'_>| {
        let name = found.get(1).or(found.get(2)).expect("one of them").as_str();
        let value = values.get(name);
        value
            .unwrap_or_else(|| panic!("{expression}: {name} is no variable"))
            .clone()
    });
    replaced.into_owned()
}

/// Whether an expression depends on a variable.
pub fn mentions(expression: &str, variable: &str) -> bool {
    let pattern = format!(r"\$(?:\{{{variable}\}}|{variable}\b)");
    Regex::new(&pattern).expect("a pattern").is_match(expression)
}

/// The names of the series that an expression chooses: each is followed by its labels.
pub fn series_names(expression: &str) -> Vec<String> {
    let selectors = Regex::new(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{").expect("a pattern");
    let found = selectors.captures_iter(expression);
    found.map(|found| found[1].to_owned()).collect()
}
