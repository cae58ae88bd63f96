use std::str::FromStr;

use event::Timestamp;
use jiff::tz::TimeZone;

/// What a format must know beside the bytes.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Whose record it is, from the credential; what the body says of it is ignored and noted.
    pub tenant: &'a str,
    /// When the door took it in.
    pub ingest_time: Timestamp,
    /// The program that wrote the line, for formats whose lines do not say (`combined`, where the default is `nginx`).
    pub service: Option<&'a str>,
    /// The year of times written without one. `None`: the latest that puts the time at most a day after `ingest_time`.
    pub year: Option<i16>,
    /// The zone of times written without one.
    pub zone: Zone,
    /// How much of anything an entry may hold.
    pub limits: Limits,
}

impl<'a> Context<'a> {
    /// A context without declared year and service, in UTC, with the usual limits.
    pub fn new(tenant: &'a str, ingest_time: Timestamp) -> Self {
        Self {
            tenant,
            ingest_time,
            service: None,
            year: None,
            zone: Zone::default(),
            limits: Limits::default(),
        }
    }
}

/// The bounds of what a door takes; the same at every door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of one request. More: the request is refused.
    pub entries: usize,
    /// Bytes of one entry. More: it is rejected.
    pub record: usize,
    /// Objects and lists within each other, the entry itself counted. Deeper: rejected.
    pub depth: usize,
    /// Fields of one object. More: rejected.
    pub fields: usize,
    /// Values of an entry in all, which bounds its memory. More: rejected.
    pub values: usize,
    /// Bytes of a field's name, and of an event id. Longer: rejected, for cut names and ids would be others.
    pub key: usize,
    /// Bytes of a text. Longer: cut, with a mark at its end and its field's name in `metadata._truncated`. At least 64.
    pub string: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 10_000,
            record: 1024 * 1024,
            depth: 64,
            fields: 512,
            values: 16_384,
            key: 256,
            string: 64 * 1024,
        }
    }
}

/// A time zone, from the database that is part of the program, so that every machine knows the same rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub(crate) TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

/// A name that is not in the IANA time zone database.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IANA time zone, such as `UTC` or `Europe/Berlin`")]
pub struct UnknownZone(pub String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone(name.to_owned()))
    }
}
