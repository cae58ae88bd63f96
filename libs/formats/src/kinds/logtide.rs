//! `logtide`: an entry of LogTide's `POST /api/v1/ingest`, as its SDKs send them.
//!
//! It is read like `json`, with one demand of LogTide's own contract: `service`, `level` and `message` are there.
//! LogTide refuses more (long services, unknown levels); an event is not thrown away for that.

use event::Reason;

use crate::json::{members, object, start};
use crate::{Context, Draft, Format, Rejection};

const REQUIRED: [&str; 3] = ["service", "level", "message"];

pub(crate) struct Logtide;

impl Format for Logtide {
    fn name(&self) -> &'static str {
        "logtide"
    }

    fn metadata(&self) -> &'static [&'static str] {
        &[]
    }

    fn recognises(&self, record: &[u8]) -> bool {
        let mut found = 0;
        for (name, _) in members(record, start(record)) {
            if name == b"schema_version" {
                return false;
            }
            found += usize::from(REQUIRED.iter().any(|required| required.as_bytes() == name));
        }
        found == REQUIRED.len()
    }

    fn read(&self, record: &[u8], context: &Context) -> Result<Draft, Rejection> {
        let fields = object(record, context)?;
        if let Some(missing) = REQUIRED
            .iter()
            .find(|name| fields.get(**name).is_none_or(serde_json::Value::is_null))
        {
            return Err(Rejection::new(
                Reason::Invalid,
                format!("the field `{missing}` is missing"),
            ));
        }
        Ok(Draft::from_object(fields, context))
    }
}
