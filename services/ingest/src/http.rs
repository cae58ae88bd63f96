//! The HTTP door: LogTide's `POST /api/v1/ingest`, and raw lines of a named format.
//!
//! | path | what it takes |
//! |---|---|
//! | `POST /api/v1/ingest`, `POST /api/v1/ingest/single` | `{"logs":[…]}`, lists, objects, or lines of any format |
//! | `POST /api/v1/ingest/{format}` | one record of that format a line |
//! | `GET /health` | whether the door is open; needs no key |
//!
//! The answer comes after the delivery reports of every event and every dead letter. A request is worked on in a task
//! of its own: a client that hangs up and asks again finds the first still under way, and not a gap.

mod answer;
mod body;
mod delivery;
mod server;

use std::net::IpAddr;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use formats::{Choice, Framing};

use crate::http::answer::{Receipt, Refusal};
use crate::http::body::{Encoding, InFlight};
use crate::http::delivery::{Delivery, Nonce, Received};
use crate::keys::Keys;
use crate::{HttpSettings, Ingest};

pub(crate) use server::serve;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Everything that requests share.
pub(crate) struct HttpDoor {
    keys: Keys,
    settings: HttpSettings,
    in_flight: Arc<InFlight>,
    nonce: Nonce,
    delivery: Arc<Delivery>,
}

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl HttpDoor {
    pub(crate) fn new(ingest: &Ingest) -> Self {
        let settings = ingest.settings.http.clone();
        Self {
            keys: Keys::new(&ingest.settings.api_keys),
            in_flight: Arc::new(InFlight::new(
                settings.in_flight_bytes,
                ingest.metrics.in_flight_bytes.clone(),
            )),
            nonce: Nonce::new(&ingest.clocks),
            delivery: Arc::new(Delivery::new(ingest)),
            settings,
        }
    }

    fn elapsed(&self) -> Duration {
        (self.delivery.clocks.stopwatch)()
    }

    /// Takes a request in and has it delivered.
    async fn take(&self, reading: Reading, peer: Peer, request: Request) -> Result<Receipt, Refusal> {
        let (parts, body) = request.into_parts();
        let tenant = self.keys.tenant(&parts.headers).map_err(|reason| {
            self.delivery.metrics.unauthorized(reason);
            tracing::debug!(peer = %peer.0, reason = reason.as_str(), "refused");
            Refusal::Unauthorized(reason)
        })?;
        let encoding = Encoding::of(&parts.headers)?;
        let idempotency_key = idempotency_key(&parts.headers)?;
        let mut room = InFlight::enter(&self.in_flight);
        let limit = self.settings.body_bytes;
        let reading_body = body::read(body, &parts.headers, limit, &mut room);
        let bytes = tokio::time::timeout(self.settings.body_timeout, reading_body)
            .await
            .map_err(|_| Refusal::TooSlow)??;
        let received = Received {
            tenant,
            choice: reading.choice,
            framing: reading.framing.or_else(|| framing(&parts.headers)),
            idempotency_key,
            nonce: self.nonce.next(),
            peer: peer.0,
            encoding,
            bytes,
            bytes_max: limit,
            room,
        };
        let delivery = self.delivery.clone();
        let task = tokio::spawn(async move { delivery.deliver(received).await });
        task.await.map_err(|_| Refusal::Unknown)?
    }
}

/// How a path has its bodies read.
struct Reading {
    choice: Choice,
    /// `None`: as the headers or the body say.
    framing: Option<Framing>,
}

/// The bodies that newline-delimited JSON comes in.
fn framing(headers: &HeaderMap) -> Option<Framing> {
    let of = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let of = of.split(';').next().unwrap_or_default().trim();
    let is_lines = ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        .iter()
        .any(|lines| of.eq_ignore_ascii_case(lines));
    is_lines.then_some(Framing::Lines)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if !key.is_empty() => Ok(Some(key.clone())),
        (None, _) => Ok(None),
        (Some(_), _) => Err(Refusal::Malformed(
            "Idempotency-Key must be there once, with a value".into(),
        )),
    }
}

/// The routes of the door.
pub(crate) fn router(door: Arc<HttpDoor>) -> Router {
    Router::new()
        .route("/api/v1/ingest", post(ingest))
        .route("/api/v1/ingest/single", post(ingest))
        .route("/api/v1/ingest/{format}", post(ingest_lines))
        .route("/health", get(health))
        .fallback(async || Refusal::NotFound("there is nothing at this path".into()))
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(door.clone(), count))
        .with_state(door)
}

async fn ingest(State(door): State<Arc<HttpDoor>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let reading = Reading {
        choice: Choice::Auto,
        framing: None,
    };
    door.take(reading, peer, request).await.into_response()
}

async fn ingest_lines(
    State(door): State<Arc<HttpDoor>>,
    Extension(peer): Extension<Peer>,
    Path(format): Path<String>,
    request: Request,
) -> Response {
    match Choice::from_str(&format) {
        Ok(choice) => {
            let reading = Reading {
                choice,
                framing: Some(Framing::Lines),
            };
            door.take(reading, peer, request).await.into_response()
        }
        Err(error) => Refusal::NotFound(error.to_string()).into_response(),
    }
}

async fn health(State(door): State<Arc<HttpDoor>>) -> Response {
    answer::health((door.delivery.clocks.wall)())
}

/// Counts a request, whatever became of it.
async fn count(State(door): State<Arc<HttpDoor>>, request: Request, next: Next) -> Response {
    let begun = door.elapsed();
    let metrics = &door.delivery.metrics;
    metrics.in_flight_requests.inc();
    // Also if the client hangs up, for then what follows is never reached.
    let _under_way = UnderWay(&door);
    let response = next.run(request).await;
    metrics.request(response.status().as_u16(), door.elapsed().saturating_sub(begun));
    response
}

struct UnderWay<'a>(&'a HttpDoor);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.delivery.metrics.in_flight_requests.dec();
    }
}
