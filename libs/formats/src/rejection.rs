use event::{DeadLetter, Raw, Reason};

use crate::Context;

/// Why a record is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Rejection {
    /// Why, as metrics count it.
    pub reason: Reason,
    /// Why, to a person: names the field, byte or column.
    pub detail: String,
    /// The format the record was read as, if it came so far.
    pub format: Option<&'static str>,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            format: None,
        }
    }

    /// A place in a line that is not what its format has there; `rest` is what stands from that place on.
    pub(crate) fn at(line: &str, rest: &str, expected: &str) -> Self {
        let column = line.len() - rest.len() + 1;
        Self::new(Reason::Malformed, format!("column {column}: expected {expected}"))
    }

    /// The record of `dead-letters` for the bytes `raw` that came from `origin`.
    pub fn dead_letter(&self, raw: &[u8], origin: impl Into<String>, context: &Context) -> DeadLetter {
        DeadLetter {
            time: context.ingest_time,
            tenant: context.tenant.to_owned(),
            reason: self.reason,
            detail: self.detail.clone(),
            origin: origin.into(),
            format: self.format.map(str::to_owned),
            raw: Raw::new(raw),
        }
    }
}

/// The record as text.
pub(crate) fn text(record: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(record).map_err(|error| {
        let at = error.valid_up_to();
        Rejection::new(Reason::NotText, format!("byte {at} is not UTF-8"))
    })
}
