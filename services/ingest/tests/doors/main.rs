//! The doors as clients see them, on the log in memory: real requests, real records, real metrics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canaries;
mod heartbeats;
mod http;
mod limits;
mod receipts;
mod support;
mod topics;
