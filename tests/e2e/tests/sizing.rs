//! What an event costs: bytes in the topics and in the archive, CPU and memory of each service. Prints what `docs/sizing.md`
//! holds: with `EVENTS=100000`, or with `LINES` of a file, each an event; without either it only sees that the figures can be had.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use broker::{Output, Publisher as _};
use e2e::log::{output, read_all};
use e2e::pipeline::{Installation, PARTITIONS};
use e2e::process::{Process, wait_for};
use e2e::producer::{logged, recently, sshd};
use e2e::tool;
use event::topic;
use kafka::{KafkaPublisher, Unobserved};
use serde_json::{Value, json};

/// Without EVENTS: enough to see that all figures are there.
const FEW: usize = 3_000;

/// How old a segment of the archive is at most in an installation of the tests.
const SEGMENT: Duration = Duration::from_secs(5);

/// How many events a producer has on its way at once.
const AT_ONCE: usize = 1_000;

/// One event in so many belongs to an attack, and twelve make one.
const ATTACKS: usize = 1_200;
const FAILURES: usize = 12;

/// A third each: lines of sshd (security), lines of a web server (access), and JSON with its own id (audit).
fn event(number: usize) -> String {
    let user = number % 997;
    // Failures of one address follow each other; everybody else fails once.
    let (round, within) = (number / ATTACKS, number % ATTACKS / 3);
    let address = if within < FAILURES {
        format!("203.0.{}.{}", round / 250 % 250, round % 250)
    } else {
        format!("10.{}.{}.{}", number / 62_500 % 250, number / 250 % 250, number % 250)
    };
    match number % 3 {
        0 => sshd(
            recently(1),
            &format!("Failed password for user{user} from {address} port 51514 ssh2"),
        ),
        1 => format!(
            r#"{address} - user{user} [22/Nov/2026:06:10:18 +0000] "GET /orders/{number} HTTP/1.1" 200 {} "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0""#,
            number * 31 % 60_000
        ),
        _ => {
            let metadata = json!({"audit": true, "action": "update", "user_id": format!("user{user}"), "source_ip": address,
                "resource": format!("orders/{number}"), "request_id": format!("{number:032x}")});
            logged(
                &format!("audited-{number:012}"),
                recently(1),
                "record_changed",
                metadata,
            )
            .to_string()
        }
    }
}

/// What is sent: the lines of a file, or so many events that were made up.
fn events() -> Vec<String> {
    match std::env::var("LINES") {
        Ok(file) => std::fs::read_to_string(file)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect(),
        Err(_) => {
            let count = std::env::var("EVENTS").map_or(FEW, |text| text.parse().expect("a number"));
            (0..count).map(event).collect()
        }
    }
}

/// Writes them to `raw`, a thousand at a time, and says how many bytes they have.
fn produce(installation: &Installation, events: &[String]) -> usize {
    let publisher = KafkaPublisher::connect(&installation.kafka, Arc::new(Unobserved)).unwrap();
    let mut bytes = 0;
    for chunk in events.chunks(AT_ONCE) {
        let places = (0..PARTITIONS).cycle();
        let outputs = places
            .zip(chunk)
            .map(|(partition, event)| output(topic::RAW, partition, event.as_str()));
        let outputs: Vec<Output> = outputs.collect();
        bytes += outputs.iter().map(Output::bytes).sum::<usize>();
        let (tell, told) = sync_channel(1);
        publisher
            .publish(outputs, Box::new(move |result| tell.send(result).unwrap()))
            .unwrap();
        told.recv().unwrap().unwrap();
    }
    bytes
}

/// User and system time so far, and the most memory that it ever had, in bytes.
fn used(process: &Process) -> (Duration, u64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", process.id())).unwrap();
    // After the name in parentheses the third field follows; user and system time are the 14th and the 15th, in 1/100 s.
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |field: usize| fields[field - 3].parse::<u64>().unwrap();
    let status = read("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    (Duration::from_millis(10 * (ticks(14) + ticks(15))), kilobytes * 1024)
}

/// Bytes on the disk of the broker, by topic without prefix.
fn on_disk(installation: &Installation) -> BTreeMap<String, u64> {
    let prefix = &installation.kafka.prefix;
    let told = tool::run("kafka-log-dirs.sh", &installation.kafka.brokers, &["--describe"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let dirs: Value = serde_json::from_str(told.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let mut sizes = BTreeMap::new();
    for partition in dirs["brokers"][0]["logDirs"][0]["partitions"].as_array().unwrap() {
        let name = partition["partition"].as_str().unwrap();
        if let Some((topic, _)) = name
            .strip_prefix(prefix.as_str())
            .and_then(|name| name.rsplit_once('-'))
        {
            *sizes.entry(topic.to_owned()).or_default() += partition["size"].as_u64().unwrap();
        }
    }
    sizes
}

/// Bytes, records and objects in the archive, by topic; manifests are not among them.
fn archived(installation: &Installation) -> BTreeMap<String, [u64; 3]> {
    let mut sums = BTreeMap::<String, [u64; 3]>::new();
    for (_, record) in read_all(&installation.kafka, topic::MANIFESTS) {
        let manifest: Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
        let sum = sums.entry(manifest["topic"].as_str().unwrap().to_owned()).or_default();
        for (total, more) in sum.iter_mut().zip([
            manifest["size"].as_u64().unwrap(),
            manifest["count"].as_u64().unwrap(),
            1,
        ]) {
            *total += more;
        }
    }
    sums
}

/// What the second stage holds, and how long it takes to have it again when its disk is lost.
fn report_state(installation: &Installation, detector: &mut Process) {
    let sum = |detector: &Process, name: &str| -> f64 {
        let of = |partition| detector.metric(&format!("{name}{{partition=\"{partition}\"}}"));
        (0..PARTITIONS).map(of).sum()
    };
    let (keys, bytes) = (
        sum(detector, "tidewatch_detector_state_keys"),
        sum(detector, "tidewatch_detector_state_bytes"),
    );
    assert!(detector.terminate().0.success());
    let image = directory_bytes(&installation.state_dir("0"));
    println!(
        "\nstate: {keys} keys of {:.0} bytes in memory, {:.0} on disk",
        bytes / keys,
        image as f64 / keys
    );
    std::fs::remove_dir_all(installation.state_dir("0")).unwrap();
    let began = Instant::now();
    *detector = installation.start("detector", "0");
    detector.wait_ready();
    let restored = detector.metric("tidewatch_detector_restored_changes_total");
    println!("restored: {restored} changes, ready after {:.1?}", began.elapsed());
    assert!(restored > 0.0);
}

fn directory_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let bytes = entries.map(|entry| match entry.metadata().unwrap() {
        is if is.is_dir() => directory_bytes(&entry.path()),
        is => is.len(),
    });
    bytes.sum()
}

/// Waits until all events are archived, but for those that are dead letters, and what follows from them is too.
fn await_archive(installation: &Installation, count: usize) {
    let patience = Duration::from_secs(60) + Duration::from_millis(10) * u32::try_from(count).unwrap();
    wait_for("all are archived", patience, || {
        thread::sleep(Duration::from_secs(1));
        let archived = archived(installation);
        let events = topic::EVENTS.iter().filter_map(|name| Some(archived.get(*name)?[1]));
        let letters = read_all(&installation.kafka, topic::DEAD_LETTERS).len();
        (events.sum::<u64>() + letters as u64 >= count as u64).then_some(())
    });
}

#[test]
fn what_an_event_costs() {
    let events = events();
    let count = events.len();
    let installation = Installation::create("sizing");
    let mut services = installation.start_all();
    let began = Instant::now();
    let before = services.all().map(|process| used(process).0);
    let sent = produce(&installation, &events);
    println!(
        "{count} events of {} bytes, written in {:.1?}",
        sent / count,
        began.elapsed()
    );
    await_archive(&installation, count);
    println!("archived after {:.1?}", began.elapsed());
    println!("\n| service | CPU ms for 1,000 events | most memory MiB |\n|---|---|---|");
    let names = ["ingest", "detector", "alerter", "archiver"];
    for ((name, process), before) in names.into_iter().zip(services.all()).zip(before) {
        let (cpu, memory) = used(process);
        let spent = (cpu - before).as_secs_f64() * 1e6 / count as f64;
        println!("| {name} | {spent:.1} | {} |", memory >> 20);
        assert!(cpu > Duration::ZERO && memory > 0);
    }
    // Some of what was counted were heartbeats: until the next segment.
    thread::sleep(SEGMENT + Duration::from_secs(2));
    println!("\n| topic | records | bytes on disk for each | for each event |\n|---|---|---|---|");
    for (name, size) in on_disk(&installation).into_iter().filter(|(_, size)| *size > 0) {
        let records = read_all(&installation.kafka, &name).len();
        let size = size as f64;
        println!(
            "| {name} | {records} | {:.0} | {:.1} |",
            size / records as f64,
            size / count as f64
        );
    }
    println!("\n| archived topic | bytes for each of its records | records | objects |\n|---|---|---|---|");
    for (name, [bytes, records, objects]) in archived(&installation) {
        println!(
            "| {name} | {:.1} | {records} | {objects} |",
            bytes as f64 / records as f64
        );
    }
    report_state(&installation, &mut services.detector);
    let opened = read_all(&installation.kafka, topic::ALERTS).len();
    println!("\n{opened} alerts");
    assert!(
        opened >= count / ATTACKS || std::env::var_os("LINES").is_some(),
        "attacks are among them"
    );
}
