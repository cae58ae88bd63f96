//! JSON as the doors take it: where its values begin and end (`scan`), and what they are (`parse`).

mod parse;
mod scan;

use event::Reason;
use serde_json::{Map, Value};

use crate::rejection::text;
use crate::{Context, Rejection};

pub(crate) use scan::{end_of_value, members, skip_space};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where the JSON begins: after a byte order mark and white space.
pub(crate) fn start(bytes: &[u8]) -> usize {
    let mark = if bytes.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    skip_space(bytes, mark)
}

/// The one object that `record` is.
pub(crate) fn object(record: &[u8], context: &Context) -> Result<Map<String, Value>, Rejection> {
    let text = text(record)?;
    match parse::parse(text, start(record), &context.limits)? {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(Rejection::new(
            Reason::Invalid,
            "an event is a JSON object, and this is another value",
        )),
    }
}
