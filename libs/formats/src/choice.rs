use std::fmt;
use std::str::FromStr;

use event::{Event, Reason};

use crate::{Context, FORMATS, Format, Note, Rejection};

/// An event as it was read, before it has an id.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The event. Its `event_id` is empty if the producer gave none: the door, which knows where the entry came
    /// from, gives one.
    pub event: Event,
    /// The entry can be told from every other: it has its producer's id, or a time written with digits below the
    /// second. Only then is an equal entry a retry; a loop of `curl` within one second is not.
    pub identifiable: bool,
    /// What was repaired, guessed or left out, each at most once, for the counters.
    pub notes: Vec<Note>,
}

/// Which format records are read as: what stands in configuration.
#[derive(Clone, Copy, Default)]
pub enum Choice {
    /// By the look of each record.
    #[default]
    Auto,
    /// This one.
    Named(&'static dyn Format),
}

/// A name that is no format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format; the formats are {1}")]
pub struct UnknownFormat(pub String, pub String);

impl Choice {
    /// The word used in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Named(format) => format.name(),
        }
    }

    /// The format that `record` will be read as.
    pub fn format(self, record: &[u8]) -> Option<&'static dyn Format> {
        match self {
            Self::Auto => FORMATS.iter().copied().find(|format| format.recognises(record)),
            Self::Named(format) => Some(format),
        }
    }

    /// Reads one entry: a record of a topic, a line, or one slice from [`crate::split`].
    ///
    /// # Errors
    /// If no event can be made of it. Nothing of it is lost: the caller has the bytes, and
    /// [`Rejection::dead_letter`] makes the record.
    pub fn decode(self, record: &[u8], context: &Context) -> Result<Decoded, Rejection> {
        if record.trim_ascii().is_empty() {
            return Err(Rejection::new(Reason::Empty, "there are no bytes"));
        }
        if record.len() > context.limits.record {
            let detail = format!(
                "{} bytes are more than the limit of {}",
                record.len(),
                context.limits.record
            );
            return Err(Rejection::new(Reason::TooLarge, detail));
        }
        let Some(format) = self.format(record) else {
            return Err(Rejection::new(Reason::UnknownFormat, "no format recognises it"));
        };
        let read = format.read(record, context);
        let decoded = read.and_then(|draft| draft.finish(format.name(), record, context));
        decoded.map_err(|rejection| Rejection {
            format: Some(format.name()),
            ..rejection
        })
    }
}

impl FromStr for Choice {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        if name == "auto" {
            return Ok(Self::Auto);
        }
        let found = FORMATS.iter().copied().find(|format| format.name() == name);
        found.map(Self::Named).ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
            UnknownFormat(name.to_owned(), format!("auto, {}", names.join(", ")))
        })
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
