//! The dashboards of deploy/grafana against a real Prometheus that scrapes the four services while they work, and while
//! some of it goes wrong: every expression is right, every metric exists, and every panel shows something. There is no
//! list of exceptions: what never happens here begins at zero, or is made to happen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::dashboards::{Dashboard, load, mentions, series_names, substitute};
use e2e::log::{PATIENCE, settings};
use e2e::pipeline::{API_KEY, Installation, Services, TENANT, door};
use e2e::process::wait_for;
use e2e::producer::{logged, post, recently, sshd};
use e2e::prometheus::{Prometheus, Series};
use e2e::receiver::{PAGERDUTY, WEBHOOK};
use event::topic;
use kafka::KafkaSettings;
use serde_json::{Value, json};

const RULES: &str = "../../deploy/prometheus/tidewatch.rules.yml";

/// Who attacks, and goes on with it later.
const ATTACKER: &str = "203.0.113.7";

/// How long the rates of what happened last take to be seen: five scrapes.
const SCRAPED: Duration = Duration::from_secs(5);

/// Variables that have no value to choose here, and why.
const WITHOUT_VALUES: [(&str, &str); 1] = [("namespace", "a label of Kubernetes")];

/// Adds a route whose destination refuses everything. No alert of the healthy part goes there.
fn refuse_medium(_: &str, config: &mut Value) {
    let routes = &mut config["alerter"]["routes"];
    let mut refusing = routes["soar"].clone();
    let url = refusing["url"].as_str().unwrap().replace(WEBHOOK, "/refused");
    refusing["url"] = url.into();
    refusing["severities"] = json!(["medium"]);
    routes["refusing"] = refusing;
}

fn start_prometheus(installation: &Installation, services: &mut Services) -> Prometheus {
    let mut targets = Vec::new();
    for (job, service) in [
        ("tidewatch-ingest", &mut services.ingest),
        ("tidewatch-detector", &mut services.detector),
        ("tidewatch-alerter", &mut services.alerter),
        ("tidewatch-archiver", &mut services.archiver),
    ] {
        targets.push((job, service.address("started")));
    }
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES);
    Prometheus::start(&targets, &rules, &installation.web)
}

/// Failed logins from an address, one a second, of which the last was so long ago.
fn failures(address: &str, count: i64, seconds: i64) -> Vec<String> {
    let what = format!("Failed password for root from {address} port 51514 ssh2");
    (0..count)
        .map(|at| sshd(recently(seconds + count - at), &what))
        .collect()
}

/// Events of every tier through both doors, and three attacks: one of them is over long ago.
fn work(installation: &Installation, services: &mut Services) {
    let over = failures("203.0.113.5", 11, 2400);
    let line = r#"203.0.113.10 - - [22/Nov/2026:06:10:18 +0000] "GET / HTTP/1.1" 200 12 "-" "curl""#;
    let lines = [over, failures(ATTACKER, 11, 30), vec![line.to_owned()]].concat();
    installation.produce(topic::RAW, 0, &lines, &[]);
    let role = json!({"user_id": "bob", "target_id": "alice", "new_role": "admin"});
    let audited = json!({"time": recently(10), "event_id": "audited", "service": "api", "level": "info",
        "message": "export", "audit": true, "action": "export", "user_id": "bob"});
    let entries = [logged("promoted", recently(30), "role_changed", role), audited];
    post(installation, &mut services.ingest, &entries);
    installation.receiver.wait_for(WEBHOOK, 4, PATIENCE, |_| true);
    installation.receiver.wait_for(PAGERDUTY, 1, PATIENCE, |_| true);
    for tier in ["access", "audit", "security", "facts", "alerts"] {
        let segments = format!("tidewatch_archive_segments_total{{tier=\"{tier}\"}}");
        let is_archived = || (services.archiver.metric(&segments) >= 1.0).then_some(());
        wait_for(&segments, PATIENCE, is_archived);
    }
}

/// A wrong key, no key, entries that are no events, an attack that grows, and an alert over a route that refuses it.
fn go_wrong(installation: &Installation, services: &mut Services) {
    let url = door(&mut services.ingest, "/api/v1/ingest");
    let send = |key: Option<&str>, body: &str| {
        let key = key.map(|key| ("x-api-key", key));
        let headers: Vec<_> = key.into_iter().chain([("content-type", "application/json")]).collect();
        installation.web.post(&url, &headers, body.to_owned()).unwrap().0
    };
    assert_eq!(send(Some("a key that nobody has"), "{}"), 401);
    assert_eq!(send(None, "{}"), 401);
    assert_eq!(send(Some(API_KEY), r#"{"logs":[7]}"#), 200);
    assert_eq!(send(Some(API_KEY), "{"), 400);
    let lines = [failures(ATTACKER, 110, 0), vec!["no line of any format".to_owned()]].concat();
    installation.produce(topic::RAW, 1, &lines, &[]);
    let abuse = |at: i64| {
        let source = json!({"source_ip": "198.51.100.7"});
        logged(
            &format!("abuse-{at:02}"),
            recently(300 - at),
            "rate_limit_exceeded",
            source,
        )
    };
    let abuse: Vec<Value> = (0..51).map(abuse).collect();
    post(installation, &mut services.ingest, &abuse);
    let refused = r#"tidewatch_alert_deliveries_total{channel="webhook",result="undelivered",route="refusing"}"#;
    wait_for(refused, PATIENCE, || {
        (services.alerter.metric(refused) >= 1.0).then_some(())
    });
}

/// The alerts that fire, and the critical ones whose condition holds and that would fire after minutes. Others may wait: on
/// a machine that is busy a commit is slow.
fn active(prometheus: &Prometheus) -> BTreeSet<(String, String)> {
    let alerts = prometheus.get("alerts", &[]).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let active = alerts["alerts"].as_array().unwrap().iter();
    let active = active.filter(|alert| alert["state"] == "firing" || alert["labels"]["severity"] == "critical");
    active
        .map(|alert| (text(&alert["labels"]["alertname"]), text(&alert["state"])))
        .collect()
}

/// Nothing else may. A scrape that took too long once is no reason to fail.
fn expect_active(prometheus: &Prometheus, expected: &[(&str, &str)], when: &str) {
    let expected = expected
        .iter()
        .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()));
    let expected: BTreeSet<_> = expected.collect();
    let begun = Instant::now();
    let mut found = active(prometheus);
    while found != expected && begun.elapsed() < 2 * SCRAPED {
        std::thread::sleep(Duration::from_millis(100));
        found = active(prometheus);
    }
    assert_eq!(found, expected, "{when}");
}

/// Every target is scraped, and every rule of the file is there and can be evaluated on what real services say.
fn check_targets_and_rules(prometheus: &Prometheus) {
    let targets = prometheus.get("targets", &[("state", "active")]).unwrap();
    let targets = targets["activeTargets"].as_array().unwrap();
    assert_eq!(targets.len(), 4);
    assert!(targets.iter().all(|target| target["health"] == "up"), "{targets:?}");
    let groups = prometheus.get("rules", &[]).unwrap();
    let groups = groups["groups"].as_array().unwrap().iter();
    let rules: Vec<&Value> = groups.flat_map(|group| group["rules"].as_array().unwrap()).collect();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES)).unwrap();
    let written = text.lines().map(str::trim_start);
    let written = written.filter(|line| line.starts_with("- alert: ") || line.starts_with("- record: "));
    assert_eq!(rules.len(), written.count());
    let unwell: Vec<&&Value> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(unwell.is_empty(), "{unwell:?}");
    println!("{} rules are evaluated", rules.len());
}

/// Whether something would be drawn.
fn is_shown(series: &[Series]) -> bool {
    let mut values = series.iter().flat_map(|series| &series.values);
    values.any(|value| value.is_finite())
}

fn is_nothing(series: &[Series]) -> bool {
    let mut values = series.iter().flat_map(|series| &series.values);
    values.all(|value| *value == 0.0 || value.is_nan())
}

/// What is wrong with the panels of a dashboard, with everything chosen, over the last `seconds`.
fn check_panels(prometheus: &Prometheus, dashboard: &Dashboard, seconds: u64, names: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let values = dashboard.all_chosen(seconds);
    for question in &dashboard.questions {
        let place = format!("{} / {}: {}", dashboard.uid, question.panel, question.expression);
        let expression = substitute(&question.expression, &values);
        let unknown = series_names(&expression)
            .into_iter()
            .filter(|name| !names.contains(name));
        wrong.extend(unknown.map(|name| format!("{place}: there is no metric {name}")));
        let now = prometheus.query(&expression);
        let range = prometheus.query_range(&expression, seconds);
        match now.and(range) {
            Err(error) => wrong.push(format!("{place}: {error}")),
            Ok(series) if !is_shown(&series) => wrong.push(format!("{place}: it shows nothing")),
            Ok(_) => {}
        }
    }
    wrong
}

/// What is wrong with the variables: they have values to choose from, and where one is chosen that nothing has, what
/// depends on it shows nothing.
fn check_variables(prometheus: &Prometheus, dashboard: &Dashboard, seconds: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let all = dashboard.all_chosen(seconds);
    for variable in dashboard.variables.iter().filter(|variable| variable.all.is_some()) {
        let place = format!("{} / ${}", dashboard.uid, variable.name);
        if let Some((series, label)) = &variable.query {
            let found = prometheus.label_values(label, Some(&substitute(series, &all))).unwrap();
            let has_none = WITHOUT_VALUES.iter().any(|(name, _)| *name == variable.name);
            if found.is_empty() != has_none {
                wrong.push(format!("{place}: its values are {found:?}"));
            }
        }
        let mut chosen = all.clone();
        chosen.insert(variable.name.clone(), "no-such-value".to_owned());
        let mut dependent = 0;
        for question in &dashboard.questions {
            if mentions(&question.expression, &variable.name) {
                dependent += 1;
                // What is wrong with the expression itself is told already.
                let found = prometheus
                    .query(&substitute(&question.expression, &chosen))
                    .unwrap_or_default();
                if !is_nothing(&found) {
                    wrong.push(format!("{place} does not filter {}: {found:?}", question.panel));
                }
            }
        }
        if dependent == 0 {
            wrong.push(format!("{place}: nothing depends on it"));
        }
    }
    wrong
}

/// One of the alerts, by everything that alerts can be filtered by.
fn check_chosen(prometheus: &Prometheus, dashboards: &[Dashboard], seconds: u64) {
    let detection = dashboards
        .iter()
        .find(|dashboard| dashboard.uid == "tidewatch-detection")
        .unwrap();
    let panel = "Alerts opened by rule";
    let question = detection
        .questions
        .iter()
        .find(|question| question.panel == panel)
        .unwrap();
    let mut values = detection.all_chosen(seconds);
    // Over all that happened.
    values.insert("__rate_interval".to_owned(), format!("{seconds}s"));
    let rules = |values: &BTreeMap<String, String>| {
        let found = prometheus.query(&substitute(&question.expression, values)).unwrap();
        let rules = found
            .iter()
            .map(|series| series.labels["rule"].as_str().unwrap().to_owned());
        let counts = found.iter().map(|series| series.values[0].round());
        rules.zip(counts).collect::<Vec<_>>()
    };
    let mut all = rules(&values);
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let opened = |rule: &str, count: f64| (rule.to_owned(), count);
    let three = [
        opened("guide_api_abuse", 1.0),
        opened("guide_brute_force", 2.0),
        opened("guide_privilege_escalation", 1.0),
    ];
    assert_eq!(all, three, "none is lost on the dashboard, nor shown twice");
    for (name, value) in [
        ("severity", "critical"),
        ("tenant", TENANT),
        ("rule", "guide_privilege_escalation"),
    ] {
        values.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(rules(&values), [opened("guide_privilege_escalation", 1.0)]);
}

/// Every metric of ours that Prometheus has found is on a dashboard.
fn check_coverage(dashboards: &[Dashboard], names: &BTreeSet<String>) -> Vec<String> {
    let questions = dashboards.iter().flat_map(|dashboard| &dashboard.questions);
    let asked: BTreeSet<String> = questions
        .flat_map(|question| series_names(&question.expression))
        .collect();
    let family = |name: &str| {
        let endings = ["_bucket", "_sum", "_count"];
        let family = endings.iter().find_map(|ending| name.strip_suffix(ending));
        family.unwrap_or(name).to_owned()
    };
    let families: BTreeSet<String> = asked.iter().map(|name| family(name)).collect();
    let ours = names.iter().filter(|name| name.starts_with("tidewatch_"));
    let ours: BTreeSet<String> = ours.map(|name| family(name)).collect();
    let hidden = ours.difference(&families);
    hidden.map(|name| format!("{name} is on no dashboard")).collect()
}

#[test]
fn every_panel_shows_what_real_services_say() {
    let kafka = KafkaSettings {
        // That of other tests is short, so that they see it pass: here nobody is to be thrown out of a group.
        session_timeout: Duration::from_secs(12),
        ..settings("dashboards")
    };
    let mut installation = Installation::prepare("dashboards", kafka, refuse_medium);
    installation.create_topics();
    installation.canary_interval = "5s";
    let mut services = installation.start_all();
    let prometheus = start_prometheus(&installation, &mut services);
    let started = Instant::now();

    work(&installation, &mut services);
    std::thread::sleep(SCRAPED);
    expect_active(&prometheus, &[], "in a healthy system");
    check_targets_and_rules(&prometheus);

    go_wrong(&installation, &mut services);
    std::thread::sleep(SCRAPED);
    let undelivered = [("TidewatchUndelivered", "firing")];
    expect_active(&prometheus, &undelivered, "while a route refuses");

    let dashboards = load();
    let seconds = started.elapsed().as_secs() + 1;
    let names = prometheus.label_values("__name__", None).unwrap();
    let mut wrong = check_coverage(&dashboards, &names);
    for dashboard in &dashboards {
        wrong.extend(check_panels(&prometheus, dashboard, seconds, &names));
        wrong.extend(check_variables(&prometheus, dashboard, seconds));
    }
    let asked: usize = dashboards.iter().map(|dashboard| dashboard.questions.len()).sum();
    println!(
        "{asked} expressions of {} dashboards, {seconds} s of {} metrics",
        dashboards.len(),
        names.len()
    );
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    check_chosen(&prometheus, &dashboards, seconds);
}
