//! Boot and shut down a process: settings, logs, metrics, health, signals.
//!
//! This crate knows no service.

pub mod exit;
pub mod settings;

pub use exit::{Exit, Failure};
