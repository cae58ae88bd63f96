//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In none of the sources: the default that is compiled in.
    Default,
    /// In this file, by the path as the operator gave it.
    File(Arc<str>),
    /// In this environment variable.
    Variable(Arc<str>),
}

impl Origin {
    pub(super) fn is_variable(&self) -> bool {
        matches!(self, Self::Variable(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(name) | Self::Variable(name) => formatter.write_str(name),
        }
    }
}

/// One mistake in the configuration, or one warning about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The source that says it, or that should have.
    pub origin: Origin,
    /// The key, as `kafka.brokers`; empty when the source as a whole is meant.
    pub path: String,
    /// What is wrong, lowercase and without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.path.as_str()) {
            (Origin::Default, path) => formatter.write_str(path)?,
            (Origin::File(name) | Origin::Variable(name), "") => formatter.write_str(name)?,
            (Origin::File(name), path) => write!(formatter, "{name}: {path}")?,
            (Origin::Variable(name), path) => write!(formatter, "{name} ({path})")?,
        }
        write!(formatter, ": {}", self.message)
    }
}

/// Every mistake in a configuration, never only the first; shown one to a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);
