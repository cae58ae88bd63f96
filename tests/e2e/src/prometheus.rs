//! A real Prometheus that scrapes what a test runs.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::log::PATIENCE;
use crate::process::wait_for;
use crate::web::Web;

/// How often it scrapes, and evaluates its rules.
pub const SCRAPE_SECONDS: u64 = 1;

/// A running Prometheus; ended, and its data gone, with the value.
pub struct Prometheus {
    child: Child,
    address: String,
    web: Arc<Web>,
    directory: TempDir,
}

/// A series of an answer: its labels, and its values without their times.
#[derive(Clone, Debug)]
pub struct Series {
    /// The name too, as `__name__`.
    pub labels: serde_json::Map<String, Value>,
    /// Oldest first; one if an instant was asked for.
    pub values: Vec<f64>,
}

impl Prometheus {
    /// Starts one that scrapes each of `targets` (a job and an address) and evaluates the rules of `rules`. Waits until
    /// it answers.
    ///
    /// # Panics
    /// If it cannot be started, or does not answer in time.
    pub fn start(targets: &[(&str, String)], rules: &Path, web: &Arc<Web>) -> Self {
        let directory = TempDir::new().expect("a directory");
        let scrape =
            |(job, address): &(&str, String)| json!({"job_name": job, "static_configs": [{"targets": [address]}]});
        let interval = format!("{SCRAPE_SECONDS}s");
        let config = json!({
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [rules.canonicalize().expect("the rules are there")],
            "scrape_configs": targets.iter().map(scrape).collect::<Vec<_>>(),
        });
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, config.to_string()).expect("a file");
        let address = free_address();
        let log = File::create(directory.path().join("log")).expect("a file");
        let argument = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let child = Command::new("prometheus")
            .arg(argument("config.file", &file))
            .arg(argument("storage.tsdb.path", &directory.path().join("data")))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus is on the PATH (deploy/dev/packages.sh test puts it into ~/.cache/tidewatch/bin)");
        let mut prometheus = Self {
            child,
            address,
            web: web.clone(),
            directory,
        };
        prometheus.wait_ready();
        prometheus
    }

    fn wait_ready(&mut self) {
        let url = format!("http://{}/-/ready", self.address);
        let log = self.directory.path().join("log");
        wait_for("Prometheus", PATIENCE, || {
            let ended = self.child.try_wait().expect("our child");
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "Prometheus ended by itself:\n{}", said());
            self.web.get(&url).filter(|(status, _)| *status == 200)
        });
    }

    /// The data of the answer to a request of its API.
    ///
    /// # Errors
    /// What it says is wrong with the request.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let base = format!("http://{}/api/v1/{path}", self.address);
        let url = Url::parse_with_params(&base, parameters).expect("an address");
        let (status, body) = self.web.get(url.as_str()).expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        match status {
            200 => Ok(answer["data"].clone()),
            _ => Err(format!("{status}: {}", answer["error"])),
        }
    }

    /// The value of an expression, now.
    ///
    /// # Errors
    /// As [`Prometheus::get`].
    pub fn query(&self, expression: &str) -> Result<Vec<Series>, String> {
        self.get("query", &[("query", expression)]).map(|data| series(&data))
    }

    /// The values of an expression in each of the last `seconds`.
    ///
    /// # Errors
    /// As [`Prometheus::get`].
    pub fn query_range(&self, expression: &str, seconds: u64) -> Result<Vec<Series>, String> {
        let now = crate::s3::now().as_millis() / 1000;
        let (start, end) = ((now - seconds.cast_signed()).to_string(), now.to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", "1")];
        self.get("query_range", &parameters).map(|data| series(&data))
    }

    /// The values of a label, of all series or of those that `selector` chooses.
    ///
    /// # Errors
    /// As [`Prometheus::get`].
    pub fn label_values(&self, label: &str, selector: Option<&str>) -> Result<BTreeSet<String>, String> {
        let parameters: Vec<(&str, &str)> = selector.map(|selector| ("match[]", selector)).into_iter().collect();
        let data = self.get(&format!("label/{label}/values"), &parameters)?;
        let values = data.as_array().expect("a list").iter();
        Ok(values.map(|value| value.as_str().expect("a text").to_owned()).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An address that nobody listens on. Somebody else may take it before it is used: then Prometheus ends, and says so.
fn free_address() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound port").to_string()
}

/// Those of an instant vector, a range, or a scalar.
fn series(data: &Value) -> Vec<Series> {
    let number = |pair: &Value| pair[1].as_str().and_then(|text| text.parse().ok()).expect("a number");
    if data["resultType"] == "scalar" {
        return vec![Series {
            labels: serde_json::Map::new(),
            values: vec![number(&data["result"])],
        }];
    }
    let found = data["result"].as_array().expect("a list").iter();
    let one = |found: &Value| Series {
        labels: found["metric"].as_object().expect("labels").clone(),
        values: match found["values"].as_array() {
            Some(values) => values.iter().map(number).collect(),
            None => vec![number(&found["value"])],
        },
    };
    found.map(one).collect()
}
