//! Connections: how many, how slow they may be, and how they end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use service::Stop;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::{HttpDoor, Peer, router};

/// The most bytes of a request's line and headers. Beyond: 431.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// What a connection buffers at most of what it reads.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// The wait after a connection could not be accepted: mostly because the process has no file handle left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until a stop is requested, then waits for those that are open.
///
/// Only HTTP/1.1: no producer needs more, and what HTTP/2 can be attacked with is not there.
pub(crate) async fn serve(door: HttpDoor, listener: TcpListener, stop: &Stop) -> io::Result<()> {
    let door = Arc::new(door);
    let most = door.settings.connections;
    let slots = Arc::new(Semaphore::new(most));
    let server = Server {
        router: router(door.clone()),
        http: http(&door),
        stop: stop.clone(),
    };
    loop {
        if slots.available_permits() == 0 {
            door.delivery.metrics.connections_full.inc();
        }
        let accepted = tokio::select! {
            () = stop.wait() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                let gauge = door.delivery.metrics.connections.clone();
                let serving = server.clone().connection(stream, peer);
                gauge.inc();
                tokio::spawn(async move {
                    serving.await;
                    gauge.dec();
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = slots.acquire_many(u32::try_from(most).unwrap_or(u32::MAX));
    if tokio::time::timeout(door.settings.drain_timeout, all).await.is_err() {
        tracing::warn!("requests are still under way, and will get no answer");
    }
    Ok(())
}

/// A connection, once there is a slot for it: those beyond wait in the backlog of the listener.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

fn http(door: &HttpDoor) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(door.settings.header_timeout)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    http
}

#[derive(Clone)]
struct Server {
    router: Router,
    http: http1::Builder,
    stop: Stop,
}

impl Server {
    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        let service = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
            service.call(request)
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.wait() => {
                // What is under way is answered, and no further request is read.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "connection ended");
        }
    }
}
