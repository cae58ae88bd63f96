use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use alerting::{CHANNELS, Channel, Limits, Retry, Route, Routes, channel};
use event::{AlertStatus, Severity};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use service::settings::Reader;

use crate::Room;
use crate::address::is_public;

/// What the alerter is told by the operator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who is told what.
    pub routes: Vec<RouteSettings>,
    /// How long the ledger remembers a delivery.
    pub remember: Duration,
    /// What one partition holds in memory at most. Beyond that its later alerts wait, for every route.
    pub room: Room,
    /// The time from one commit to the next.
    pub commit_interval: Duration,
    /// How long a stop waits for attempts in the air.
    pub drain_timeout: Duration,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long an attempt may take, from its beginning to the end of the answer.
    pub request_timeout: Duration,
}

/// One route and its destination.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// What it takes.
    pub route: Route,
    /// How often it is tried.
    pub retry: Retry,
    /// Attempts in the air at once.
    pub attempts_max: usize,
    /// Where it sends; `None` for a channel that is not remote.
    pub destination: Option<Destination>,
}

/// Where alerts are sent over HTTP.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The address, which for Slack is a secret.
    pub url: SecretString,
    /// The routing key or the signing secret.
    pub secret: SecretString,
    /// Sends without TLS if the address says so. For receivers on this machine, and tests.
    pub allow_http: bool,
    /// Sends to private addresses, this machine among them.
    pub allow_private: bool,
}

/// Why an address cannot be sent to. Never the address, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestination {
    /// It cannot be read.
    #[error("the address is not a URL with a host")]
    NoUrl,
    /// It is neither `https` nor a permitted `http`.
    #[error("the address must begin with https://; http:// needs allow_http")]
    Scheme,
    /// It is an address of this machine or its network.
    #[error("the address is private, which needs allow_private")]
    Private,
    /// It has a name or password in it, which would stand in no secret store.
    #[error("the address must not contain a user name or password")]
    Credentials,
    /// The secret does not fit the channel.
    #[error("{0}")]
    Secret(&'static str),
}

/// What an operator may write as `routes`.
const ROUTES: &str = "\
everything:
  channel: log                    # a line where the alerter runs
#chat:
  #channel: slack
  #url_file: /run/secrets/slack_url
#pager:
  #channel: pagerduty
  #secret_file: /run/secrets/routing_key
  #fallback: chat
  #give_up_after: 15m
#soar:
  #channel: webhook
  #url_file: /run/secrets/soar_url
  #secret_file: /run/secrets/soar_signing_secret
  #statuses: [opened, closed]
";

impl Default for Settings {
    /// The defaults, and no route.
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            remember: Duration::from_hours(24),
            room: Room {
                records_max: 10_000,
                bytes_max: 64 << 20,
            },
            commit_interval: Duration::from_millis(100),
            drain_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl RouteSettings {
    /// A route with the defaults of its channel.
    pub fn new(route: Route, destination: Option<Destination>) -> Self {
        Self {
            route,
            retry: Retry::default(),
            attempts_max: 8,
            destination,
        }
    }

    /// A route that writes every alert where the service runs.
    pub fn log(name: &str) -> Self {
        Self::new(Route::new(name, &alerting::channels::log::Log), None)
    }

    /// What its outbox never exceeds.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            attempts_max: self.attempts_max,
            pace: self.route.pace,
        }
    }
}

impl Destination {
    /// The address, checked as far as it can be without asking anybody.
    ///
    /// # Errors
    /// What is wrong with the address or the secret.
    pub fn url(&self, channel: &dyn Channel) -> Result<Url, InvalidDestination> {
        channel
            .check_secret(self.secret.expose_secret())
            .map_err(InvalidDestination::Secret)?;
        let url = Url::from_str(self.url.expose_secret()).map_err(|_| InvalidDestination::NoUrl)?;
        let host = url.host_str().ok_or(InvalidDestination::NoUrl)?;
        if !(url.scheme() == "https" || (url.scheme() == "http" && self.allow_http)) {
            return Err(InvalidDestination::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidDestination::Credentials);
        }
        // A name is checked when it is resolved; an address is never resolved.
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.allow_private && !is_public(address)) {
            return Err(InvalidDestination::Private);
        }
        Ok(url)
    }
}

impl Settings {
    /// Reads the section of the alerter.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let defaults = Self::default();
        let minute = Duration::from_millis(1)..=Duration::from_mins(1);
        let routes = reader.named_sections(
            "routes",
            "who is told about which alerts, by names of yours",
            ROUTES,
            read_route,
        );
        let routes: Vec<RouteSettings> = routes.into_values().collect();
        if let Err(problems) = Routes::new(routes.iter().map(|route| route.route.clone()).collect()) {
            problems
                .iter()
                .for_each(|problem| reader.problem("routes", problem.to_string()));
        }
        Self {
            routes,
            remember: reader
                .duration(
                    "remember",
                    "how long a delivery is remembered, so that it is not repeated",
                )
                .range(Duration::from_mins(1)..=Duration::from_hours(24 * 30))
                .default(defaults.remember),
            room: Room {
                records_max: reader
                    .integer(
                        "open_records_max",
                        "alerts of one partition that may wait for a delivery; later ones wait in the topic",
                    )
                    .range(1..=1_000_000)
                    .default(defaults.room.records_max),
                bytes_max: usize::try_from(
                    reader
                        .bytes(
                            "open_bytes_max",
                            "the bytes of the alerts of one partition that may wait",
                        )
                        .range(1 << 10..=16 << 30)
                        .default(defaults.room.bytes_max as u64),
                )
                .unwrap_or(usize::MAX),
            },
            commit_interval: reader
                .duration("commit_interval", "how often ended deliveries are committed")
                .range(minute.clone())
                .default(defaults.commit_interval),
            drain_timeout: reader
                .duration("drain_timeout", "how long a stop waits for attempts in the air")
                .range(Duration::ZERO..=Duration::from_mins(1))
                .default(defaults.drain_timeout),
            connect_timeout: reader
                .duration("connect_timeout", "how long a connection may take to come about")
                .range(minute.clone())
                .default(defaults.connect_timeout),
            request_timeout: reader
                .duration("request_timeout", "how long an attempt may take in all")
                .range(minute)
                .default(defaults.request_timeout),
        }
    }
}

fn read_route(name: &str, reader: &mut Reader<'_>) -> RouteSettings {
    let names: Vec<&str> = CHANNELS.iter().map(|channel| channel.name()).collect();
    let known = reader
        .text("channel", "how they are told")
        .one_of(&names)
        .example("webhook")
        .required();
    let known = channel(&known);
    // Without a channel there is a problem, and these settings are used for nothing but finding more of them.
    let channel = known.unwrap_or(CHANNELS[0]);
    let mut route = Route::new(name, channel);
    let severities = reader
        .list("severities", "the severities it takes")
        .each_of(&Severity::ALL.map(|severity| severity.as_str()))
        .depends(by_channel(|channel| {
            channel.severities().iter().map(|severity| severity.as_str()).collect()
        }))
        .default(words(route.severities.iter().map(|severity| severity.as_str())));
    let statuses = reader
        .list("statuses", "what it tells of an alert")
        .each_of(&STATUSES.map(|status| status.as_str()))
        .depends(by_channel(|channel| {
            channel.statuses().iter().map(|status| status.as_str()).collect()
        }))
        .default(words(route.statuses.iter().map(|status| status.as_str())));
    route.severities = known_words(&severities, &Severity::ALL, |severity| severity.as_str());
    route.statuses = known_words(&statuses, &STATUSES, |status| status.as_str());
    route.fallback = reader
        .text("fallback", "the name of the route that is told when this one cannot be")
        .example("chat")
        .optional()
        .map(Into::into);
    let retry = Retry::default();
    let budget = reader
        .duration(
            "give_up_after",
            "how long a delivery is tried; then the alert goes to the fallback and to the topic `undelivered`",
        )
        .range(Duration::from_secs(1)..=Duration::from_hours(24 * 7))
        .default(retry.budget);
    let attempts_max = reader
        .integer("attempts_max", "how many attempts are in the air at once")
        .range(1..=256)
        .default(8_usize);
    let destination = read_destination(channel, reader);
    let destination = channel.is_remote().then_some(destination);
    if let (Some(channel), Some(destination)) = (known, &destination)
        && let Err(problem) = destination.url(channel)
    {
        let key = if matches!(problem, InvalidDestination::Secret(_)) {
            "secret"
        } else {
            "url"
        };
        reader.require(false, &[key], &problem.to_string());
    }
    RouteSettings {
        route,
        retry: Retry { budget, ..retry },
        attempts_max,
        destination,
    }
}

fn read_destination(channel: &dyn Channel, reader: &mut Reader<'_>) -> Destination {
    let url = reader
        .secret(
            "url",
            "where it sends; needed by slack and webhook, not by log, and pagerduty has its own",
        )
        .optional();
    Destination {
        url: url
            .or_else(|| channel.default_url().map(SecretString::from))
            .unwrap_or_default(),
        secret: reader
            .secret(
                "secret",
                "the routing key for pagerduty; for webhook the signing secret, `whsec_` and base64",
            )
            .optional()
            .unwrap_or_default(),
        allow_http: reader
            .boolean(
                "allow_http",
                "whether it may send without TLS, to a receiver on this machine",
            )
            .default(false),
        allow_private: reader
            .boolean(
                "allow_private",
                "whether it may send to private addresses, to a receiver in your own network",
            )
            .default(false),
    }
}

const STATUSES: [AlertStatus; 3] = [AlertStatus::Opened, AlertStatus::Updated, AlertStatus::Closed];

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    words.map(str::to_owned).collect()
}

/// What the words mean; others have been refused.
fn known_words<T: Copy>(words: &[String], all: &[T], word_of: impl Fn(T) -> &'static str) -> Vec<T> {
    let meaning = |word: &String| all.iter().copied().find(|known| word_of(*known) == word);
    words.iter().filter_map(meaning).collect()
}

/// What every channel has instead of a common default: `slack (high, critical)`.
fn by_channel(words_of: impl Fn(&dyn Channel) -> Vec<&'static str>) -> String {
    let of_one = |channel: &&dyn Channel| format!("{} ({})", channel.name(), words_of(*channel).join(", "));
    format!(
        "by channel: {}",
        CHANNELS.iter().map(of_one).collect::<Vec<_>>().join(", ")
    )
}
