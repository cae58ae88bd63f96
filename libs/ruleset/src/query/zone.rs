use std::ops::Range;

use jiff::tz::TimeZone;

use crate::error::{Fault, nearest, quoted};

/// The time zone of this IANA name, and the name as the database writes it.
pub(crate) fn zone(name: &str, at: &Range<usize>) -> Result<(TimeZone, String), Fault> {
    if let Ok(zone) = TimeZone::get(name)
        && let Some(known) = zone.iana_name()
    {
        let known = known.to_owned();
        return Ok((zone, known));
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let meant = match nearest(name, known.iter().map(String::as_str)) {
        Some(name) => format!(": did you mean `{name}`?"),
        None => ": write an IANA name such as Europe/Berlin".to_owned(),
    };
    Err(Fault::new(
        at.clone(),
        format!("{} is not a time zone{meant}", quoted(name)),
    ))
}
