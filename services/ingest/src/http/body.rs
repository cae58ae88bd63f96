//! The bytes of a request: counted as they come, so that no client decides how much memory the door needs.

use std::future::poll_fn;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, HttpBody as _};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use flate2::read::MultiGzDecoder;
use prometheus::IntGauge;

use crate::http::answer::Refusal;
use crate::metrics::gauge;

/// What is unpacked at a time.
const PIECE_BYTES: usize = 64 << 10;

/// The bytes of bodies under way, in all requests together.
pub(crate) struct InFlight {
    bytes: AtomicUsize,
    bytes_max: usize,
    gauge: IntGauge,
}

/// What one request holds of them, until it is dropped.
pub(crate) struct Room {
    in_flight: Arc<InFlight>,
    bytes: usize,
}

impl InFlight {
    pub(crate) fn new(bytes_max: usize, gauge: IntGauge) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
            gauge,
        }
    }

    pub(crate) fn enter(in_flight: &Arc<Self>) -> Room {
        Room {
            in_flight: in_flight.clone(),
            bytes: 0,
        }
    }
}

impl Room {
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let most = self.in_flight.bytes_max;
        let add = |held: usize| held.checked_add(bytes).filter(|held| *held <= most);
        self.in_flight
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map_err(|_| Refusal::Overloaded)?;
        self.in_flight.gauge.add(gauge(bytes));
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.in_flight.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.in_flight.gauge.sub(gauge(self.bytes));
    }
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
}

impl Encoding {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(encoding), None) = (encodings.next(), encodings.next()) else {
            return match headers.contains_key(CONTENT_ENCODING) {
                true => Err(Refusal::Encoding("one content encoding, not several".into())),
                false => Ok(Self::Plain),
            };
        };
        match encoding
            .to_str()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(Refusal::Encoding("the content encoding must be gzip or none".into())),
        }
    }
}

fn too_large(limit: usize) -> Refusal {
    Refusal::TooLarge(format!("the body is larger than {limit} bytes"))
}

/// Reads a body as it comes.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    limit: usize,
    room: &mut Room,
) -> Result<Vec<u8>, Refusal> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Refusal::Malformed("the body ended before its end".into()))?;
        // What is no data is a trailer, and says nothing here.
        let Ok(piece) = frame.into_data() else { continue };
        if bytes.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        room.grow(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The bytes that a body stands for. The limit holds for what is unpacked, so a small bomb makes no large heap.
pub(crate) fn unpack(bytes: Vec<u8>, encoding: Encoding, limit: usize, room: &mut Room) -> Result<Vec<u8>, Refusal> {
    if encoding == Encoding::Plain || bytes.is_empty() {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes.as_slice());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = reader
            .read(&mut piece)
            .map_err(|error| Refusal::Malformed(format!("the body is not gzip: {error}")))?;
        if length == 0 {
            return Ok(unpacked);
        }
        if unpacked.len() + length > limit {
            return Err(too_large(limit));
        }
        room.grow(length)?;
        unpacked.extend_from_slice(&piece[..length]);
    }
}
