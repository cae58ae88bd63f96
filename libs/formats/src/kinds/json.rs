//! `json`: any JSON object. Canonical names and their aliases become the event's fields, everything else its metadata.

use crate::json::{object, start};
use crate::{Context, Draft, Format, Rejection};

pub(crate) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn metadata(&self) -> &'static [&'static str] {
        &[]
    }

    fn recognises(&self, record: &[u8]) -> bool {
        record.get(start(record)) == Some(&b'{')
    }

    fn read(&self, record: &[u8], context: &Context) -> Result<Draft, Rejection> {
        Ok(Draft::from_object(object(record, context)?, context))
    }
}
