//! What clients are told.

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use event::{Reason, Timestamp};
use serde::Serialize;

use crate::keys::Unauthorized;

/// The body of a 200: every entry is written, as an event or as a dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Receipt(pub(crate) Bytes);

#[derive(Serialize)]
struct ReceiptBody<'a> {
    received: usize,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rejected: &'a [Rejected],
}

/// An entry that is no event.
#[derive(Debug, Serialize)]
pub(crate) struct Rejected {
    /// Its place among the entries of the body, from 0.
    pub(crate) index: usize,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

impl Receipt {
    pub(crate) fn new(received: usize, rejected: &[Rejected], timestamp: Timestamp) -> Self {
        let body = ReceiptBody {
            received,
            timestamp,
            rejected,
        };
        Self(json(&body))
    }
}

impl IntoResponse for Receipt {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, self.0)
    }
}

fn answer(status: StatusCode, json: Bytes) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

fn json(body: &impl Serialize) -> Bytes {
    let bytes = serde_json::to_vec(body);
    bytes
        .expect("an answer has only text keys, and memory takes all of it")
        .into()
}

/// Why a request as a whole is not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The body is no list of entries: empty, cut off, not what its headers say.
    Malformed(String),
    /// No key that is in force.
    Unauthorized(Unauthorized),
    /// No such path, or no such format.
    NotFound(String),
    /// The path knows another method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    TooSlow,
    /// The idempotency key came with another body before.
    Conflict,
    /// The body or the number of its entries is over the limit.
    TooLarge(String),
    /// A content encoding other than gzip.
    Encoding(String),
    /// Nothing was taken: there is too much under way.
    Overloaded,
    /// What was written, if anything, is not known.
    Unknown,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Overloaded | Self::Unknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Malformed(message) | Self::NotFound(message) | Self::TooLarge(message) | Self::Encoding(message) => {
                message
            }
            Self::Unauthorized(reason) => reason.message(),
            Self::MethodNotAllowed => "this path does not take that method",
            Self::TooSlow => "the body did not arrive in time",
            Self::Conflict => "another body came with this Idempotency-Key",
            Self::Overloaded => "too much is under way; nothing was taken, send it again",
            Self::Unknown => "it is not known what was written; send it again as it is",
        }
    }

    /// The header that says how to do better.
    fn hint(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Overloaded | Self::Unknown => Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            Self::Encoding(_) => Some((ACCEPT_ENCODING, HeaderValue::from_static("gzip"))),
            Self::Malformed(_)
            | Self::Unauthorized(_)
            | Self::NotFound(_)
            | Self::MethodNotAllowed
            | Self::TooSlow
            | Self::Conflict
            | Self::TooLarge(_) => None,
        }
    }
}

#[derive(Serialize)]
struct RefusalBody<'a> {
    error: &'a str,
    message: &'a str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = RefusalBody {
            error: status.canonical_reason().unwrap_or_default(),
            message: self.message(),
        };
        let mut response = answer(status, json(&body));
        response.headers_mut().extend(self.hint());
        response
    }
}

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    timestamp: Timestamp,
}

pub(crate) fn health(timestamp: Timestamp) -> Response {
    let body = HealthBody {
        status: "ok",
        timestamp,
    };
    answer(StatusCode::OK, json(&body))
}
