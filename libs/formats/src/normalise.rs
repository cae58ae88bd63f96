//! The eight rules of the canonical form, for every format.
//!
//! 1. A canonical name inside `metadata` fills an absent canonical field and never overwrites a present one. It also
//!    stays in `metadata`, so that a rule written on the producer's own name still matches. Ids and weights are not
//!    taken from there, because metadata is where applications put what their clients sent.
//! 2. The published SDK called as `log('SECURITY: x', {…})` puts the title into `service` and the data into
//!    `message`: both are put right.
//! 3. A bare name in a rule means the canonical field, else the one in `metadata`: so what is not canonical goes to
//!    `metadata` under its own name, where [`Event::field`] finds it.
//! 4. `userId`, `ip`, `userAgent`, `event` and their like are other names of the canonical fields. The canonical
//!    name wins; the other then stays in `metadata`.
//! 5. A severity that is no severity is taken from the level, and noted.
//! 6. A text over the limit is cut, with a mark at its end and its name in `metadata._truncated`.
//! 7. The tier follows from `audit` and `security_event` ([`Event::tier`]), so both must be right.
//! 8. Two clocks: `time` is the producer's, `ingest_time` is the door's, and neither becomes the other but where the
//!    producer names no time that can be read; then, or if it lies ahead of the door's clock, `time_suspect` is set.

mod bounds;
mod object;

use std::time::Duration;

use event::{Event, Level, Raw, Reason, Severity, normalise_ip};
use serde_json::{Map, Value};

use crate::time::Moment;
use crate::{Context, Decoded, Rejection};

/// How far a producer's clock may be ahead.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// The fields in metadata that are written for every format.
pub(crate) const METADATA: &[&str] = &["source_host", "source_ip_original", bounds::NAMES];

/// What a format read of one record; [`crate::Choice::decode`] makes the event of it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The fields as they were read. The rest of them is filled in at the end.
    pub(crate) event: Event,
    pub(crate) moment: Moment,
    pub(crate) level: Option<Level>,
    pub(crate) severity: Option<Severity>,
    notes: Vec<Note>,
}

/// Something that was repaired, guessed or left out on the way to the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Title and data of a `log('SECURITY: x', {…})` call were put where they belong.
    CallRepaired,
    /// Two names claim one canonical field with different values; the lesser is only in metadata.
    MetadataShadowed,
    /// The level is no level: info.
    LevelUnknown,
    /// The severity is no severity: it follows from the level.
    SeverityUnknown,
    /// No time: the time is that of ingest.
    TimeMissing,
    /// A time that cannot be read: the time is that of ingest.
    TimeUnreadable,
    /// A time more than five minutes ahead.
    TimeAhead,
    /// A source address that is none: absent, and as it was in `metadata.source_ip_original`.
    SourceUnreadable,
    /// The body names another tenant than the credential: ignored.
    TenantIgnored,
    /// A text was cut to the limit.
    Truncated,
}

impl Note {
    /// Every note.
    pub const ALL: [Self; 10] = [
        Self::CallRepaired,
        Self::MetadataShadowed,
        Self::LevelUnknown,
        Self::SeverityUnknown,
        Self::TimeMissing,
        Self::TimeUnreadable,
        Self::TimeAhead,
        Self::SourceUnreadable,
        Self::TenantIgnored,
        Self::Truncated,
    ];

    /// The word used in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallRepaired => "call_repaired",
            Self::MetadataShadowed => "metadata_shadowed",
            Self::LevelUnknown => "level_unknown",
            Self::SeverityUnknown => "severity_unknown",
            Self::TimeMissing => "time_missing",
            Self::TimeUnreadable => "time_unreadable",
            Self::TimeAhead => "time_ahead",
            Self::SourceUnreadable => "source_unreadable",
            Self::TenantIgnored => "tenant_ignored",
            Self::Truncated => "truncated",
        }
    }
}

impl Draft {
    /// A draft of a line of the program `service`.
    pub(crate) fn new(service: &str) -> Self {
        let event = Event {
            service: service.to_owned(),
            ..Event::default()
        };
        Self {
            event,
            moment: Moment::Absent,
            level: None,
            severity: None,
            notes: Vec::new(),
        }
    }

    /// A draft of a JSON object (rules 1 to 4).
    pub(crate) fn from_object(fields: Map<String, Value>, context: &Context) -> Self {
        object::draft(fields, context)
    }

    /// Where a line came from: an address, or the name of a host.
    pub(crate) fn set_source(&mut self, source: &str) {
        if normalise_ip(source).is_some() {
            self.event.source_ip = Some(source.to_owned());
        } else if !source.is_empty() {
            self.put("source_host", source);
        }
    }

    /// Adds to the metadata.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.event.metadata.insert(name.to_owned(), value.into());
    }

    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Makes the event (rules 5 to 8).
    pub(crate) fn finish(mut self, format: &str, record: &[u8], context: &Context) -> Result<Decoded, Rejection> {
        if self.event.event_id.len() > context.limits.key {
            let detail = format!("`event_id` is longer than {} bytes", context.limits.key);
            return Err(Rejection::new(Reason::Invalid, detail));
        }
        self.fill_words();
        self.write_address();
        let fine = self.tell_time(context);
        if bounds::cut(&mut self.event, context.limits.string) {
            self.note(Note::Truncated);
        }
        let Self { mut event, notes, .. } = self;
        event.tenant = context.tenant.to_owned();
        event.format = format.to_owned();
        event.raw = Raw::new(record);
        Ok(Decoded {
            identifiable: fine || !event.event_id.is_empty(),
            event,
            notes,
        })
    }

    /// Level, severity, service and message where the producer gave none.
    fn fill_words(&mut self) {
        let event = &mut self.event;
        event.level = self.level.unwrap_or_default();
        event.severity = self.severity.unwrap_or(event.level.severity());
        if event.service.is_empty() {
            let service = if event.security_event.is_some() {
                "security"
            } else {
                "unknown"
            };
            event.service = service.to_owned();
        }
        if event.message.is_empty() {
            let said = event.security_event.as_ref().or(event.action.as_ref());
            event.message = said.cloned().unwrap_or_default();
        }
    }

    /// One spelling an address; what the producer wrote is kept where it differs.
    fn write_address(&mut self) {
        let Some(written) = self.event.source_ip.take() else {
            return;
        };
        self.event.source_ip = normalise_ip(&written);
        if self.event.source_ip.is_none() {
            self.note(Note::SourceUnreadable);
        }
        if self.event.source_ip.as_deref() != Some(&written) {
            self.put("source_ip_original", written);
        }
    }

    /// The two clocks. Whether the time is written with digits below the second.
    fn tell_time(&mut self, context: &Context) -> bool {
        let (time, fine, note) = match self.moment {
            Moment::Absent => (context.ingest_time, false, Some(Note::TimeMissing)),
            Moment::Unreadable => (context.ingest_time, false, Some(Note::TimeUnreadable)),
            Moment::At { time, fine } => {
                let ahead = time > context.ingest_time.plus(SKEW);
                (time, fine, ahead.then_some(Note::TimeAhead))
            }
        };
        self.event.time = time;
        self.event.ingest_time = context.ingest_time;
        self.event.time_suspect = note.is_some();
        note.into_iter().for_each(|note| self.note(note));
        fine
    }
}

#[cfg(test)]
mod tests;
