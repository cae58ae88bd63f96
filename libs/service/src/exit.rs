//! Exit codes: the one word that a supervisor reads.

use std::process::ExitCode;

/// Why the process ended. The numbers are those of `sysexits.h`, so that a supervisor can tell
/// "restart it" from "a person must change something".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done, a requested stop included.
    Ok,
    /// Something failed that a restart may cure.
    Failure,
    /// The command line is wrong (`EX_USAGE`).
    Usage,
    /// Another process took over this one's work (`EX_TEMPFAIL`): wait before starting again, or
    /// the two fence each other in turn.
    Fenced,
    /// The configuration is wrong (`EX_CONFIG`): starting again without changing it is useless.
    Configuration,
}

impl Exit {
    /// The number given to the operating system.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 64,
            Self::Fenced => 75,
            Self::Configuration => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error on its way out of a process, with the exit code it asks for.
///
/// Any error becomes one through `?`, as [`Exit::Failure`]; the other codes are named.
#[derive(Debug)]
pub struct Failure {
    /// What the supervisor is told.
    pub exit: Exit,
    /// What the person is told.
    pub error: anyhow::Error,
}

impl Failure {
    /// The configuration is well-formed and still wrong: a missing rule file, a topic of another
    /// shape.
    pub fn misconfigured(error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit: Exit::Configuration,
            error: error.into(),
        }
    }

    /// Another process took over this one's work.
    pub fn fenced(error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit: Exit::Fenced,
            error: error.into(),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: Exit::Failure,
            error: error.into(),
        }
    }
}
