//! Log lines: one event a line, whatever is in it.
//!
//! Services write JSON to standard output, where a container's log is collected; tools write text
//! to standard error, because their standard output is their result. In both forms a control
//! character from the outside is escaped, so nobody can forge a line or steer a terminal, and a
//! field has a length at which it is cut.

mod format;

use std::io::{self, Write};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::Reader;
use format::OneLine;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object: `timestamp`, `level`, `service`, `target`, `message`, then the fields.
    Json,
    /// The same for people: `2026-01-01T00:00:00.000Z INFO target: message key=value`.
    Text,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard output: services.
    Stdout,
    /// Standard error: tools.
    Stderr,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// JSON or text.
    pub format: LogFormat,
    /// A level, or levels by target: `info`, `info,kafka=debug`.
    pub level: String,
}

impl LogSettings {
    /// Reads `log_format` and `log_level` of the given section.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            format: reader
                .choice(
                    "log_format",
                    "form of the log lines",
                    &[("json", LogFormat::Json), ("text", LogFormat::Text)],
                )
                .default(LogFormat::Json),
            level: reader
                .text(
                    "log_level",
                    "what is logged: a level, or levels by target, as info,kafka=debug",
                )
                .accept(|level| accept_level(level))
                .default("info"),
        }
    }
}

/// A word that is no level would be taken as a target, and silence all others.
fn accept_level(level: &str) -> Result<(), String> {
    let mut directives = level.split(',');
    let known = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    if directives.all(known) && EnvFilter::builder().parse(level).is_ok() {
        return Ok(());
    }
    Err("must be off, error, warn, info, debug or trace, or a list with target=level".to_owned())
}

/// Starts logging for the whole process, panics included.
///
/// # Errors
/// Logging was started before, or the level is not one that [`LogSettings::read`] accepts.
pub fn start(service: &'static str, settings: &LogSettings, output: LogOutput) -> Result<(), anyhow::Error> {
    match output {
        LogOutput::Stdout => subscriber(service, settings, io::stdout)?.try_init()?,
        LogOutput::Stderr => subscriber(service, settings, io::stderr)?.try_init()?,
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Hands what was written to the operating system. Log lines are written whole, so there is
/// nothing left to do but for what went to standard output by other ways.
pub(crate) fn flush() {
    // There is nobody left to tell that telling failed.
    io::stdout().flush().ok();
}

fn subscriber<W>(
    service: &'static str,
    settings: &LogSettings,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, anyhow::Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let format = OneLine {
        service,
        format: settings.format,
    };
    Ok(tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(&settings.level)?)
        .event_format(format)
        .with_writer(writer)
        .finish())
}

/// A panic is a line like any other, so it reaches whoever reads the log.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    tracing::error!(
        panic = message,
        place = place.as_deref().unwrap_or("unknown"),
        thread = thread.name().unwrap_or("unnamed"),
        "a thread panicked"
    );
}

#[cfg(test)]
mod tests;
