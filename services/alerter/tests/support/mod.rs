//! A log in memory, a receiver on this machine, and an alerter between them.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    unreachable_pub,
    reason = "a module of several test binaries, none of which is a library"
)]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alerter::{AlertSink, Alerter, Destination, HttpCourier, RouteSettings, Settings};
use alerting::{Retry, Route, channel};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use broker::memory::{Keep, Log, Session};
use broker::{Output, Publisher as _, Reader as _, Record, TopicPartition};
use event::{Alert, AlertId, AlertStatus, SemanticHash, Severity, Timestamp, topic};
use service::metrics::Metrics;
use tokio::runtime::Runtime;

pub const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const PATIENCE: Duration = Duration::from_secs(20);
pub type Worker = Alerter<Session, HttpCourier>;

/// What the receiver answers.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub after: Duration,
}

impl Reply {
    pub fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            after: Duration::ZERO,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub at: Instant,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Script {
    received: Vec<Received>,
    /// By path: what is answered first, and what from then on.
    once: BTreeMap<String, VecDeque<Reply>>,
    always: BTreeMap<String, Reply>,
}

/// Answers what a test tells it to, and remembers what came.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    fn start(runtime: &Runtime) -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let app = Router::new().fallback(receive).with_state(Arc::clone(&script));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, script }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn once(&self, path: &str, reply: Reply) {
        self.script
            .lock()
            .unwrap()
            .once
            .entry(path.into())
            .or_default()
            .push_back(reply);
    }

    pub fn always(&self, path: &str, reply: Reply) {
        self.script.lock().unwrap().always.insert(path.into(), reply);
    }

    pub fn received(&self, path: &str) -> Vec<Received> {
        self.script
            .lock()
            .unwrap()
            .received
            .iter()
            .filter(|received| received.path == path)
            .cloned()
            .collect()
    }
}

async fn receive(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap().to_vec();
    let reply = {
        let mut script = script.lock().unwrap();
        script.received.push(Received {
            path: path.clone(),
            headers,
            body,
            at: Instant::now(),
        });
        let first = script.once.get_mut(&path).and_then(VecDeque::pop_front);
        first
            .or_else(|| script.always.get(&path).cloned())
            .unwrap_or_else(|| Reply::new(200, "ok"))
    };
    tokio::time::sleep(reply.after).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

pub struct World {
    pub log: Log,
    pub runtime: Runtime,
    pub receiver: Receiver,
    pub metrics: Metrics,
    pub partitions: u32,
}

impl World {
    pub fn new(partitions: u32) -> Self {
        let log = Log::new(service::clock::now);
        for name in [topic::ALERTS, topic::NOTIFICATIONS] {
            log.create_topic(name, partitions, Keep::All);
        }
        log.create_topic(topic::UNDELIVERED, 1, Keep::All);
        log.create_topic(topic::DEAD_LETTERS, 1, Keep::All);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let receiver = Receiver::start(&runtime);
        Self {
            log,
            runtime,
            receiver,
            metrics: Metrics::new(),
            partitions,
        }
    }

    /// A route to `path` of the receiver, which is its name too.
    pub fn route(&self, path: &str, kind: &str) -> RouteSettings {
        route_to(path, kind, &self.receiver.url(path))
    }

    pub fn worker(&self, slot: &str, settings: &Settings) -> Worker {
        self.worker_with_sink(slot, settings, Box::new(|_| {}))
    }

    pub fn worker_with_sink(&self, slot: &str, settings: &Settings, sink: AlertSink) -> Worker {
        let session = self.log.session("alerter", slot, &[topic::ALERTS]).unwrap();
        let courier = HttpCourier::new(settings, self.runtime.handle().clone(), sink).unwrap();
        Alerter::new(session, courier, settings.clone(), &self.metrics).unwrap()
    }

    pub fn publish(&self, alert: &Alert) {
        let output = Output::keyed(
            topic::ALERTS,
            self.partitions,
            alert.record_key().as_bytes(),
            alert.encode(),
        );
        self.publish_record(output);
    }

    pub fn publish_record(&self, output: Output) {
        self.log
            .publish(vec![output], Box::new(|done| assert!(done.is_ok())))
            .unwrap();
    }

    pub fn records(&self, topic: &str) -> Vec<Record> {
        let mut reader = self.log.session("nobody", "nobody", &[]).unwrap();
        let count = reader.partition_count(topic).unwrap();
        let read = |number| reader.read(&TopicPartition::new(topic, number), 0).unwrap().records;
        (0..count).flat_map(read).collect()
    }

    pub fn committed(&self) -> Option<u64> {
        self.log.committed("alerter", &TopicPartition::new(topic::ALERTS, 0))
    }

    /// What `/metrics` says of one series.
    pub fn metric(&self, series: &str) -> String {
        let text = self.metrics.encode().unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("tidewatch_{series} ")));
        line.and_then(|line| line.rsplit(' ').next())
            .unwrap_or("none")
            .to_owned()
    }
}

/// A route whose name is `name` without the slash.
pub fn route_to(name: &str, kind: &str, url: &str) -> RouteSettings {
    let secret = match kind {
        "pagerduty" => "R0UT1NGKEY",
        "webhook" => SIGNING_SECRET,
        _ => "",
    };
    let destination = Destination {
        url: url.into(),
        secret: secret.into(),
        allow_http: true,
        allow_private: true,
    };
    let route = Route::new(name.trim_start_matches('/'), channel(kind).unwrap());
    let mut settings = RouteSettings::new(route, Some(destination));
    settings.retry = Retry {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(20),
        ..Retry::default()
    };
    settings
}

pub fn settings(routes: Vec<RouteSettings>) -> Settings {
    Settings {
        routes,
        commit_interval: Duration::from_millis(1),
        request_timeout: Duration::from_millis(500),
        drain_timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

pub fn alert(number: u8, status: AlertStatus, revision: u32) -> Alert {
    Alert {
        alert_id: AlertId([number; 16]),
        status,
        revision,
        rule_id: "brute-force".into(),
        rule_hash: SemanticHash::new("brute-force"),
        title: "Brute force attack".into(),
        message: "Brute force attack detected from 203.0.113.7".into(),
        severity: Severity::Critical,
        tags: Vec::new(),
        tenant: "acme".into(),
        key: serde_json::json!({"source_ip": "203.0.113.7"})
            .as_object()
            .unwrap()
            .clone(),
        opened_at: Timestamp::parse("2026-01-01T00:00:10Z").unwrap(),
        first_event_at: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        last_event_at: Timestamp::parse("2026-01-01T00:00:10Z").unwrap(),
        count: 11,
        events: Vec::new(),
        events_omitted: 11,
        merged_into: None,
    }
}

pub fn opened(number: u8) -> Alert {
    alert(number, AlertStatus::Opened, 1)
}

/// Steps until `done` says so.
pub fn step_until(workers: &mut [&mut Worker], what: &str, done: impl Fn(&[&mut Worker]) -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done(workers) {
        assert!(Instant::now() < until, "waited too long until {what}");
        for worker in workers.iter_mut() {
            worker.step(Duration::from_millis(1)).unwrap();
        }
    }
}

/// Steps until nothing is on its way and the group has committed `position`.
pub fn settle(world: &World, worker: &mut Worker, position: u64) {
    step_until(&mut [worker], "everything is committed", |workers| {
        workers[0].deliveries_in_flight() == 0 && world.committed() == Some(position)
    });
}
