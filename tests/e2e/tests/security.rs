//! The services against a broker that asks who is there, each with the rights of `deploy/kafka/acls.sh` and with no other: what
//! they can do, what nobody else can, and what they say when they are not let in.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use archive::ObjectStore as _;
use broker::{Error, Output, Publisher as _};
use e2e::log::{PATIENCE, output, read_all, settings};
use e2e::pipeline::{Installation, Services};
use e2e::process::{Process, wait_for};
use e2e::producer::{recently, sshd};
use e2e::receiver::WEBHOOK;
use e2e::s3::guest;
use e2e::secured::{Listener, NOBODY, ROLES, Right, Secured};
use event::{Alert, Timestamp, topic};
use kafka::{KafkaPublisher, KafkaSettings, Unobserved};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

const ATTACKER: &str = "203.0.113.7";

/// Later than any rule of the guide still counts.
const LATE: i64 = 25 * 60 * 60;

/// Who may write to a topic, and who may read from it: what must be true, whatever the script says.
const MAY: [(&str, &[&str], &[&str]); 13] = [
    (topic::RAW, &["producer"], &["ingest"]),
    (topic::EVENTS_SECURITY, &["ingest"], &["detector", "archiver"]),
    (topic::EVENTS_AUDIT, &["ingest"], &["detector", "archiver"]),
    (topic::EVENTS_ACCESS, &["ingest"], &["detector", "archiver"]),
    (topic::FACTS, &["detector"], &["detector", "archiver"]),
    (topic::CHANGELOG, &["detector"], &["detector"]),
    (topic::ALERTS, &["detector"], &["alerter", "archiver"]),
    (topic::RULES, &[], &[]),
    (topic::NOTIFICATIONS, &["alerter"], &["alerter"]),
    (topic::MANIFESTS, &["archiver"], &[]),
    (topic::DEAD_LETTERS, &["ingest", "detector", "alerter"], &["operator"]),
    (topic::LATE_FACTS, &["detector"], &["operator"]),
    (topic::UNDELIVERED, &["alerter"], &["operator"]),
];

/// An installation whose services are the users of their names, each in another way of showing it; the archiver is a guest
/// in the bucket.
fn installation(secured: &Secured) -> Installation {
    let kafka = KafkaSettings {
        brokers: secured.address(Listener::Plain),
        ..settings("security")
    };
    let broker = secured.clone();
    let installation = Installation::prepare("security", kafka, move |service, config| {
        let reach = match service {
            "tools" => broker.with_password("topics", "scram-sha-512"),
            "detector" => broker.with_password("detector", "plain"),
            "alerter" => broker.with_password("alerter", "scram-sha-256"),
            "archiver" => broker.with_certificate("archiver"),
            _ => broker.with_password(service, "scram-sha-512"),
        };
        overwrite(&mut config["kafka"], reach);
        // Nothing of ours is there, so its alerts are undelivered.
        let mut nowhere = config["alerter"]["routes"]["soar"].clone();
        nowhere["url"] = Value::from(nowhere["url"].as_str().unwrap().replace(WEBHOOK, "/nowhere"));
        config["alerter"]["routes"]["nowhere"] = nowhere;
        let (id, secret) = guest();
        let key = json!({"access_key_id": id, "secret_access_key": secret});
        overwrite(&mut config["archiver"]["store"], key);
    });
    installation.bucket.permit("", None);
    installation
}

fn overwrite(section: &mut Value, with: Value) {
    let Value::Object(with) = with else { panic!("a section") };
    section.as_object_mut().unwrap().extend(with);
}

/// Writes records as a user, and says what became of each.
fn write(settings: &KafkaSettings, outputs: Vec<Output>) -> Vec<Result<(), Error>> {
    let publisher = KafkaPublisher::connect(settings, Arc::new(Unobserved)).unwrap();
    let waiting: Vec<_> = outputs
        .into_iter()
        .map(|output| {
            let (tell, told) = std::sync::mpsc::sync_channel(1);
            let done = Box::new(move |result| tell.send(result).unwrap());
            publisher.publish(vec![output], done).unwrap();
            told
        })
        .collect();
    let told = waiting.iter().map(|told| told.recv_timeout(PATIENCE).unwrap());
    told.map(|result| result.map(drop)).collect()
}

fn write_all(settings: &KafkaSettings, outputs: Vec<Output>) {
    for result in write(settings, outputs) {
        result.unwrap();
    }
}

fn count(installation: &Installation, topic: &str) -> usize {
    read_all(&installation.kafka, topic).len()
}

/// Makes every service do all that it can be asked to do: events, alerts, and whatever goes wrong with either.
fn work(secured: &Secured, installation: &Installation) {
    let failed = |seconds: i64| sshd_line(recently(seconds));
    let mut lines: Vec<String> = (0..11).map(|at| failed(60 - at)).collect();
    lines.push("what is this".to_owned());
    let audited =
        json!({"event_id": "audited", "time": recently(10), "service": "api", "message": "export", "audit": true});
    lines.push(audited.to_string());
    lines.push(r#"203.0.113.10 - - [22/Nov/2026:06:10:18 +0000] "GET / HTTP/1.1" 200 12 "-" "curl""#.to_owned());
    let producer = secured.settings("producer", &installation.kafka.prefix);
    write_all(
        &producer,
        lines.into_iter().map(|line| output(topic::RAW, 0, line)).collect(),
    );
    let opened = |alert: &Alert| alert.message == format!("Brute force attack detected from {ATTACKER}");
    wait_for("the alert", PATIENCE, || {
        let alerts = read_all(&installation.kafka, topic::ALERTS).into_iter();
        let mut alerts = alerts.filter_map(|(_, record)| Alert::decode(&record.value?).ok());
        alerts.find(opened)
    });
    installation.receiver.wait_for(WEBHOOK, 1, PATIENCE, |_| true);
    wait_for("what is not delivered", PATIENCE, || {
        (count(installation, topic::UNDELIVERED) > 0).then_some(())
    });
    // What nobody of ours wrote, and what happened long ago.
    let strange = [topic::FACTS, topic::ALERTS].map(|topic| output(topic, 0, "what is this"));
    write_all(&installation.kafka, strange.to_vec());
    write_all(&producer, vec![output(topic::RAW, 1, sshd_line(recently(LATE)))]);
    wait_for("what is late", PATIENCE, || {
        (count(installation, topic::LATE_FACTS) > 0).then_some(())
    });
    // Of ingest, the detector and the alerter.
    wait_for("dead letters", PATIENCE, || {
        (count(installation, topic::DEAD_LETTERS) == 3).then_some(())
    });
    wait_for("archived alerts", PATIENCE, || {
        let manifests = read_all(&installation.kafka, topic::MANIFESTS).into_iter();
        let manifests = manifests.map(|(_, record)| String::from_utf8(record.value.unwrap().to_vec()).unwrap());
        let mut objects = manifests.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        let object = objects.find(|manifest| manifest["topic"] == topic::ALERTS)?;
        // Ceph lets only who wrote an object read it, unless he permits it to others.
        installation
            .bucket
            .guest_store("")
            .get(object["key"].as_str().unwrap())
            .unwrap()
    });
}

fn sshd_line(time: Timestamp) -> String {
    sshd(
        time,
        &format!("Failed password for root from {ATTACKER} port 51514 ssh2"),
    )
}

/// State and ledger are read back: the first because it is lost, the second because the alerter does so at every start.
fn restart(installation: &Installation, services: &mut Services) {
    for process in [&mut services.detector, &mut services.alerter] {
        assert!(process.terminate().0.success());
    }
    std::fs::remove_dir_all(installation.state_dir("0")).unwrap();
    services.detector = installation.start("detector", "0");
    services.alerter = installation.start("alerter", "0");
    services.each(Process::wait_ready);
}

/// Whoever watches the lags sees all groups.
fn watch_lags(secured: &Secured, prefix: &str) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("monitor.properties");
    std::fs::write(&config, secured.properties("monitor")).unwrap();
    let groups = ["ingest", "detector-match", "detector-correlate", "alerter", "archiver"];
    let groups = groups.map(|group| format!("{prefix}{group}"));
    let mut arguments = vec!["--command-config", config.to_str().unwrap(), "--describe"];
    arguments.extend(groups.iter().flat_map(|group| ["--group", group]));
    let told = secured.tool("kafka-consumer-groups.sh", Listener::Sasl, &arguments);
    let text = String::from_utf8_lossy(&told.stdout);
    let is_told = |group: &String| text.lines().any(|line| line.starts_with(&format!("{group} ")));
    assert!(told.status.success() && groups.iter().all(is_told), "{told:?}");
}

/// What a person does who reads what could not be read, counted or delivered.
fn read_letters(secured: &Secured, prefix: &str) {
    for topic in [topic::DEAD_LETTERS, topic::LATE_FACTS, topic::UNDELIVERED] {
        let told = Command::new("kcat")
            .args([
                "-C",
                "-e",
                "-q",
                "-b",
                &secured.address(Listener::Mutual),
                "-t",
                &format!("{prefix}{topic}"),
            ])
            .args(
                secured
                    .client("operator")
                    .iter()
                    .flat_map(|(name, value)| ["-X".to_owned(), format!("{name}={value}")]),
            )
            .output()
            .expect("kcat is there (deploy/dev/packages.sh kafka)");
        assert!(told.status.success() && !told.stdout.is_empty(), "{topic}: {told:?}");
    }
}

/// Every right was used, and none was missed.
fn check_rights(secured: &Secured, prefix: &str) {
    let asked = secured.asked(prefix);
    let denied: Vec<&Right> = asked
        .iter()
        .filter(|asked| asked.by.is_none())
        .map(|asked| &asked.right)
        .collect();
    assert!(denied.is_empty(), "denied: {denied:#?}");
    let used = asked
        .iter()
        .filter_map(|asked| asked.by.as_ref().filter(|by| by.operation == asked.right.operation));
    let used: BTreeSet<Right> = used.cloned().collect();
    let granted = Secured::granted(prefix);
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(
        unused.is_empty() && used.is_subset(&granted),
        "granted and never used: {unused:#?}"
    );
    println!("{} rights, each used, none missed", granted.len());
}

/// Whether a user may read from a topic that has records.
fn may_read(secured: &Secured, user: &str, topic: &str) -> bool {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", secured.address(Listener::Mutual));
    // Which it does not join, nor commit to.
    config.set("group.id", "none").set("enable.auto.commit", "false");
    config.extend(secured.client(user));
    let consumer: BaseConsumer = config.create().unwrap();
    // The client says of a topic that it may not even see only what the brokers say of it.
    let seen = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    match seen.topics()[0].error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => return false,
        Some(code) => panic!("{user} sees {topic}: {code}"),
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    wait_for(&format!("{user} reads {topic}"), PATIENCE, || {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => Some(true),
            Some(Err(error)) => {
                let denied = error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
                denied.then_some(false)
            }
            None => None,
        }
    })
}

/// What each user can write and read, tried on every topic.
fn check_walls(secured: &Secured, prefix: &str, plain: &KafkaSettings) {
    let records = || {
        // Compacted topics take nothing without a key.
        let record = |topic| Output {
            key: Some("x".into()),
            ..output(topic, 0, "x")
        };
        MAY.map(|(topic, _, _)| record(topic)).to_vec()
    };
    // Nobody is refused what is not there.
    write_all(plain, records());
    let tried = |user: &'static str| {
        let written = write(&secured.settings(user, prefix), records());
        let written = written.into_iter().map(|result| match result {
            Ok(()) => true,
            Err(Error::Misconfigured(text)) if text.contains("TopicAuthorizationFailed") => false,
            // Who may write nowhere gets no producer id, and the client gives up what it was to send.
            Err(Error::Unavailable(text)) if text.contains("PurgeQueue") => false,
            Err(error) => panic!("{user}: {error}"),
        });
        let read = MAY.map(|(topic, _, _)| may_read(secured, user, &format!("{prefix}{topic}")));
        (user, written.zip(read).collect::<Vec<_>>())
    };
    let tried: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = ROLES
            .into_iter()
            .chain([NOBODY])
            .map(|user| scope.spawn(move || tried(user)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (at, (topic, may_write, may_read)) in MAY.into_iter().enumerate() {
        let who = |did: fn((bool, bool)) -> bool| {
            let users = tried.iter().filter(|(_, tries)| did(tries[at])).map(|(user, _)| *user);
            users.collect::<BTreeSet<_>>()
        };
        assert_eq!(
            who(|(wrote, _)| wrote),
            may_write.iter().copied().collect(),
            "who writes {topic}"
        );
        assert_eq!(
            who(|(_, read)| read),
            may_read.iter().copied().collect(),
            "who reads {topic}"
        );
    }
}

#[test]
fn the_least_rights_are_enough_and_each_is_needed() {
    let secured = Secured::of_environment();
    let installation = installation(&secured);
    let prefix = installation.kafka.prefix.clone();
    let mut began = Instant::now();
    let mut lap = |what: &str| {
        println!(
            "{what}: {:.1?}",
            std::mem::replace(&mut began, Instant::now()).elapsed()
        )
    };
    secured.grant(&prefix);
    lap("rights granted");
    installation.create_topics();
    let verified = installation.topics("verify");
    assert!(verified.status.success(), "{verified:?}");
    let mut services = installation.start_all();
    lap("all ready");
    work(&secured, &installation);
    lap("worked");
    restart(&installation, &mut services);
    watch_lags(&secured, &prefix);
    read_letters(&secured, &prefix);
    lap("restarted and watched");
    services.each(|process| assert!(process.terminate().0.success()));
    check_rights(&secured, &prefix);
    check_walls(&secured, &prefix, &installation.kafka);
    lap("walls tried");
}

/// A configuration that no broker lets in: of which service, what is wrong with it, how the process ends, and what it says.
type Refusal = (&'static str, fn(&Secured) -> Value, i32, &'static str);

const WRONG_PASSWORD: &str = "the brokers do not know kafka.sasl.user with this password and mechanism";
const NO_TRUST: &str =
    "nobody in kafka.tls.ca_file vouches for the broker's certificate, or it has expired, or it names another";
const NO_CERTIFICATE: &str = "the broker wants a certificate of ours, or another one than kafka.tls.certificate_file";
const NOT_THIS_PORT: &str = "kafka.tls or kafka.sasl is not what this port of the broker expects";

/// 78 is for what a person has to mend; what may be a broker that is starting is tried again, by whoever restarts it.
const REFUSALS: &[Refusal] = &[
    ("ingest", |broker| wrong_password(broker), 78, WRONG_PASSWORD),
    ("detector", |broker| wrong_password(broker), 78, WRONG_PASSWORD),
    ("alerter", |broker| wrong_password(broker), 78, WRONG_PASSWORD),
    ("archiver", |broker| wrong_password(broker), 78, WRONG_PASSWORD),
    (
        "detector",
        |broker| changed(broker, "tls", json!({"ca_file": broker.file("another-ca.pem")})),
        78,
        NO_TRUST,
    ),
    (
        "detector",
        |broker| at(broker, "localhost", Listener::Sasl),
        78,
        NO_TRUST,
    ),
    (
        "detector",
        |broker| at(broker, "127.0.0.1", Listener::Expired),
        78,
        NO_TRUST,
    ),
    (
        "detector",
        |broker| changed(broker, "tls", json!({"ca_file": "/no/such/file"})),
        78,
        "tls: cannot read /no/such/file: No such file or directory",
    ),
    (
        "detector",
        |broker| json!({"brokers": broker.address(Listener::Mutual), "tls": {"ca_file": broker.file("ca.pem")}}),
        78,
        NO_CERTIFICATE,
    ),
    (
        "detector",
        |broker| broker.with_password(NOBODY, "scram-sha-512"),
        78,
        "events.security: Meta data fetch error: TopicAuthorizationFailed",
    ),
    (
        "detector",
        |broker| json!({"brokers": broker.address(Listener::Sasl)}),
        1,
        NOT_THIS_PORT,
    ),
    (
        "detector",
        |broker| at(broker, "127.0.0.1", Listener::Plain),
        1,
        NOT_THIS_PORT,
    ),
    (
        "detector",
        // The broker hangs up on who does not say who he is; whether that is noticed at reading or at writing is chance.
        |broker| json!({"brokers": broker.address(Listener::Sasl), "tls": {"ca_file": broker.file("ca.pem")}}),
        1,
        "/bootstrap: ",
    ),
];

fn wrong_password(broker: &Secured) -> Value {
    let mut sasl = broker.with_password("detector", "scram-sha-512")["sasl"].clone();
    sasl["password_file"] = json!(broker.file("nobody.password"));
    changed(broker, "sasl", sasl)
}

fn at(broker: &Secured, host: &str, listener: Listener) -> Value {
    changed(broker, "brokers", format!("{host}:{}", broker.port(listener)).into())
}

fn changed(broker: &Secured, key: &str, value: Value) -> Value {
    let mut section = broker.with_password("detector", "scram-sha-512");
    section[key] = value;
    section
}

#[test]
fn who_is_not_let_in_says_why_and_ends() {
    let broker = Secured::of_environment();
    let installation = Installation::prepare("refused", settings("refused"), move |_, config| {
        let case: usize = config["kafka"]["instance"].as_str().unwrap().parse().unwrap();
        overwrite(&mut config["kafka"], REFUSALS[case].1(&broker));
    });
    // All at once: each asks for ten seconds before it gives up.
    let start = |(case, refusal): (usize, &Refusal)| installation.start(refusal.0, &case.to_string());
    let mut processes: Vec<Process> = REFUSALS.iter().enumerate().map(start).collect();
    for (case, (process, (service, _, code, says))) in processes.iter_mut().zip(REFUSALS).enumerate() {
        let status = process.wait_end();
        let last = process.logged("ended by an error");
        let error = last.first().and_then(|line| line["error"].as_str()).unwrap_or_default();
        assert_eq!(status.code(), Some(*code), "{case}, {service}: {error}");
        assert!(error.contains(says), "{case}, {service}: {error}");
    }
}
