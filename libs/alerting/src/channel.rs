use std::fmt;
use std::time::Duration;

use event::{Alert, AlertStatus, Severity, Timestamp};

use crate::outbox::Pace;
use crate::{CHANNELS, retry_after, text};

/// A way to tell somebody. A new one is a file in `channels/` and a line in [`CHANNELS`].
pub trait Channel: Sync {
    /// The word used in settings, metrics and records.
    fn name(&self) -> &'static str;

    /// The severities that a route of this channel takes if the settings name none.
    fn severities(&self) -> &'static [Severity] {
        &Severity::ALL
    }

    /// What a route of this channel tells of an alert if the settings do not say.
    fn statuses(&self) -> &'static [AlertStatus];

    /// How fast the other end takes messages; `None` if it names no limit.
    fn pace(&self) -> Option<Pace> {
        None
    }

    /// Where it sends if the settings name no address.
    fn default_url(&self) -> Option<&'static str> {
        None
    }

    /// Whether it goes over HTTP. One that does not is written where the service runs.
    fn is_remote(&self) -> bool {
        true
    }

    /// Says what is wrong with a secret, which is empty if none is set.
    ///
    /// # Errors
    /// What it must be instead, to the operator. Never the secret.
    fn check_secret(&self, secret: &str) -> Result<(), &'static str>;

    /// What to send. Only what [`Sending`] says differs between two attempts.
    fn message(&self, alert: &Alert, sending: &Sending<'_>) -> Message;

    /// What an answer means.
    fn outcome(&self, alert: &Alert, answer: &Answer<'_>) -> Outcome {
        let _ = alert;
        answer.outcome()
    }
}

/// What a message needs beside the alert.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    /// The time of this attempt.
    pub now: Timestamp,
    /// The routing key or signing secret of the route.
    pub secret: &'a str,
}

/// The body of a POST request and the headers that belong to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: Vec<u8>,
}

/// An answer over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The header `Retry-After`, if it was sent.
    pub retry_after: Option<&'a str>,
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// When it came: what a date in `Retry-After` is counted from.
    pub now: Timestamp,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other end has it.
    Delivered,
    /// It may work later.
    Retriable {
        /// Why it did not work, to a person.
        reason: String,
        /// How long the other end asks to be left alone, within the bounds of [`retry_after`].
        retry_after: Option<Duration>,
    },
    /// It will never work as it is.
    Permanent {
        /// Why, to a person.
        reason: String,
    },
}

/// The channel of that name.
pub fn channel(name: &str) -> Option<&'static dyn Channel> {
    CHANNELS.iter().copied().find(|channel| channel.name() == name)
}

impl Message {
    /// A JSON body without further headers.
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self {
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }
}

impl Outcome {
    /// The word used in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retriable { .. } => "retriable",
            Self::Permanent { .. } => "permanent",
        }
    }
}

impl Answer<'_> {
    /// What the status code means, for a channel whose answers say no more.
    pub fn outcome(&self) -> Outcome {
        match self.status {
            200..=299 => Outcome::Delivered,
            408 | 425 | 429 | 500..=599 => {
                let retry_after = self.retry_after.and_then(|header| retry_after(header, self.now));
                Outcome::Retriable {
                    reason: self.describe(),
                    retry_after,
                }
            }
            _ => Outcome::Permanent {
                reason: self.describe(),
            },
        }
    }

    /// A refusal, whatever the status code says.
    pub(crate) fn refusal(&self) -> Outcome {
        Outcome::Permanent {
            reason: self.describe(),
        }
    }

    /// The status and the beginning of the body, safe to print.
    fn describe(&self) -> String {
        let body = String::from_utf8_lossy(self.body);
        let body = text::plain(body.trim(), BODY_CHARACTERS_MAX);
        if body.is_empty() {
            format!("answered {}", self.status)
        } else {
            format!("answered {}: {body}", self.status)
        }
    }
}

/// The most of an answer's body that a reason quotes.
const BODY_CHARACTERS_MAX: usize = 200;

impl fmt::Debug for dyn Channel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Debug for Message {
    /// Without the body, which may hold a routing key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Message")
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
