//! All six of the guide's rules through the four services as processes: the alerts, what the receivers got of them, and
//! what the archive kept of everything.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use archive::{LockMode, Manifest, ObjectStore as _, Retention, TIERS, read_segments};
use base64::Engine as _;
use broker::{Record, TopicPartition};
use e2e::expect::{Events, Guide, alerts};
use e2e::log::{PATIENCE, read_all};
use e2e::pipeline::{Installation, ROUTING_KEY, SIGNING_KEY, Services, TENANT};
use e2e::process::{Process, wait_for};
use e2e::producer::{logged, post, recently, sshd};
use e2e::receiver::{PAGERDUTY, Received, SLACK, WEBHOOK};
use e2e::s3::now;
use event::{Alert, Timestamp, position_id, topic};
use hmac::{Hmac, KeyInit as _, Mac as _};
use objects::S3;
use serde_json::{Value, json};
use sha2::Sha256;

/// How long nothing may happen before a test believes that nothing will.
const QUIET: Duration = Duration::from_secs(3);

const DAY: i64 = 24 * 60 * 60 * 1000;

const ATTACKER: &str = "203.0.113.7";
const ABUSER: &str = "198.51.100.7";

/// Provokes each of the guide's rules once, among events that provoke none: through kcat to `raw`, and over HTTP.
fn provoke(installation: &Installation, ingest: &mut Process) {
    let failed = |seconds: i64, address: &str| {
        sshd(
            recently(seconds),
            &format!("Failed password for root from {address} port 51514 ssh2"),
        )
    };
    let attack: Vec<String> = (0..11).map(|at| failed(60 - at, ATTACKER)).collect();
    installation.produce(topic::RAW, 0, &attack, &[]);
    let mut lines: Vec<String> = (0..10).map(|at| failed(60 - at, "203.0.113.8")).collect();
    lines.push(sshd(
        recently(50),
        "Accepted publickey for deploy from 203.0.113.9 port 4022 ssh2: RSA SHA256:x",
    ));
    lines.push(r#"203.0.113.10 - - [22/Nov/2026:06:10:18 +0000] "GET / HTTP/1.1" 200 12 "-" "curl""#.to_owned());
    let travel = json!({"user_id": "carol", "source_ip": "203.0.113.11"});
    lines.push(logged("travel", recently(40), "impossible_travel", travel).to_string());
    installation.produce(topic::RAW, 1, &lines, &[]);

    let abuse = |at: i64| {
        let id = format!("abuse-{at:02}");
        logged(
            &id,
            recently(300 - at),
            "rate_limit_exceeded",
            json!({"source_ip": ABUSER}),
        )
    };
    let abuse: Vec<Value> = (0..51).map(abuse).collect();
    post(installation, ingest, &abuse);
    let role = json!({"user_id": "bob", "target_id": "alice", "new_role": "admin"});
    let viewer = json!({"user_id": "bob", "target_id": "dave", "new_role": "viewer"});
    let mut login = logged("login", recently(20), "login_success", json!({"user_id": "alice"}));
    login["tags"] = json!(["new_device_login"]);
    let night = Timestamp::from_millis(now().as_millis() / DAY * DAY - DAY / 48);
    let mut deleted = logged(
        "night",
        night,
        "user_deleted",
        json!({"user_id": "eve", "user_role": "admin"}),
    );
    deleted["severity"] = "high".into();
    let audited = json!({"time": recently(10), "event_id": "audited", "service": "api", "level": "info",
        "message": "export", "audit": true, "action": "export", "user_id": "bob"});
    let entries = [
        logged("promoted", recently(30), "role_changed", role),
        logged("not-promoted", recently(30), "role_changed", viewer),
        logged(
            "reset",
            recently(25),
            "password_reset_requested",
            json!({"user_id": "alice"}),
        ),
        login,
        deleted,
        audited,
    ];
    post(installation, ingest, &entries);
}

/// The alerts that follow from it, in the order of their bytes.
fn expected(kafka: &kafka::KafkaSettings) -> Vec<Alert> {
    let (guide, events) = (Guide::read(), Events::read(kafka));
    assert_eq!(events.count(), 11 + 13 + 51 + 6);
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let opened = |rule: &str, key: &[(&str, &str)], ids: &[String], message: &str| {
        guide.opened(rule, key, &events, ids, message)
    };
    let attack: Vec<String> = (0..11).map(|offset| position_id(topic::RAW, 0, offset)).collect();
    let abuse: Vec<String> = (0..51).map(|at| format!("abuse-{at:02}")).collect();
    let mut alerts = vec![
        opened(
            "guide_brute_force",
            &[("source_ip", ATTACKER)],
            &attack,
            "Brute force attack detected from 203.0.113.7",
        ),
        opened(
            "guide_api_abuse",
            &[("source_ip", ABUSER)],
            &abuse,
            "Sustained API abuse from 198.51.100.7",
        ),
        opened(
            "guide_account_takeover",
            &[("user_id", "alice")],
            &ids(&["reset", "login"]),
            "Possible account takeover for user alice",
        ),
        opened(
            "guide_privilege_escalation",
            &[],
            &ids(&["promoted"]),
            "User alice promoted to admin by bob",
        ),
        opened(
            "guide_impossible_travel",
            &[],
            &ids(&["travel"]),
            "Impossible travel detected for user carol",
        ),
        opened(
            "guide_admin_off_hours",
            &[],
            &ids(&["night"]),
            "Admin activity outside business hours",
        ),
    ];
    alerts.sort_by_key(Alert::encode);
    alerts
}

/// The body of the webhook for an alert that opens.
fn webhook_body(alert: &Alert) -> String {
    let data = String::from_utf8(alert.encode()).unwrap();
    format!(
        r#"{{"id":"{}-1","type":"alert.opened","version":1,"occurred_at":"{}","data":{data}}}"#,
        alert.alert_id, alert.opened_at
    )
}

/// As a receiver would, after docs/alerts.md.
fn verify_signature(request: &Received) {
    let header = |name: &str| request.headers[name].as_str();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&request.body);
    let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    mac.verify_slice(&signature).expect("the signature is right");
    let age = now().as_millis() / 1000 - timestamp.parse::<i64>().unwrap();
    assert!((0..300).contains(&age), "signed {age} s ago");
    assert_eq!(request.json()["id"], id);
    assert_eq!(header("idempotency-key"), id);
    assert_eq!(header("content-type"), "application/json");
}

fn by_rule<'a>(alerts: &'a [Alert], rule: &str) -> &'a Alert {
    alerts.iter().find(|alert| alert.rule_id == rule).unwrap()
}

fn check_webhooks(installation: &Installation, alerts: &[Alert]) {
    let requests = installation.receiver.received(WEBHOOK);
    requests.iter().for_each(verify_signature);
    let mut bodies: Vec<&str> = requests.iter().map(Received::text).collect();
    bodies.sort_unstable();
    let mut wanted: Vec<String> = alerts.iter().map(webhook_body).collect();
    wanted.sort_unstable();
    assert_eq!(bodies, wanted);
}

/// High and critical, and one of the bodies to the last field.
fn check_slack(installation: &Installation, alerts: &[Alert]) {
    let bodies: BTreeMap<String, Value> = installation
        .receiver
        .received(SLACK)
        .iter()
        .map(|request| (request.json()["attachments"][0]["fallback"].to_string(), request.json()))
        .collect();
    assert_eq!(bodies.len(), installation.receiver.received(SLACK).len());
    let texts: Vec<&str> = bodies.values().map(|body| body["text"].as_str().unwrap()).collect();
    let wanted = [
        "Tidewatch: critical alert: Account takeover",
        "Tidewatch: high alert: Admin activity outside business hours",
        "Tidewatch: high alert: Brute force attack",
        "Tidewatch: high alert: Impossible travel",
        "Tidewatch: critical alert: Privilege escalation",
    ];
    assert_eq!(texts, wanted);
    let alert = by_rule(alerts, "guide_brute_force");
    let field = |title: &str, value: String| json!({"title": title, "value": value, "short": true});
    let body = json!({
        "text": "Tidewatch: high alert: Brute force attack",
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{
            "fallback": "Brute force attack: Brute force attack detected from 203.0.113.7",
            "color": "warning",
            "title": "Tidewatch: Brute force attack",
            "text": "Brute force attack detected from 203.0.113.7",
            "fields": [
                field("Severity", "high".to_owned()),
                field("Event", "guide_brute_force".to_owned()),
                field("IP", ATTACKER.to_owned()),
                field("Events", "11".to_owned()),
                field("First", alert.first_event_at.to_string()),
                field("Last", alert.last_event_at.to_string()),
                field("Alert", alert.alert_id.to_string()),
            ],
            "mrkdwn_in": [],
            "footer": "Tidewatch",
            "ts": alert.opened_at.as_millis() / 1000,
        }],
    });
    assert_eq!(bodies.values().nth(2), Some(&body));
}

/// Critical only, and one of the bodies to the last field.
fn check_pagerduty(installation: &Installation, alerts: &[Alert]) {
    let requests = installation.receiver.received(PAGERDUTY);
    let mut keys: Vec<String> = requests
        .iter()
        .map(|request| request.json()["dedup_key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort_unstable();
    let alert = by_rule(alerts, "guide_privilege_escalation");
    let takeover = by_rule(alerts, "guide_account_takeover");
    let mut wanted = [alert.alert_id.to_string(), takeover.alert_id.to_string()];
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    let evidence = &alert.events[0];
    let body = json!({
        "routing_key": ROUTING_KEY,
        "event_action": "trigger",
        "dedup_key": alert.alert_id,
        "payload": {
            "summary": "Privilege escalation: User alice promoted to admin by bob",
            "severity": "critical",
            "source": "tidewatch",
            "timestamp": alert.opened_at,
            "component": "guide_privilege_escalation",
            "group": TENANT,
            "custom_details": {
                "alert_id": alert.alert_id,
                "severity": "critical",
                "message": "User alice promoted to admin by bob",
                "key": {},
                "tags": alert.tags,
                "count": 1,
                "first_event_at": alert.opened_at,
                "last_event_at": alert.opened_at,
                "events": [format!("{}/{}@{}", evidence.topic, evidence.partition, evidence.offset)],
            },
        },
        "client": "Tidewatch",
    });
    let of_alert = |request: &&Received| request.json()["dedup_key"] == body["dedup_key"];
    assert_eq!(requests.iter().find(of_alert).unwrap().json(), body);
}

#[test]
fn six_rules_from_the_doors_to_the_receivers_and_the_archive() {
    let installation = Installation::create("six-rules");
    let mut services = installation.start_all();
    provoke(&installation, &mut services.ingest);
    for (path, count) in [(WEBHOOK, 6), (SLACK, 5), (PAGERDUTY, 2)] {
        installation.receiver.wait_for(path, count, PATIENCE, |_| true);
    }
    std::thread::sleep(QUIET);
    let found = alerts(&installation.kafka);
    assert_eq!(found, expected(&installation.kafka));
    check_webhooks(&installation, &found);
    check_slack(&installation, &found);
    check_pagerduty(&installation, &found);
    for name in [topic::DEAD_LETTERS, topic::LATE_FACTS, topic::UNDELIVERED] {
        assert_eq!(read_all(&installation.kafka, name), [], "{name}");
    }
    check_archive(&installation, &mut services);
}

/// Everything that is committed in the archived topics, by partition.
fn committed(installation: &Installation) -> BTreeMap<TopicPartition, Vec<Record>> {
    let mut records: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for name in TIERS.iter().flat_map(|tier| tier.topics) {
        for (place, record) in read_all(&installation.kafka, name) {
            records.entry(place).or_default().push(record);
        }
    }
    records
}

/// Once nothing is written any more, the archive is the topics: records, keys, headers and times.
fn check_archive(installation: &Installation, services: &mut Services) {
    for service in [&mut services.ingest, &mut services.detector] {
        let (status, took) = service.terminate();
        assert!(status.success(), "{status}");
        println!("stopped in {took:?}");
    }
    let committed = committed(installation);
    let topics: BTreeSet<&str> = committed.keys().map(|place| &*place.topic).collect();
    let all = [
        topic::ALERTS,
        topic::EVENTS_ACCESS,
        topic::EVENTS_AUDIT,
        topic::EVENTS_SECURITY,
        topic::FACTS,
    ];
    assert_eq!(topics, BTreeSet::from(all));
    let last = |records: &Vec<Record>| records.last().map(|record| record.offset);
    let store = installation.bucket.store();
    let manifests = |place: &TopicPartition| read_segments(&store, place).unwrap().map(Result::unwrap);
    let mut objects = 0;
    for (place, records) in &committed {
        let is_whole = || {
            let archived = manifests(place).last().map(|(manifest, _)| manifest.last_offset);
            (archived >= last(records)).then_some(())
        };
        wait_for(&format!("the archive of {place}"), PATIENCE, is_whole);
        let mut archived = Vec::new();
        for (manifest, records) in manifests(place) {
            check_lock(&store, &manifest);
            archived.extend(records);
            objects += 1;
        }
        assert_eq!(&archived, records, "{place}");
    }
    // Nothing else is there, under whatever name.
    assert_eq!(store.list("tier=").unwrap().len(), objects);
    let count: usize = committed.values().map(Vec::len).sum();
    println!(
        "archived: {count} records of {} partitions in {objects} locked objects",
        committed.len()
    );
}

/// Object and manifest are locked, as strictly and as long as the tier says: from the newest record on, to the day.
fn check_lock(store: &S3, manifest: &Manifest) {
    let days = [
        ("audit", 2557),
        ("alerts", 2557),
        ("security", 366),
        ("access", 90),
        ("facts", 90),
    ];
    let (_, days) = days.iter().find(|(tier, _)| *tier == manifest.tier).unwrap();
    let kept = manifest.retain_until.since(manifest.max_ts);
    let least = Duration::from_hours(24 * days);
    assert!(
        (least..least + Duration::from_hours(1)).contains(&kept),
        "{}: {kept:?}",
        manifest.key
    );
    let mode = match manifest.tier.as_str() {
        "audit" => LockMode::Compliance,
        _ => LockMode::Governance,
    };
    let until = manifest.retain_until;
    for name in [manifest.key.clone(), manifest.name()] {
        let head = store.head(&name, None).unwrap().unwrap();
        assert_eq!(head.retention, Some(Retention { mode, until }), "{name}");
    }
}
