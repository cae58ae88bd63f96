//! Every page of `docs/producers` is executed as it is written, by the real client, against the real services; then what
//! the page claims is looked for in the topics and at the receiver of webhooks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use e2e::expect::alerts;
use e2e::log::{PATIENCE, read_all};
use e2e::page::{Page, names};
use e2e::pipeline::{API_KEY, Installation, TENANT, door};
use e2e::process::Process;
use e2e::receiver::WEBHOOK;
use event::{Alert, AlertStatus, DeadLetter, Event, topic};

/// How long nothing may happen before a test believes that nothing will.
const QUIET: Duration = Duration::from_secs(2);

/// How much of a dead letter's bytes a test compares.
const RAW_SHOWN: usize = 30;

/// A page that was run, and what came of it.
struct Played {
    /// All that are committed, each with its topic.
    events: Vec<(&'static str, Event)>,
    alerts: Vec<Alert>,
    dead_letters: Vec<DeadLetter>,
}

/// Runs a page in an installation of its own. Nothing else writes there, so what is there is the page's.
fn play(name: &str) -> Played {
    let page = Page::read(name);
    let installation = Installation::create(&format!("page-{}", name.to_lowercase()));
    let mut ingest = installation.start("ingest", "0");
    let mut detector = installation.start("detector", "0");
    let mut alerter = installation.start("alerter", "0");
    [&mut ingest, &mut detector, &mut alerter]
        .into_iter()
        .for_each(Process::wait_ready);
    let url = door(&mut ingest, "");
    let values = BTreeMap::from([
        ("TIDEWATCH_URL", url.clone()),
        ("TIDEWATCH_API_KEY", API_KEY.to_owned()),
        ("LOGTIDE_API_URL", url),
        ("LOGTIDE_API_KEY", API_KEY.to_owned()),
        ("KAFKA_BROKERS", installation.kafka.brokers.clone()),
        ("TIDEWATCH_PREFIX", installation.kafka.prefix.clone()),
    ]);
    page.run(&values);
    std::thread::sleep(QUIET);
    let played = Played::read(&installation);
    played.check_told(&installation);
    played
}

impl Played {
    fn read(installation: &Installation) -> Self {
        let mut events = Vec::new();
        for name in topic::EVENTS {
            let records = read_all(&installation.kafka, name).into_iter();
            let values = records.filter_map(|(_, record)| record.value);
            events.extend(values.map(|value| (name, Event::decode(&value).unwrap())));
        }
        assert!(events.iter().all(|(_, event)| event.tenant == TENANT));
        let letters = read_all(&installation.kafka, topic::DEAD_LETTERS).into_iter();
        let letters = letters.map(|(_, record)| DeadLetter::decode(&record.value.unwrap()).unwrap());
        assert_eq!(read_all(&installation.kafka, topic::LATE_FACTS), []);
        Self {
            events,
            alerts: alerts(&installation.kafka),
            dead_letters: letters.collect(),
        }
    }

    /// What is in `alerts` reached the webhook, each record once and byte for byte.
    fn check_told(&self, installation: &Installation) {
        let receiver = &installation.receiver;
        let received = receiver.wait_for(WEBHOOK, self.alerts.len(), PATIENCE, |_| true);
        let mut told: Vec<String> = received
            .iter()
            .map(|request| request.json()["data"].to_string())
            .collect();
        let mut written: Vec<String> = self
            .alerts
            .iter()
            .map(|alert| String::from_utf8(alert.encode()).unwrap())
            .collect();
        told.sort_unstable();
        written.sort_unstable();
        assert_eq!(told, written);
    }

    /// Records and different ids, by topic, service, event, address and format: `22/11 security shop login_failed …`.
    fn kinds(&self) -> Vec<String> {
        let mut kinds: BTreeMap<String, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for (topic, event) in &self.events {
            let kind = format!(
                "{} {} {} {} {}",
                topic.strip_prefix("events.").unwrap(),
                event.service,
                event.security_event.as_deref().unwrap_or("-"),
                event.source_ip.as_deref().unwrap_or("-"),
                event.format,
            );
            let (records, ids) = kinds.entry(kind).or_default();
            *records += 1;
            ids.insert(&event.event_id);
        }
        let kinds = kinds.iter();
        sorted(kinds.map(|(kind, (records, ids))| format!("{records}/{} {kind}", ids.len())))
    }

    /// Rule, count and message of each alert. All are in their first state, over events of their key.
    fn opened(&self) -> Vec<String> {
        sorted(self.alerts.iter().map(|alert| {
            assert_eq!((alert.status, alert.revision), (AlertStatus::Opened, 1));
            assert_eq!(alert.tenant, TENANT);
            for event in self.evidence(alert) {
                for (field, value) in &alert.key {
                    assert_eq!(event.field(field).unwrap().to_string(), value.as_str().unwrap());
                }
            }
            format!("{} {} {}", alert.rule_id, alert.count, alert.message)
        }))
    }

    /// Reason and bytes of each dead letter.
    fn set_aside(&self) -> Vec<String> {
        sorted(self.dead_letters.iter().map(|letter| {
            assert_eq!(letter.tenant, TENANT);
            let raw = letter.raw.bytes().unwrap();
            let raw = String::from_utf8_lossy(&raw[..raw.len().min(RAW_SHOWN)]);
            format!("{} {}", letter.reason.as_str(), raw.trim_end())
        }))
    }

    /// The events an alert rests on. Each of them is committed, once among them.
    fn evidence(&self, alert: &Alert) -> Vec<&Event> {
        let find = |id: &str| &self.events.iter().find(|(_, event)| event.event_id == id).unwrap().1;
        let ids: BTreeSet<&str> = alert.events.iter().map(|event| event.event_id.as_str()).collect();
        assert_eq!(ids.len() as u64, alert.count);
        alert.events.iter().map(|event| find(&event.event_id)).collect()
    }

    fn alert(&self, rule: &str) -> &Alert {
        self.alerts.iter().find(|alert| alert.rule_id == rule).unwrap()
    }
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}

/// The page is run; then these events are there, these alerts are open, and these are the dead letters: nothing else.
fn check(page: &str, events: &[&str], alerts: &[&str], dead_letters: &[&str]) -> Played {
    let played = play(page);
    assert_eq!(played.kinds(), events, "the events of {page}");
    assert_eq!(played.opened(), alerts, "the alerts of {page}");
    assert_eq!(played.set_aside(), dead_letters, "the dead letters of {page}");
    played
}

/// A test for each page, and [`TESTED`]: the pages that have one.
macro_rules! pages {
    ($($(#[$meta:meta])* $test:ident: $page:literal => $check:expr;)*) => {
        const TESTED: &[&str] = &[$($page),*];
        $($(#[$meta])* #[test] fn $test() { $check($page); })*
    };
}

pages! {
    readme: "README" => readme_page;
    curl: "curl" => curl_page;
    kcat: "kcat" => kcat_page;
    kafkajs: "kafkajs" => kafkajs_page;
    confluent_kafka_python: "confluent-kafka-python" => confluent_kafka_page;
    logtide_node: "logtide-node" => logtide_node_page;
    logtide_python: "logtide-python" => logtide_python_page;
    rsyslog: "rsyslog" => rsyslog_page;
}

#[test]
fn every_page_has_a_test() {
    let mut tested = TESTED.to_vec();
    tested.sort_unstable();
    assert_eq!(names(), tested);
}

const CRASHED: &str = "unknown_format Segmentation fault (core dumpe";

fn readme_page(page: &str) {
    let events = [
        "1/1 access shop - - json",
        "1/1 security shop payment_refused 203.0.113.7 json",
        "3/3 access unknown - - json",
    ];
    let letters = [
        r#"malformed {"event_id":"b","message":bad}"#,
        "unknown_format no JSON at all",
    ];
    check(page, &events, &[], &letters);
}

fn curl_page(page: &str) {
    let events = [
        "1/1 security shop login_success 192.0.2.1 json",
        "1/1 security shop login_success 192.0.2.3 json",
        "11/11 security shop login_failed 203.0.113.7 logtide",
        "11/11 security sshd login_failed 198.51.100.9 sshd",
    ];
    let alerts = [
        "guide_brute_force 11 Brute force attack detected from 198.51.100.9",
        "guide_brute_force 11 Brute force attack detected from 203.0.113.7",
    ];
    check(page, &events, &alerts, &[r#"malformed {"event_id":"mixed-2","service"#]);
}

fn kcat_page(page: &str) {
    let events = [
        "11/11 security sshd login_failed 203.0.113.7 sshd",
        "21/11 security shop login_failed 198.51.100.9 logtide",
    ];
    let alerts = [
        "guide_brute_force 11 Brute force attack detected from 198.51.100.9",
        "guide_brute_force 11 Brute force attack detected from 203.0.113.7",
    ];
    check(page, &events, &alerts, &[CRASHED]);
}

fn kafkajs_page(page: &str) {
    let events = ["21/11 security shop login_failed 203.0.113.7 logtide"];
    let alerts = ["guide_brute_force 11 Brute force attack detected from 203.0.113.7"];
    check(page, &events, &alerts, &["unknown_format [object Object]"]);
}

fn confluent_kafka_page(page: &str) {
    let events = ["21/11 security shop login_failed 203.0.113.7 logtide"];
    let alerts = ["guide_brute_force 11 Brute force attack detected from 203.0.113.7"];
    let played = check(page, &events, &alerts, &[r#"malformed {"event_id": "nan-1", "time":"#]);
    let [letter] = played.dead_letters.as_slice() else {
        panic!("one")
    };
    assert!(letter.raw.bytes().unwrap().ends_with(br#""limit": NaN}}"#));
}

/// The three rules that fire on the guide's own calls, and the three that fire on what is added to them.
const GUIDE: [&str; 6] = [
    "guide_account_takeover 2 Possible account takeover for user u-carol",
    "guide_admin_off_hours 1 Admin activity outside business hours",
    "guide_api_abuse 51 Sustained API abuse from 198.51.100.9",
    "guide_brute_force 11 Brute force attack detected from 203.0.113.7",
    "guide_impossible_travel 1 Impossible travel detected for user u-carol",
    "guide_privilege_escalation 1 User u-alice promoted to admin by u-bob",
];

fn logtide_node_page(page: &str) {
    let events = [
        "1/1 access shop - - logtide",
        "1/1 audit security - 192.0.2.4 logtide",
        "1/1 security security brute_force_detected 203.0.113.7 logtide",
        "1/1 security security impossible_travel 192.0.2.3 logtide",
        "1/1 security security new_device_login 192.0.2.3 logtide",
        "1/1 security security password_reset_requested 192.0.2.3 logtide",
        "1/1 security security role_changed_attempted 192.0.2.4 logtide",
        "1/1 security security security_settings_changed 192.0.2.4 logtide",
        "1/1 security security unusual_hour_login 192.0.2.3 logtide",
        "1/1 security security user_deleted_attempted 192.0.2.4 logtide",
        "1/1 security security user_deleted_failed 192.0.2.4 logtide",
        "11/11 security security login_failed 203.0.113.7 logtide",
        "2/2 security security login_success 192.0.2.3 logtide",
        "2/2 security security role_changed 192.0.2.4 logtide",
        "51/51 security security rate_limit_exceeded 198.51.100.9 logtide",
    ];
    let large = r#"too_large {"service":"shop","level":"inf"#;
    check_the_missing_fields(&check(page, &events, &GUIDE, &[large]));
}

fn logtide_python_page(page: &str) {
    let events = [
        "1/1 access security - - logtide",
        "1/1 audit security - 192.0.2.4 logtide",
        "1/1 security security impossible_travel 192.0.2.3 logtide",
        "1/1 security security new_device_login 192.0.2.3 logtide",
        "1/1 security security password_reset_requested 192.0.2.3 logtide",
        "1/1 security security role_changed_attempted 192.0.2.4 logtide",
        "1/1 security security security_settings_changed 192.0.2.4 logtide",
        "11/11 security security login_failed 203.0.113.7 logtide",
        "2/2 security security login_success 192.0.2.3 logtide",
        "2/2 security security role_changed 192.0.2.4 logtide",
        "51/51 security security rate_limit_exceeded 198.51.100.9 logtide",
    ];
    let deep = r#"too_complex {"service":"security","level":"#;
    check_the_missing_fields(&check(page, &events, &GUIDE, &[deep]));
}

/// That three rules are silent is for want of exactly the fields that the page names, at whatever hour it is run: each of
/// them fired on the one event that has its field, and on no other of its kind.
fn check_the_missing_fields(played: &Played) {
    let of_kind = |word: &str| {
        let is_it = |(_, event): &&(&str, Event)| event.security_event.as_deref() == Some(word);
        played
            .events
            .iter()
            .filter(is_it)
            .map(|(_, event)| event)
            .collect::<Vec<_>>()
    };
    let [takeover, escalation, off_hours] = [
        "guide_account_takeover",
        "guide_privilege_escalation",
        "guide_admin_off_hours",
    ]
    .map(|rule| played.evidence(played.alert(rule)));

    let tagged = |event: &&Event| event.tags == ["new_device_login"];
    let logins = of_kind("login_success");
    assert_eq!(logins.iter().copied().filter(tagged).count(), 1);
    assert_eq!(
        (takeover.len(), takeover.iter().copied().filter(tagged).count()),
        (2, 1)
    );

    let promotes = |event: &&Event| event.metadata.get("new_role").is_some();
    let changes = of_kind("role_changed");
    assert_eq!(changes.iter().copied().filter(promotes).collect::<Vec<_>>(), escalation);

    // Of all that is severe, one says a role; and the audit trail, which does too, is not severe.
    let severe = played
        .events
        .iter()
        .filter(|(_, event)| event.field("severity").unwrap().to_string() == "high");
    let (with, without): (Vec<&Event>, Vec<&Event>) = severe
        .map(|(_, event)| event)
        .partition(|event| event.user_role.is_some());
    assert_eq!(with, off_hours);
    assert!(!without.is_empty());
    let audit = played
        .events
        .iter()
        .find(|(topic, _)| *topic == topic::EVENTS_AUDIT)
        .unwrap();
    assert_eq!(audit.1.user_role.as_deref(), Some("admin"));
}

fn rsyslog_page(page: &str) {
    const AWAY: &str = "192.0.2.3";
    let played = play(page);
    let is_away = |kind: &String| kind.contains(AWAY);
    let (away, others): (Vec<String>, Vec<String>) = played.kinds().into_iter().partition(is_away);
    let events = [
        "11/11 security sshd login_failed 198.51.100.9 sshd",
        "11/11 security sshd login_failed 203.0.113.7 sshd",
    ];
    assert_eq!(others, events);
    let alerts = ["192.0.2.3", "198.51.100.9", "203.0.113.7"]
        .map(|address| format!("guide_brute_force 11 Brute force attack detected from {address}"));
    assert_eq!(played.opened(), alerts);
    assert_eq!(played.set_aside(), [CRASHED]);

    // What waited while the brokers were away is there: at least once.
    assert_eq!(away.len(), 1);
    let waited = played
        .events
        .iter()
        .map(|(_, event)| event)
        .filter(|event| event.source_ip.as_deref() == Some(AWAY));
    let users: BTreeSet<&str> = waited.map(|event| event.user_id.as_deref().unwrap()).collect();
    assert_eq!(users.len(), 11, "{users:?}");
}
