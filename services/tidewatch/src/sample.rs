//! `tidewatch sample`: attacks that happen now, for an installation that has seen none yet.
//!
//! The demo replays a day of the past with the arrival that its lines claim. On Kafka nobody can claim an arrival, so
//! these events are of the last hour, but for one: the rule of off-hours is stateless and takes an event of last night.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use anyhow::Result;
use broker::{Error, Output, Publisher as _};
use clap::Args;
use event::{Timestamp, partition_of, topic};
use kafka::{KafkaPublisher, KafkaSettings, Unobserved};
use serde_json::{Value, json};
use service::Exit;

use crate::output::say;
use crate::{config, topics};

const MINUTE: Duration = Duration::from_secs(60);
const DAY_MILLIS: i64 = 24 * 3_600_000;

/// The administrator works so long before midnight UTC.
const BEFORE_MIDNIGHT: Duration = Duration::from_mins(30);

/// Prints a sample of attacks that happen now, an event a line: each rule of the guide fires once
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Publish them to the topic `raw` instead, and wait until the brokers have them.
    #[arg(long)]
    publish: bool,
}

/// Runs `tidewatch sample`.
pub(crate) fn run(args: &SampleArgs, config: Option<PathBuf>) -> Result<Exit> {
    let events = events(service::clock::now());
    if !args.publish {
        let mut out = io::stdout().lock();
        for event in events {
            // A reader that has seen enough is no failure.
            if writeln!(out, "{event}").is_err() {
                break;
            }
        }
        return Ok(Exit::Ok);
    }
    let Some(log) = config::for_tool(config, &["kafka"], config::log) else {
        return Ok(Exit::Configuration);
    };
    publish(&log.kafka, &events).or_else(topics::failed)
}

fn publish(settings: &KafkaSettings, events: &[Value]) -> Result<Exit, Error> {
    let publisher = KafkaPublisher::connect(settings, Arc::new(Unobserved))?;
    let partitions = publisher.partition_count(topic::RAW)?;
    let outputs = events.iter().map(|event| {
        let key = event["metadata"]["source_ip"].as_str().unwrap_or_default().as_bytes();
        Output {
            topic: topic::RAW.into(),
            partition: partition_of(key, partitions),
            key: Some(key.to_vec().into()),
            value: Some(event.to_string().into()),
            headers: Vec::new(),
        }
    });
    let (told, published) = sync_channel(1);
    // Nobody waits any more only if this function has returned.
    let done = move |result| drop(told.send(result));
    publisher.publish(outputs.collect(), Box::new(done))?;
    let positions = published
        .recv()
        .expect("the client reports every record, lost ones too")?;
    say(&format!(
        "published {} events to {}{}",
        positions.len(),
        settings.prefix,
        topic::RAW
    ));
    Ok(Exit::Ok)
}

/// Equal events of the last hour.
struct Burst {
    /// When the first of them happened.
    minutes_ago: u32,
    count: u32,
    seconds_apart: u32,
    security_event: &'static str,
    /// What else it says, as JSON. Addresses are those reserved for documentation (RFC 5737).
    metadata: &'static str,
}

const fn burst(
    minutes_ago: u32,
    count: u32,
    seconds_apart: u32,
    security_event: &'static str,
    metadata: &'static str,
) -> Burst {
    Burst {
        minutes_ago,
        count,
        seconds_apart,
        security_event,
        metadata,
    }
}

const BURSTS: [Burst; 9] = [
    burst(
        40,
        60,
        30,
        "rate_limit_exceeded",
        r#"{"source_ip":"198.51.100.200","path":"/api/v1/export"}"#,
    ),
    burst(
        20,
        1,
        0,
        "password_reset_requested",
        r#"{"source_ip":"203.0.113.141","user_id":"user-1042"}"#,
    ),
    burst(
        10,
        1,
        0,
        "login_success",
        r#"{"source_ip":"203.0.113.141","user_id":"user-1042","tags":["new_device_login"]}"#,
    ),
    burst(
        8,
        1,
        0,
        "role_changed",
        r#"{"source_ip":"192.0.2.12","user_id":"bob","target_id":"user-1044","new_role":"admin"}"#,
    ),
    burst(
        6,
        1,
        0,
        "impossible_travel",
        r#"{"source_ip":"203.0.113.8","user_id":"carol","distance_km":8712}"#,
    ),
    burst(
        5,
        1,
        0,
        "data_access",
        r#"{"source_ip":"192.0.2.37","user_id":"erin","audit":true,"action":"customer.view","success":true}"#,
    ),
    burst(
        4,
        12,
        20,
        "login_failed",
        r#"{"source_ip":"203.0.113.99","user_id":"root","reason":"invalid_password"}"#,
    ),
    // Somebody mistypes a password, and is let in: no alert.
    burst(
        3,
        3,
        30,
        "login_failed",
        r#"{"source_ip":"198.51.100.47","user_id":"alice","reason":"invalid_password"}"#,
    ),
    burst(
        1,
        1,
        0,
        "login_success",
        r#"{"source_ip":"198.51.100.47","user_id":"alice"}"#,
    ),
];

const OFF_HOURS_METADATA: &str = r#"{"source_ip":"192.0.2.11","user_id":"dave","user_role":"admin","severity":"high"}"#;

/// The events of a sample that is told at `now`.
fn events(now: Timestamp) -> Vec<Value> {
    let since_midnight = u64::try_from(now.as_millis().rem_euclid(DAY_MILLIS)).unwrap_or_default();
    let last_night = now.minus(Duration::from_millis(since_midnight) + BEFORE_MIDNIGHT);
    let mut events = vec![entry(last_night, "settings_changed", OFF_HOURS_METADATA)];
    for burst in BURSTS {
        let first = now.minus(burst.minutes_ago * MINUTE);
        for at in 0..burst.count {
            let time = first.plus(Duration::from_secs((at * burst.seconds_apart).into()));
            events.push(entry(time, burst.security_event, burst.metadata));
        }
    }
    events
}

/// As the guide's `securityLogger` writes it.
fn entry(time: Timestamp, security_event: &str, metadata: &str) -> Value {
    let mut metadata: Value = serde_json::from_str(metadata).expect("the table holds JSON");
    metadata["security_event"] = security_event.into();
    json!({
        "time": time.to_string(),
        "service": "security",
        "level": "warn",
        "message": format!("SECURITY: {security_event}"),
        "metadata": metadata,
    })
}
