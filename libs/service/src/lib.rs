//! Boot and shut down a process: settings, logs, metrics, health, signals.
//!
//! This crate knows no service. A service states what it reads ([`settings`]), is started by
//! [`run`] in one order for all, counts in [`metrics`], says in [`health`] how it is, and ends when
//! its [`Stop`] is requested. Nothing here is global but what the process has once: the log, the
//! signals and the panic hook, and only [`run`] and [`telemetry::start`] touch those.

pub mod clock;
pub mod exit;
pub mod health;
pub mod metrics;
mod run;
pub mod settings;
pub mod signals;
mod stop;
pub mod telemetry;

pub use exit::{Exit, Failure};
pub use run::{Boot, Context, ProcessSettings, run};
pub use stop::Stop;
