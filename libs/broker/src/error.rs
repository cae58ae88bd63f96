/// Why the log did not do what was asked, by what the caller must do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Drop what was evaluated since the last commit and go on polling.
    #[error("transaction aborted: {0}")]
    Aborted(String),
    /// Another process has taken our place: stop this worker, and start none against it.
    #[error("fenced: {0}")]
    Fenced(String),
    /// Wait and try again; nothing was done.
    #[error("log unavailable: {0}")]
    Unavailable(String),
    /// Slow down: nothing was taken.
    #[error("too much on its way: {0}")]
    Overloaded(String),
    /// A record as it is can never be written; leave it out.
    #[error("record refused: {0}")]
    Refused(String),
    /// Stop and tell the operator: no retry can help.
    #[error("{0}")]
    Misconfigured(String),
}
