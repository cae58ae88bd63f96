use std::collections::hash_map::RandomState;
use std::error::Error as _;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use alerting::channels::log::Log;
use alerting::{Answer, Channel, Outcome, Sending};
use event::{Alert, Timestamp};
use reqwest::{Client, Response, Url, header, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;

use crate::address::PublicOnly;
use crate::courier::{Attempt, Courier, Finished};
use crate::settings::{Destination, InvalidDestination, RouteSettings, Settings};

/// The most of an answer's body that is read.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Writes an alert where the service runs.
pub type AlertSink = Box<dyn Fn(&Alert) + Send>;

/// Writes alerts to the log of the service, one line of JSON each.
pub fn log_sink() -> AlertSink {
    Box::new(|alert| {
        let sending = Sending {
            now: service::clock::now(),
            secret: "",
        };
        let line = Log.message(alert, &sending).body;
        tracing::info!(target: "tidewatch::alert", "{}", String::from_utf8_lossy(&line));
    })
}

/// Sends over HTTP, and writes what goes to channels that are not remote to a sink.
///
/// Redirects are not followed and no proxy is used: an alert goes to the address in the settings or nowhere.
pub struct HttpCourier {
    runtime: Handle,
    destinations: Vec<Target>,
    /// Holds every attempt that can be in the air, so that no task waits to tell its end.
    ended: (SyncSender<Finished>, Receiver<Finished>),
    sink: AlertSink,
    /// When this began, by the clock that never goes back and by the clock on the wall.
    began: (Instant, Timestamp),
    random: RandomState,
    draws: u64,
}

enum Target {
    Sink,
    Remote(Arc<Remote>),
}

struct Remote {
    channel: &'static dyn Channel,
    client: Client,
    url: Url,
    secret: SecretString,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// A destination is not one.
    #[error("route `{route}`: {problem}")]
    Destination {
        /// The route.
        route: String,
        /// What is wrong.
        problem: InvalidDestination,
    },
    /// The HTTP client cannot be made, for one because the system has no certificates.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl HttpCourier {
    /// Sends on `runtime`, and gives `sink` what goes to the channel `log`.
    ///
    /// # Errors
    /// If a destination is not one, or TLS cannot be set up.
    pub fn new(settings: &Settings, runtime: Handle, sink: AlertSink) -> Result<Self, CourierError> {
        // A process has one provider of cryptography, and all of Tidewatch uses this one: whoever comes second finds it.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut destinations = Vec::with_capacity(settings.routes.len());
        for route in &settings.routes {
            destinations.push(target(settings, route)?);
        }
        let attempts_max: usize = settings.routes.iter().map(|route| route.attempts_max.max(1)).sum();
        Ok(Self {
            runtime,
            destinations,
            ended: sync_channel(attempts_max),
            sink,
            began: (Instant::now(), service::clock::now()),
            random: RandomState::new(),
            draws: 0,
        })
    }
}

fn target(settings: &Settings, route: &RouteSettings) -> Result<Target, CourierError> {
    let channel = route.route.channel;
    let Some(destination) = &route.destination else {
        return Ok(Target::Sink);
    };
    let url = destination.url(channel).map_err(|problem| {
        let route = route.route.name.to_string();
        CourierError::Destination { route, problem }
    })?;
    let client = client(settings, destination)?;
    Ok(Target::Remote(Arc::new(Remote {
        channel,
        client,
        url,
        secret: destination.secret.clone(),
    })))
}

fn client(settings: &Settings, destination: &Destination) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("Tidewatch/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(!destination.allow_http);
    let builder = if destination.allow_private {
        builder
    } else {
        builder.dns_resolver(Arc::new(PublicOnly))
    };
    builder.build()
}

impl Courier for HttpCourier {
    fn now(&self) -> Timestamp {
        let (instant, wall) = self.began;
        wall.plus(instant.elapsed())
    }

    fn jitter(&mut self) -> u32 {
        // The standard library's keyed hash of a counter: random keys make it unlike that of any other process.
        self.draws = self.draws.wrapping_add(1);
        let hash = self.random.hash_one(self.draws);
        u32::try_from(hash >> 32).unwrap_or(u32::MAX)
    }

    fn send(&mut self, Attempt { route, delivery }: Attempt) {
        let sender = self.ended.0.clone();
        let id = delivery.id;
        // If nobody collects any more, nobody needs to know.
        let end = move |outcome| drop(sender.send(Finished { route, id, outcome }));
        match &self.destinations[route] {
            Target::Sink => {
                (self.sink)(&delivery.alert);
                end(Outcome::Delivered);
            }
            Target::Remote(remote) => {
                let remote = Arc::clone(remote);
                let attempt = self.runtime.spawn(async move { remote.attempt(&delivery.alert).await });
                self.runtime.spawn(async move {
                    // An attempt that nobody hears of would hold its alert for ever, so even a panic has an end.
                    let lost = |error| Outcome::Retriable {
                        reason: format!("attempt lost: {error}"),
                        retry_after: None,
                    };
                    end(attempt.await.unwrap_or_else(lost));
                });
            }
        }
    }

    fn collect(&mut self) -> Vec<Finished> {
        self.ended.1.try_iter().collect()
    }

    fn pass_time(&mut self, span: Duration) {
        std::thread::sleep(span);
    }
}

impl Remote {
    async fn attempt(&self, alert: &Alert) -> Outcome {
        let sending = Sending {
            now: service::clock::now(),
            secret: self.secret.expose_secret(),
        };
        let message = self.channel.message(alert, &sending);
        let mut request = self.client.post(self.url.clone()).body(message.body);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(response) => self.judge(alert, response).await,
            Err(error) if error.is_builder() => Outcome::Permanent {
                reason: describe(error),
            },
            Err(error) => Outcome::Retriable {
                reason: describe(error),
                retry_after: None,
            },
        }
    }

    async fn judge(&self, alert: &Alert, mut response: Response) -> Outcome {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let (body, broken) = read_body(&mut response).await;
        let answer = Answer {
            status: status.as_u16(),
            retry_after: retry_after.as_deref(),
            body: &body,
            now: service::clock::now(),
        };
        let outcome = self.channel.outcome(alert, &answer);
        match (outcome, broken) {
            // It said yes, and what should have followed was lost: nobody knows whether it has the alert.
            (Outcome::Permanent { .. }, Some(error)) if status.is_success() => {
                let reason = format!("answered {status}, then: {}", describe(error));
                Outcome::Retriable {
                    reason,
                    retry_after: None,
                }
            }
            (outcome, _) => outcome,
        }
    }
}

/// The body, or its beginning, and why it ended early.
async fn read_body(response: &mut Response) -> (Vec<u8>, Option<reqwest::Error>) {
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(BODY_BYTES_MAX - body.len())]),
            Ok(None) => return (body, None),
            Err(error) => return (body, Some(error)),
        }
    }
    (body, None)
}

/// The error and its causes, without the address, which may be a secret.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("writing to memory cannot fail");
        cause = error.source();
    }
    text
}
