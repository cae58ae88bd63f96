//! From the bytes of a request to its receipt.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;
use broker::{Output, Position, Publisher};
use event::content_id;
use formats::{Choice, Context, Framing, split};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::heartbeat::Activity;
use crate::http::answer::{Receipt, Refusal, Rejected};
use crate::http::body::{Encoding, Room, unpack};
use crate::intake::{Intake, Tally};
use crate::metrics::HTTP_DOOR;
use crate::outage::Outage;
use crate::receipts::{Digest, Receipts, Seen};
use crate::{Clocks, Ingest, Metrics};

/// What is needed to deliver a request.
pub(crate) struct Delivery {
    intake: Arc<Intake>,
    activity: Arc<Activity>,
    publisher: Arc<dyn Publisher>,
    receipts: Arc<Receipts>,
    outage: Outage,
    pub(crate) metrics: Metrics,
    pub(crate) clocks: Clocks,
}

/// A request whose bytes are here.
pub(crate) struct Received {
    pub(crate) tenant: Arc<str>,
    pub(crate) choice: Choice,
    /// `None`: as the body looks.
    pub(crate) framing: Option<Framing>,
    pub(crate) idempotency_key: Option<HeaderValue>,
    /// Unlike that of any other request, anywhere.
    pub(crate) nonce: [u8; 24],
    pub(crate) peer: IpAddr,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Vec<u8>,
    pub(crate) bytes_max: usize,
    pub(crate) room: Room,
}

/// A request that is read.
struct Batch {
    tenant: Arc<str>,
    outputs: Vec<Output>,
    tally: Tally,
    accepted: usize,
    rejected: Vec<Rejected>,
    /// What a repetition of it is known by, if it can be known.
    key: Option<Digest>,
    body: Digest,
    /// Held until the receipt is written.
    _room: Room,
}

impl Delivery {
    pub(crate) fn new(ingest: &Ingest) -> Self {
        let settings = &ingest.settings.http;
        Self {
            intake: ingest.intake.clone(),
            activity: ingest.activity.clone(),
            publisher: ingest.publisher.clone(),
            receipts: Arc::new(Receipts::new(settings.receipt_window, settings.receipt_bytes)),
            outage: Outage::new("writing what the HTTP door takes is"),
            metrics: ingest.metrics.clone(),
            clocks: ingest.clocks.clone(),
        }
    }

    /// Reads the request, writes what follows from it, and answers when all of it is written.
    pub(crate) async fn deliver(self: Arc<Self>, received: Received) -> Result<Receipt, Refusal> {
        let reader = self.clone();
        // Reading takes a second for the largest bodies: not on the threads that serve connections.
        let batch = tokio::task::spawn_blocking(move || reader.read(received)).await;
        let mut batch = batch.map_err(|_| Refusal::Unknown)??;
        let Some(key) = batch.key else {
            return self.write(&mut batch).await;
        };
        match self.receipts.see(key, batch.body, (self.clocks.stopwatch)()) {
            Seen::First(claim) => {
                let receipt = self.write(&mut batch).await?;
                let forgotten = claim.accept(&receipt.0, (self.clocks.stopwatch)());
                self.metrics.receipts_forgotten.inc_by(forgotten);
                Ok(receipt)
            }
            Seen::Again(again) => {
                let receipt = again.receipt().await.ok_or(Refusal::Unknown)?;
                self.metrics.folded.inc();
                Ok(Receipt(receipt))
            }
            Seen::Other => Err(Refusal::Conflict),
        }
    }

    fn read(&self, received: Received) -> Result<Batch, Refusal> {
        let Received {
            tenant,
            choice,
            framing,
            idempotency_key,
            nonce,
            peer,
            encoding,
            bytes,
            bytes_max,
            mut room,
        } = received;
        let bytes = unpack(bytes, encoding, bytes_max, &mut room)?;
        let framing = framing.unwrap_or_else(|| Framing::of(&bytes));
        let context = Context {
            limits: self.intake.limits().clone(),
            ..Context::new(&tenant, (self.clocks.wall)())
        };
        let entries = split(&bytes, framing, &context.limits).map_err(refusal)?;
        let identity = Identity {
            tenant: &tenant,
            idempotency_key: idempotency_key.as_ref().map(HeaderValue::as_bytes),
            nonce,
        };
        let mut batch = Batch {
            tenant: tenant.clone(),
            outputs: Vec::with_capacity(entries.len()),
            tally: Tally::default(),
            accepted: 0,
            rejected: Vec::new(),
            key: None,
            body: digest(&[tenant.as_bytes(), choice.name().as_bytes(), &bytes]),
            _room: room,
        };
        let mut is_identifiable = true;
        for (index, entry) in entries.into_iter().enumerate() {
            let admitted = self.intake.admit(choice, entry, &context, |is_identifiable| {
                identity.id(entry, index, is_identifiable)
            });
            match admitted {
                Ok(admitted) => {
                    batch.accepted += 1;
                    is_identifiable &= admitted.identifiable;
                    batch.outputs.push(batch.tally.admitted(entry, admitted));
                }
                Err(rejection) => {
                    batch.tally.rejected(entry, &rejection);
                    let origin = format!("http {peer} entry {index}");
                    let letter = self.intake.dead_letter(&rejection, entry, &origin, &context);
                    batch.outputs.push(letter);
                    batch.rejected.push(Rejected {
                        index,
                        reason: rejection.reason,
                        detail: rejection.detail,
                    });
                }
            }
        }
        batch.key = match identity.idempotency_key {
            Some(key) => Some(digest(&[b"idempotency key", tenant.as_bytes(), key])),
            None => (is_identifiable && batch.accepted > 0).then_some(batch.body),
        };
        Ok(batch)
    }

    /// Writes a batch and waits for the delivery reports of all of it.
    async fn write(&self, batch: &mut Batch) -> Result<Receipt, Refusal> {
        let outputs = std::mem::take(&mut batch.outputs);
        if let Err(refusal) = self.publish(outputs).await {
            batch.tally.unknown(&self.metrics);
            return Err(refusal);
        }
        batch.tally.written(&self.metrics, HTTP_DOOR, &batch.tenant);
        Ok(Receipt::new(batch.accepted, &batch.rejected, (self.clocks.wall)()))
    }

    async fn publish(&self, outputs: Vec<Output>) -> Result<(), Refusal> {
        let (report, reported) = oneshot::channel();
        let done = move |result: Result<Vec<Position>, broker::Error>| {
            // Nobody waits any more only when the process ends.
            report.send(result).ok();
        };
        let taken = self.publisher.publish(outputs, Box::new(done));
        let result = match taken {
            // A publisher that forgets to report leaves the fate of the records unknown.
            Ok(()) => reported.await.map_err(|_| Refusal::Unknown)?,
            Err(broker::Error::Overloaded(_)) => return Err(Refusal::Overloaded),
            Err(error) => Err(error),
        };
        let positions = result.map_err(|error| {
            self.outage.failed(&error);
            Refusal::Unknown
        })?;
        self.outage.worked();
        let places = positions.iter().map(|position| &position.partition);
        self.activity.written(places, (self.clocks.stopwatch)());
        Ok(())
    }
}

/// A body that is no list of entries.
fn refusal(rejection: formats::Rejection) -> Refusal {
    match rejection.reason {
        event::Reason::TooLarge => Refusal::TooLarge(rejection.detail),
        event::Reason::Empty
        | event::Reason::NotText
        | event::Reason::Malformed
        | event::Reason::Invalid
        | event::Reason::TooComplex
        | event::Reason::UnknownFormat
        | event::Reason::Rejected => Refusal::Malformed(rejection.detail),
    }
}

/// SHA-256 over parts with their lengths, so that no two lists of parts are the same bytes.
fn digest(parts: &[&[u8]]) -> Digest {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

/// What the ids of a request's entries are made of.
struct Identity<'a> {
    tenant: &'a str,
    idempotency_key: Option<&'a [u8]>,
    nonce: [u8; 24],
}

impl Identity<'_> {
    /// The id of an entry that brings none: if a repetition can be known as one, always the same, else a new one.
    fn id(&self, entry: &[u8], index: usize, is_identifiable: bool) -> String {
        match self.idempotency_key {
            _ if is_identifiable => content_id(self.tenant, entry, index),
            Some(key) => content_id(self.tenant, &digest(&[key, entry]), index),
            None => content_id(self.tenant, &self.nonce, index),
        }
    }
}

/// Gives each request bytes that no other has.
pub(crate) struct Nonce {
    process: [u8; 16],
    count: AtomicU64,
}

impl Nonce {
    /// Unlike that of another process: by its random hash keys and the time.
    pub(crate) fn new(clocks: &Clocks) -> Self {
        let mut process = [0; 16];
        let now = (clocks.wall)().as_millis();
        for half in process.chunks_exact_mut(8) {
            half.copy_from_slice(&RandomState::new().hash_one(now).to_be_bytes());
        }
        Self {
            process,
            count: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> [u8; 24] {
        let mut nonce = [0; 24];
        nonce[..16].copy_from_slice(&self.process);
        nonce[16..].copy_from_slice(&self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        nonce
    }
}
