//! Who is told what, how often it is tried, and when it is done: the decisions of alert delivery.
//!
//! Nothing here sends, waits or reads a clock. A [`Route`] says who takes which alerts, a [`Channel`] writes the body
//! and judges the answer, [`Retry`] decides whether to try again, an [`Outbox`] decides what is sent next, and the
//! [`Ledger`] knows what is done. The promise they carry together: every record of `alerts` that a route takes is
//! delivered there at least once, or is in `undelivered` and was given to the fallback route.
//!
//! To add a channel: one file in `channels/`, one line in [`CHANNELS`].

mod channel;
pub mod channels;
mod ledger;
mod outbox;
mod retry;
mod route;
mod text;

pub use channel::{Answer, Channel, Message, Outcome, Sending, channel};
pub use channels::CHANNELS;
pub use ledger::{Ledger, Notification, Standing, State, Undelivered, notification_key};
pub use outbox::{Delivery, DeliveryId, Limits, Outbox, Pace, Verdict};
pub use retry::{Next, Retry, retry_after};
pub use route::{Route, RouteProblem, Routes};
