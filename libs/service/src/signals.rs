//! The end of the process when somebody outside asks for it, and when it takes too long.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::stop::Stop;
use crate::telemetry;

/// SIGTERM and SIGINT request a stop; the second of them ends the process where it stands, with
/// the code 128 + signal, as a shell reports it.
///
/// # Errors
/// The signals cannot be taken over, or the thread that waits for them cannot be started.
pub fn stop_on_signals(stop: &Stop) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let stop = stop.clone();
    spawn("signals", move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked {
                tracing::warn!(signal, "asked to stop a second time, ending at once");
                end(u8::try_from(128 + signal).unwrap_or(Exit::Failure.code()));
            }
            tracing::info!(signal, "asked to stop");
            asked = true;
            stop.request();
        }
    })
}

/// Sees to it that a process which was asked to stop ends, even if a C library hangs in its
/// destructors: nothing is lost by it, since what was not committed is done again.
pub(crate) struct Watchdog(Arc<AtomicU8>);

impl Watchdog {
    /// Watches from the request to stop on.
    pub(crate) fn start(stop: &Stop, limit: Duration) -> io::Result<Self> {
        // Until the service says how it ended, it has not ended as it should.
        let code = Arc::new(AtomicU8::new(Exit::Failure.code()));
        let watchdog = Self(Arc::clone(&code));
        let stop = stop.clone();
        spawn("watchdog", move || {
            stop.wait_blocking();
            thread::sleep(limit);
            tracing::error!(?limit, "stopping takes too long, ending the process");
            end(code.load(Ordering::Acquire));
        })?;
        Ok(watchdog)
    }

    /// The service has ended this way; what is left is the end of the process.
    pub(crate) fn ended(&self, exit: Exit) {
        self.0.store(exit.code(), Ordering::Release);
    }
}

/// Ends the process without running destructors or exit handlers, which may hang.
fn end(code: u8) -> ! {
    telemetry::flush();
    signal_hook::low_level::exit(code.into())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(())
}
