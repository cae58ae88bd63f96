//! Stands in for Slack, PagerDuty and a receiver of webhooks, and keeps what it was sent, byte for byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The path that answers as Slack does.
pub const SLACK: &str = "/slack";
/// The path that answers as PagerDuty's Events API does.
pub const PAGERDUTY: &str = "/pagerduty";
/// The path that takes webhooks.
pub const WEBHOOK: &str = "/webhook";

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it was sent to.
    pub path: String,
    /// Its headers; names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Bytes,
    /// When the whole of it was there.
    pub at: Instant,
}

/// What was received so far, and who waits for more.
#[derive(Default)]
struct Inbox {
    received: Mutex<Vec<Received>>,
    arrived: Condvar,
}

/// A server on a free port of this machine; ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    _runtime: Runtime,
}

impl Received {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is none.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver {
    /// Begins to listen.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let inbox = Arc::new(Inbox::default());
        let router = Router::new().fallback(receive).with_state(inbox.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            inbox,
            _runtime: runtime,
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What a path has received so far, oldest first.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let received = self.inbox.lock();
        received
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    /// Waits until a path has received `count` requests that `is_wanted` accepts, and returns them.
    ///
    /// # Panics
    /// If it has not within `patience`.
    pub fn wait_for(
        &self,
        path: &str,
        count: usize,
        patience: Duration,
        is_wanted: impl Fn(&Received) -> bool,
    ) -> Vec<Received> {
        let deadline = Instant::now() + patience;
        let mut received = self.inbox.lock();
        loop {
            let wanted = |request: &&Received| request.path == path && is_wanted(request);
            let found: Vec<Received> = received.iter().filter(wanted).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{path} received {} of {count} requests within {patience:?}",
                found.len()
            );
            let woken = self.inbox.arrived.wait_timeout(received, left);
            received = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let path = uri.path().to_owned();
    let received = Received {
        path: path.clone(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: body.clone(),
        at: Instant::now(),
    };
    inbox.lock().push(received);
    inbox.arrived.notify_all();
    match path.as_str() {
        SLACK => "ok".into_response(),
        PAGERDUTY => {
            let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
            let answer = json!({"status": "success", "message": "Event processed", "dedup_key": sent["dedup_key"]});
            (
                StatusCode::ACCEPTED,
                [(CONTENT_TYPE, "application/json")],
                answer.to_string(),
            )
                .into_response()
        }
        WEBHOOK => StatusCode::NO_CONTENT.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
