//! S3, and what speaks its protocol.
//!
//! Every object is one PutObject with its body in memory and a named SHA-256: locks are ignored on multipart uploads
//! by some servers, and streamed checksums are refused by others. What it could not do at once it tries again with
//! growing pauses; an attempt whose reply was lost comes back as [`PutOutcome::AlreadyExists`].
//!
//! In a bucket with versions, as Object Lock needs them, the object of a name is its **oldest** version. Not every
//! server heeds `If-None-Match: *` there (Ceph 16 does not), anybody who may write may put a version over another, and
//! anybody who may delete may hide one behind a marker; but nobody can come before what is there.

mod bucket;
mod failure;
mod settings;
mod versions;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use archive::{Digest, Head, Listed, LockMode, ObjectStore, Put, PutOutcome, Retention, StoreError};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use event::Timestamp;
use failure::{failure, status};
pub use settings::{AccessKey, S3Settings};
use tokio::runtime::Runtime;
use versions::Oldest;

/// A bucket, or the part of one below a prefix.
///
/// Its methods wait for the answer, so they are not to be called from within an async task.
pub struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
    /// The bucket was seen to have versions.
    versioned: AtomicBool,
    /// Its one thread keeps connections while nobody waits.
    runtime: Runtime,
}

impl fmt::Debug for S3 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "S3({})", self.place())
    }
}

impl S3 {
    /// Prepares a client; nothing is asked of the server yet.
    ///
    /// # Errors
    /// If this process cannot start a thread.
    pub fn new(settings: S3Settings) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("s3")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Misconfigured(format!("cannot start a thread for S3: {error}")))?;
        let client = runtime.block_on(settings.client());
        let S3Settings { bucket, prefix, .. } = settings;
        Ok(Self {
            client,
            bucket,
            prefix,
            versioned: AtomicBool::new(false),
            runtime,
        })
    }

    fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Whether the version that we created is the object, or came after one that the server should have told us of.
    fn first_or_later(&self, name: &str, version: Option<String>) -> Result<PutOutcome, StoreError> {
        let Some(ours) = version else {
            return Ok(PutOutcome::Created { version: None });
        };
        self.versioned.store(true, Ordering::Relaxed);
        match self.oldest(name)? {
            Some(oldest) if oldest.version != ours => Ok(PutOutcome::AlreadyExists),
            Some(_) | None => Ok(PutOutcome::Created { version: Some(ours) }),
        }
    }

    /// What is asked for, to a person.
    fn asked(&self, what: &str, name: &str) -> String {
        format!("{what} s3://{}/{}{name}", self.bucket, self.prefix)
    }
}

impl ObjectStore for S3 {
    fn put_new(&self, put: Put) -> Result<PutOutcome, StoreError> {
        // Where the condition may be ignored, this spares a second version that nobody could delete.
        if self.versioned.load(Ordering::Relaxed) && self.oldest(&put.name)?.is_some() {
            return Ok(PutOutcome::AlreadyExists);
        }
        let name = put.name.clone();
        let asked = self.asked("put", &put.name);
        let metadata = put.metadata.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(&put.name))
            .if_none_match("*")
            .checksum_sha256(checksum(put.sha256))
            .content_type(put.content_type)
            .set_metadata(Some(metadata.collect()))
            .body(ByteStream::from(put.bytes));
        if let Some(Retention { mode, until }) = put.retention {
            request = request
                .object_lock_mode(lock_mode(mode))
                .object_lock_retain_until_date(DateTime::from_millis(until.as_millis()));
        }
        match self.wait(request.send()) {
            Ok(created) => self.first_or_later(&name, created.version_id),
            Err(error) if status(&error) == Some(412) => Ok(PutOutcome::AlreadyExists),
            Err(error) => Err(failure(&asked, &error)),
        }
    }

    fn head(&self, name: &str, version: Option<&str>) -> Result<Option<Head>, StoreError> {
        let version = match version {
            Some(version) => version.to_owned(),
            None => match self.oldest(name)? {
                Some(oldest) => oldest.version,
                None => return Ok(None),
            },
        };
        let request = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(name))
            .version_id(version);
        let found = match self.wait(request.send()) {
            Ok(found) => found,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(failure(&self.asked("head", name), &error)),
        };
        Ok(Some(Head {
            size: found
                .content_length()
                .unwrap_or_default()
                .try_into()
                .unwrap_or_default(),
            retention: retention(found.object_lock_mode(), found.object_lock_retain_until_date()),
            metadata: found.metadata.unwrap_or_default().into_iter().collect(),
        }))
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let asked = self.asked("get", name);
        let Some(oldest) = self.oldest(name)? else {
            return Ok(None);
        };
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(name))
            .version_id(oldest.version);
        self.wait(async {
            let found = match request.send().await {
                Ok(found) => found,
                Err(error) if status(&error) == Some(404) => return Ok(None),
                Err(error) => return Err(failure(&asked, &error)),
            };
            let body = found.body.collect().await;
            let body = body.map_err(|error| StoreError::Retry(format!("{asked}: {error}")))?;
            Ok(Some(body.into_bytes()))
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let found = self.oldest_below(prefix)?.into_iter();
        Ok(found.map(|(name, Oldest { size, .. })| Listed { name, size }).collect())
    }

    fn locks(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

fn checksum(sha256: Digest) -> String {
    BASE64.encode(sha256.0)
}

fn lock_mode(mode: LockMode) -> ObjectLockMode {
    match mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    }
}

/// The lock that the answer names; none if any of it is missing or of a kind that we do not know.
fn retention(mode: Option<&ObjectLockMode>, until: Option<&DateTime>) -> Option<Retention> {
    let mode = [LockMode::Governance, LockMode::Compliance]
        .into_iter()
        .find(|known| mode == Some(&lock_mode(*known)))?;
    let until = Timestamp::from_millis(until?.to_millis().ok()?);
    Some(Retention { mode, until })
}
