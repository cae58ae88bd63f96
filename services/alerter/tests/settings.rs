//! What the operator may write, and what he is told about the rest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::time::Duration;

use alerter::Settings;
use event::{AlertStatus, Severity};
use secrecy::ExposeSecret as _;
use service::settings::{Loaded, Problems, Sources, Tree, read};

fn load(text: &str) -> Result<Loaded<Settings>, Problems> {
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let tree = Tree::load(&Sources {
        file: Some(file.path().to_owned()),
        variables: Vec::new(),
    })?;
    read(&tree, |reader| {
        reader.section("alerter", "alerts to people", Settings::read)
    })
}

#[test]
fn what_is_written_counts_and_the_rest_is_the_default() {
    let loaded = load(
        r"
alerter:
  open_records_max: 77
  routes:
    chat:
      channel: slack
      url: https://hooks.slack.com/services/T/B/SECRET
      statuses: [opened, closed]
    pager:
      channel: pagerduty
      secret: R0UT1NG
      fallback: chat
      give_up_after: 5m
    screen:
      channel: log
",
    )
    .unwrap();
    let settings = loaded.settings;
    assert_eq!(
        (settings.room.records_max, settings.remember),
        (77, Duration::from_hours(24))
    );
    let [chat, pager, screen] = &settings.routes[..] else {
        panic!("three routes")
    };
    assert_eq!(chat.route.severities, [Severity::High, Severity::Critical]);
    assert_eq!(chat.route.statuses, [AlertStatus::Opened, AlertStatus::Closed]);
    assert_eq!(pager.route.fallback.as_deref(), Some("chat"));
    assert_eq!(pager.retry.budget, Duration::from_mins(5));
    let address = pager.destination.as_ref().unwrap().url.expose_secret();
    assert_eq!(address, "https://events.pagerduty.com/v2/enqueue");
    assert!(screen.destination.is_none() && screen.route.severities == Severity::ALL);
    assert!(
        !loaded.effective.contains("SECRET") && !loaded.effective.contains("R0UT1NG"),
        "{}",
        loaded.effective
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let problems = load(
        r"
alerter:
  routes:
    a: {channel: slak}
    b: {channel: slack, url: 'http://hooks.example/x', severities: [urgent]}
    c: {channel: webhook, url: 'https://10.0.0.1/', secret: short}
    d: {channel: pagerduty, fallback: nobody}
    e: {channel: webhook, url: 'https://10.0.0.1/', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
",
    )
    .unwrap_err()
    .to_string();
    let expected = [
        (
            "alerter.routes.a.channel",
            "must be one of log, pagerduty, slack, webhook",
        ),
        (
            "alerter.routes.b.severities",
            "`urgent` is not one of low, medium, high, critical",
        ),
        ("alerter.routes.b.url", "must begin with https://"),
        ("alerter.routes.c.secret", "the signing secret must be `whsec_`"),
        (
            "alerter.routes.d.secret",
            "the routing key of the PagerDuty service is needed",
        ),
        ("alerter.routes.e.url", "the address is private"),
        (
            "alerter.routes",
            "the fallback of route `d` is `nobody`, which is no route",
        ),
    ];
    for (place, message) in expected {
        let is_told = problems
            .lines()
            .any(|line| line.contains(place) && line.contains(message));
        assert!(is_told, "{place}: {message}\nis missing in\n{problems}");
    }
    assert_eq!(problems.lines().count(), expected.len(), "{problems}");
    assert!(
        !problems.contains("10.0.0.1") && !problems.contains("short"),
        "{problems}"
    );
}

#[test]
fn alerts_that_would_reach_nobody_are_refused() {
    let problems = load("alerter: {}\n").unwrap_err().to_string();
    assert!(
        problems.contains("there is no route: alerts would reach nobody"),
        "{problems}"
    );
}

/// What the documentation shows must load.
#[test]
fn the_documented_example_is_true() {
    let page = include_str!("../../../docs/alerts.md");
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in [
        ("slack_url", "https://hooks.slack.com/services/T/B/X"),
        ("routing_key", "R0UT1NG"),
        ("soar_url", "https://soar.example/hook"),
        ("soar_signing_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ] {
        std::fs::write(folder.path().join(name), secret).unwrap();
    }
    let example = example.replace("/run/secrets", &folder.path().to_string_lossy());
    let settings = load(&example).unwrap().settings;
    let routes: Vec<_> = settings
        .routes
        .iter()
        .map(|route| (&*route.route.name, route.retry.budget))
        .collect();
    let day = Duration::from_hours(24);
    assert_eq!(
        routes,
        [("chat", day), ("pager", Duration::from_mins(15)), ("soar", day)]
    );
}
