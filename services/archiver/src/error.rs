use archive::StoreError;

/// Why the archiver ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log, as its error says.
    #[error(transparent)]
    Log(#[from] broker::Error),
    /// The store: it is not what the settings say, or does not let us in.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a segment was not written.
#[derive(Debug)]
pub(crate) enum Setback {
    /// The store is in trouble: drop the segment, wait, gather it again.
    Later(String),
    /// What is in the archive, or in the log, contradicts the other: never overwrite, never skip.
    Conflict(String),
    /// The object is not kept as it was asked to be.
    Unlocked(String),
    /// Nobody's segments can be written.
    Fatal(Error),
}

impl Setback {
    /// The word that metrics count it by.
    pub(crate) const fn outcome(&self) -> &'static str {
        match self {
            Self::Later(_) => "retry",
            Self::Conflict(_) => "conflict",
            Self::Unlocked(_) => "lock_mismatch",
            Self::Fatal(_) => "fatal",
        }
    }
}

impl From<StoreError> for Setback {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Retry(reason) => Self::Later(reason),
            StoreError::Misconfigured(_) => Self::Fatal(error.into()),
        }
    }
}

impl From<broker::Error> for Setback {
    fn from(error: broker::Error) -> Self {
        Self::Fatal(error.into())
    }
}
