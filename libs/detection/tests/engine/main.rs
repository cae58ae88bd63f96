//! The engine through its public interface: events in, alerts out, as the detector's two stages use it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absences;
mod aggregates;
mod chains;
mod conditions;
mod counting;
mod docs_examples;
mod driver;
mod episodes;
mod extremes;
mod joins;
mod lateness;
mod levels;
mod limits;
mod new_values;
mod probes;
mod properties;
mod reference;
mod sequences;
mod stateless;
mod suppression;
mod typed;
mod watermarks;
