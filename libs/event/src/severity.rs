use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad an event or an alert is. Ordered: `Low < Critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// The log level of an event, as LogTide names them. Ordered: `Debug < Critical`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    Critical,
}

/// A word that names no severity and no level.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of {1}")]
pub struct UnknownName(pub String, pub &'static str);

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word used in rules, events and alerts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Level {
    /// Every level, mildest first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];

    /// The word used in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of an event that names none: an error is high, a warning medium, the rest low.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Critical | Self::Error => Severity::High,
            Self::Warn => Severity::Medium,
            Self::Info | Self::Debug => Severity::Low,
        }
    }
}

impl FromStr for Severity {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(word));
        found.ok_or_else(|| UnknownName(word.to_owned(), "low, medium, high, critical"))
    }
}

impl FromStr for Level {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(word));
        found.ok_or_else(|| UnknownName(word.to_owned(), "debug, info, warn, error, critical"))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}
