use std::fmt;

use serde::{Deserialize, Serialize};

/// The retention class of an event. An event has one: the one that keeps it longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Who did what: an event marked `audit`.
    Audit,
    /// A `security_event` that is not audit.
    Security,
    /// Everything else.
    Access,
}

impl Tier {
    /// Every tier, longest retention first.
    pub const ALL: [Self; 3] = [Self::Audit, Self::Security, Self::Access];

    /// The word used in topic names, object names and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Security => "security",
            Self::Access => "access",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}
