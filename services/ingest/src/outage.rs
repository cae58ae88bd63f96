//! Says once that something fails, and once that it works again.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something is failing at the moment. While the log is away, every request meets that: one line says it.
#[derive(Debug)]
pub(crate) struct Outage {
    what: &'static str,
    failing: AtomicBool,
}

impl Outage {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self {
            what,
            failing: AtomicBool::new(false),
        }
    }

    pub(crate) fn failed(&self, error: &dyn Display) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "{} failing from now on", self.what);
        }
    }

    pub(crate) fn worked(&self) {
        if self.failing.load(Ordering::Relaxed) && self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("{} working again", self.what);
        }
    }
}
