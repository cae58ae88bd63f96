//! An installation of its own for a test: topics, bucket, state, configuration, and a receiver for its alerts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kafka::KafkaSettings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::log;
use crate::process::{Process, command, wait_for};
use crate::receiver::{PAGERDUTY, Receiver, SLACK, WEBHOOK};
use crate::s3::Bucket;
use crate::web::Web;

/// The partitions of the topics that carry the load.
pub const PARTITIONS: u32 = 3;
/// The key of the HTTP door.
pub const API_KEY: &str = "a key for tests, of one tenant";
/// Whose events that key brings.
pub const TENANT: &str = "acme";
/// The routing key that PagerDuty is sent.
pub const ROUTING_KEY: &str = "a routing key for tests";
/// The secret that webhooks are signed with: `whsec_` and the base64 of [`SIGNING_KEY`].
pub const SIGNING_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
/// The key in it.
pub const SIGNING_KEY: &[u8; 24] = b"012345678901234567890123";

/// How long a tool may take.
const TOOL_MAX: Duration = Duration::from_secs(60);

/// An installation; gone with the value, but for its topics and its bucket.
pub struct Installation {
    /// How to reach its topics.
    pub kafka: KafkaSettings,
    /// Where its alerts arrive.
    pub receiver: Receiver,
    /// Where it archives.
    pub bucket: Bucket,
    /// How long a record may wait for the detector's commit, in the words of the configuration.
    pub commit_interval: &'static str,
    /// How often a canary is written, in the words of the configuration: not at all, unless a test asks for it, for
    /// others count every event.
    pub canary_interval: &'static str,
    /// A client to talk to its services with.
    pub web: Arc<Web>,
    adjust: Box<Adjust>,
    directory: TempDir,
    starts: AtomicU32,
}

/// What a test changes in the configuration of a service, or of `tools`.
type Adjust = dyn Fn(&str, &mut Value) + Send + Sync;

impl Installation {
    /// Makes one, with the topics that `tidewatch topics create` makes.
    ///
    /// # Panics
    /// If the servers are not there, or refuse.
    pub fn create(test: &str) -> Self {
        let installation = Self::prepare(test, log::settings(test), |_, _| ());
        installation.create_topics();
        installation
    }

    /// One whose topics are reached by `kafka`, without topics yet. `adjust` has the last word on every configuration.
    ///
    /// # Panics
    /// If there is no S3, or it refuses.
    pub fn prepare(
        test: &str,
        kafka: KafkaSettings,
        adjust: impl Fn(&str, &mut Value) + Send + Sync + 'static,
    ) -> Self {
        Self {
            kafka,
            receiver: Receiver::start(),
            bucket: Bucket::create(test, true),
            commit_interval: "100ms",
            canary_interval: "0s",
            web: Arc::new(Web::new()),
            adjust: Box::new(adjust),
            directory: TempDir::new().expect("a directory"),
            starts: AtomicU32::new(0),
        }
    }

    /// Creates its topics.
    ///
    /// # Panics
    /// If the brokers refuse.
    pub fn create_topics(&self) {
        let created = self.topics("create");
        assert!(created.status.success(), "{created:?}");
    }

    /// Runs `tidewatch topics create` or `verify`.
    pub fn topics(&self, command: &str) -> Output {
        let config = self.config("tools", "tools", "0");
        let partitions = PARTITIONS.to_string();
        let shape = ["--partitions", &partitions, "--replicas", "1"];
        run(&[&["--config", text(&config), "topics", command], &shape[..]].concat())
    }

    /// Where an instance of the detector keeps its state.
    pub fn state_dir(&self, instance: &str) -> PathBuf {
        self.directory.path().join(format!("state-{instance}"))
    }

    /// Starts a service as `instance`: the same name is the same instance, with the state of the one before.
    pub fn start(&self, service: &str, instance: &str) -> Process {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let name = format!("{start:03}-{service}-{instance}");
        let log = self.directory.path().join(format!("{name}.log"));
        let config = self.config(&name, service, instance);
        Process::start(&format!("{service} {instance}"), service, &config, &log, &self.web)
    }

    /// Starts all four services, and waits until they are ready.
    pub fn start_all(&self) -> Services {
        let mut services = Services {
            ingest: self.start("ingest", "0"),
            detector: self.start("detector", "0"),
            alerter: self.start("alerter", "0"),
            archiver: self.start("archiver", "0"),
        };
        services.each(Process::wait_ready);
        services
    }

    /// Writes the configuration of an instance, to a file that no running process may be reading. JSON is YAML.
    fn config(&self, name: &str, service: &str, instance: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{name}.yaml"));
        let mut config = json!({
            "telemetry": {"listen": "127.0.0.1:0"},
            "kafka": {
                "brokers": self.kafka.brokers,
                "prefix": self.kafka.prefix,
                "instance": instance,
                "session_timeout": format!("{}ms", self.kafka.session_timeout.as_millis()),
            },
            "ingest": {
                "http": {"listen": "127.0.0.1:0"},
                "api_keys": {"tests": {"secret": API_KEY, "tenant": TENANT}},
                "topics": [{"topic": "raw", "tenant": TENANT}],
                "canary": {"interval": self.canary_interval},
            },
            "detector": {
                "state_dir": self.state_dir(instance),
                "flush_interval": "2s",
                "commit_interval": self.commit_interval,
            },
            "alerter": {"routes": {
                "chat": self.route("slack", SLACK, None),
                "pager": self.route("pagerduty", PAGERDUTY, Some(ROUTING_KEY)),
                "soar": self.route("webhook", WEBHOOK, Some(SIGNING_SECRET)),
            }},
            "archiver": {
                "store": {"bucket": self.bucket.name, "endpoint": crate::s3::endpoint()},
                "segment": {"age_max": "5s"},
                "tiers": {"audit": {"lock": "compliance"}},
            },
        });
        (self.adjust)(service, &mut config);
        std::fs::write(&path, config.to_string()).expect("a file");
        path
    }

    fn route(&self, channel: &str, path: &str, secret: Option<&str>) -> Value {
        let url = self.receiver.url(path);
        let mut route = json!({"channel": channel, "url": url, "allow_http": true, "allow_private": true});
        if let Some(secret) = secret {
            route["secret"] = secret.into();
        }
        route
    }

    /// Produces lines to a partition of a topic with kcat, a record each, and waits until they are acknowledged.
    ///
    /// # Panics
    /// If kcat is not there, or fails.
    pub fn produce(&self, topic: &str, partition: u32, lines: &[String], options: &[&str]) {
        let topic = format!("{}{topic}", self.kafka.prefix);
        let mut kcat = Command::new("kcat")
            .args([
                "-P",
                "-b",
                &self.kafka.brokers,
                "-t",
                &topic,
                "-p",
                &partition.to_string(),
            ])
            .args(["-X", "acks=all"])
            .args(options)
            .stdin(Stdio::piped())
            .spawn()
            .expect("kcat is there (deploy/dev/packages.sh kafka)");
        let mut input = kcat.stdin.take().expect("it was asked for");
        for line in lines {
            writeln!(input, "{line}").expect("kcat reads");
        }
        drop(input);
        let status = wait_for("kcat", TOOL_MAX, || kcat.try_wait().expect("our child"));
        assert!(status.success(), "kcat: {status}");
    }
}

/// The four services of an installation.
pub struct Services {
    /// The doors.
    pub ingest: Process,
    /// The rules.
    pub detector: Process,
    /// Who is told.
    pub alerter: Process,
    /// What is kept.
    pub archiver: Process,
}

impl Services {
    /// Each of them: doors, rules, who tells, who keeps.
    pub fn all(&mut self) -> [&mut Process; 4] {
        [
            &mut self.ingest,
            &mut self.detector,
            &mut self.alerter,
            &mut self.archiver,
        ]
    }

    /// Does something to each.
    pub fn each(&mut self, act: impl FnMut(&mut Process)) {
        self.all().into_iter().for_each(act);
    }
}

/// The address of the HTTP door's `path`.
pub fn door(ingest: &mut Process, path: &str) -> String {
    format!("http://{}{path}", ingest.address("the HTTP door is open"))
}

/// Runs a tool of the program to its end.
///
/// # Panics
/// If it does not come to one in time.
pub fn run(arguments: &[&str]) -> Output {
    let mut child = command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // What a tool says fits into a pipe.
    wait_for("the tool", TOOL_MAX, || child.try_wait().expect("our child"));
    child.wait_with_output().expect("our child")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}
