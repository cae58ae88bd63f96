use std::collections::BTreeMap;

use bytes::Bytes;
use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The port to the object store. It creates and reads; it cannot overwrite, and it cannot delete.
///
/// Names are relative, of ASCII letters, digits and `+-./=_`, without empty or dotted parts.
pub trait ObjectStore {
    /// Creates an object unless one of that name exists. When it returns, the object is durable.
    ///
    /// [`PutOutcome::AlreadyExists`] may be the answer to our own attempt, whose reply was lost: look before you judge.
    ///
    /// # Errors
    /// As [`StoreError`] says; nothing is known then about whether it was created.
    fn put_new(&self, put: Put) -> Result<PutOutcome, StoreError>;

    /// What the store says of an object; in a store with versions, of the given one, or of the one that was created
    /// first. `None` if there is none.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn head(&self, name: &str, version: Option<&str>) -> Result<Option<Head>, StoreError>;

    /// The bytes of an object: those it was created with, even if the store let somebody put others over them or hide
    /// them. `None` if there is none.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// Every object whose name begins with `prefix`, in order of names.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError>;

    /// Whether this kind of store is able to keep an object from being deleted. Whether it does so is for
    /// [`crate::probe`] to find out.
    fn locks(&self) -> bool;

    /// Where the objects are, to a person.
    fn place(&self) -> String;
}

/// An object to create.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its name.
    pub name: String,
    /// Its content.
    pub bytes: Bytes,
    /// The digest of the content.
    pub sha256: Digest,
    /// The media type of the content.
    pub content_type: &'static str,
    /// Facts about the content, for a store that keeps such beside it.
    pub metadata: BTreeMap<&'static str, String>,
    /// Until when it must not be deleted. `None` asks for no lock.
    pub retention: Option<Retention>,
}

/// What became of a [`Put`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is there, and we created it.
    Created {
        /// The version, of a store that has versions.
        version: Option<String>,
    },
    /// There was one of that name; it is as it was.
    AlreadyExists,
}

/// What the store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes.
    pub size: u64,
    /// The lock it carries.
    pub retention: Option<Retention>,
    /// What was put beside it; empty in a store that keeps no such thing.
    pub metadata: BTreeMap<String, String>,
}

/// An object found by its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// How an object is kept from being deleted or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LockMode {
    /// Until the time, except by those with the right to bypass it.
    Governance,
    /// Until the time, by nobody. It cannot be undone.
    Compliance,
}

/// A lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How strict it is.
    pub mode: LockMode,
    /// When it ends; a whole second.
    pub until: Timestamp,
}

/// Why the store did not do what was asked, by what the caller must do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Try again later; the adapter already has, for as long as it has patience.
    #[error("object store: {0}")]
    Retry(String),
    /// Stop and tell the operator: no retry can help.
    #[error("object store: {0}")]
    Misconfigured(String),
}

impl LockMode {
    /// The word that S3 and the manifest use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl Retention {
    /// Whether an object that carries `found` is kept as strictly and as long as this asks.
    pub fn is_met_by(self, found: Option<Self>) -> bool {
        found.is_some_and(|found| found.mode >= self.mode && found.until >= self.until)
    }
}
