//! The engine through its public interface: events in, alerts out, as the detector's two stages use it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absences;
mod conditions;
mod chains;
mod counting;
mod docs_examples;
mod driver;
mod episodes;
mod extremes;
mod joins;
mod lateness;
mod limits;
mod new_values;
mod probes;
mod properties;
mod reference;
mod sequences;
mod stateless;
mod typed;
mod watermarks;
