//! The door for whoever watches the process: `/metrics`, `/healthz`, `/readyz`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

use super::{Health, Obstacle};
use crate::metrics::Metrics;
use crate::stop::Stop;

/// The running endpoint; dropping it closes it.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Where it listens: the port that was given, or chosen where none was.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // Both fail only if the thread has ended by itself, and then there is nothing to close.
        self.close.take().map(|close| close.send(()).ok());
        self.thread.take().map(|thread| thread.join().ok());
    }
}

/// Listens at the address, on a thread of its own: a synchronous service needs no runtime for it,
/// and a service that is busy still answers.
///
/// `routes` are served beside the three; they must answer fast, since all share that thread.
/// While `stop` is requested the process is not ready.
///
/// # Errors
/// The address cannot be bound, or the thread cannot be started.
pub fn serve(
    address: SocketAddr,
    health: Health,
    metrics: Metrics,
    stop: Stop,
    routes: Router,
) -> io::Result<Endpoint> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (close, closed) = oneshot::channel();
    let router = router(health, metrics, stop).merge(routes);
    let serving = async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            served = axum::serve(listener, router) => served,
            _ = closed => Ok(()),
        }
    };
    let thread = thread::Builder::new().name("health".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(serving) {
            tracing::error!(error = &error as &dyn std::error::Error, "the health endpoint ended");
        }
    })?;
    Ok(Endpoint {
        address,
        close: Some(close),
        thread: Some(thread),
    })
}

fn router(health: Health, metrics: Metrics, stop: Stop) -> Router {
    let alive = {
        let health = health.clone();
        move || async move { answer(&health.dead(), "alive") }
    };
    let ready = {
        let (health, stop) = (health.clone(), stop.clone());
        move || async move { answer(&unready(&health, &stop), "ready") }
    };
    let is_ready = metrics.gauge("ready", "1 if the process can do its work, as /readyz says.");
    let exposed = move || async move {
        is_ready.set(i64::from(unready(&health, &stop).is_empty()));
        exposition(&metrics)
    };
    Router::new()
        .route("/metrics", get(exposed))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
}

fn unready(health: &Health, stop: &Stop) -> Vec<Obstacle> {
    let mut obstacles = health.unready();
    if stop.requested() {
        obstacles.push(Obstacle {
            name: "process".to_owned(),
            reason: "stopping".to_owned(),
        });
    }
    obstacles
}

/// 200 and a word, or 503 and a line for each obstacle.
fn answer(obstacles: &[Obstacle], word: &str) -> Response {
    if obstacles.is_empty() {
        return (StatusCode::OK, format!("{word}\n")).into_response();
    }
    let lines: String = obstacles.iter().map(|obstacle| format!("{obstacle}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, format!("not {word}\n{lines}")).into_response()
}

fn exposition(metrics: &Metrics) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
