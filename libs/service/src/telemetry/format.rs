//! An event as one line.

use std::fmt::{self, Debug};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;

/// Where a field is cut, in bytes. Payloads do not belong into the log; an error message of a
/// stranger may still carry one.
const FIELD_BYTES_MAX: usize = 4096;

/// Writes an event as one line of JSON or of text.
pub(super) struct OneLine {
    pub(super) service: &'static str,
    pub(super) format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = crate::clock::now().to_string();
        match self.format {
            LogFormat::Json => self.json(&mut writer, &time, event, fields),
            LogFormat::Text => text(&mut writer, &time, event, &fields),
        }
    }
}

impl OneLine {
    fn json(&self, writer: &mut Writer<'_>, time: &str, event: &Event<'_>, fields: Fields) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), time.into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("service".to_owned(), self.service.into());
        line.insert("target".to_owned(), metadata.target().into());
        line.insert("message".to_owned(), fields.message.into());
        for (name, value) in fields.others {
            // A field cannot take the place of what every line has.
            let taken = line.contains_key(name);
            let name = if taken {
                format!("field_{name}")
            } else {
                name.to_owned()
            };
            line.insert(name, value);
        }
        // JSON escapes C0 itself; the terminal must be kept from DEL and C1 as well.
        let line = Value::Object(line).to_string();
        escape_into(writer, &line)?;
        writer.write_char('\n')
    }
}

fn text(writer: &mut Writer<'_>, time: &str, event: &Event<'_>, fields: &Fields) -> fmt::Result {
    let metadata = event.metadata();
    write!(writer, "{time} {:5} {}: ", metadata.level(), metadata.target())?;
    escape_into(writer, &fields.message)?;
    for (name, value) in &fields.others {
        write!(writer, " {name}=")?;
        escape_into(writer, &value.to_string())?;
    }
    writer.write_char('\n')
}

/// Control characters as `\u001b`: inside JSON strings that is the same text still.
fn escape_into(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() {
            write!(writer, "\\u{:04x}", u32::from(character))?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}

/// The fields of an event in the order in which they were written.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: String) {
        let text = cut(text);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.others.push((field.name(), Value::from(text)));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.text(field, text);
    }
}

fn cut(mut text: String) -> String {
    if text.len() > FIELD_BYTES_MAX {
        let dropped = text.len() - FIELD_BYTES_MAX;
        text.truncate(text.floor_char_boundary(FIELD_BYTES_MAX));
        text.push_str(&format!("… ({dropped} bytes more)"));
    }
    text
}
