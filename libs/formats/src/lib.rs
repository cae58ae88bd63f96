//! Bytes in, canonical events out; one file per format in `kinds`.
//!
//! [`split`] cuts a request body into entries, [`Choice::decode`] turns one entry into an [`event::Event`] or says
//! why not. The eight rules of the canonical form are applied in one place, `normalise`, whatever the format.
//!
//! ```
//! use formats::{Choice, Context, Framing, split};
//!
//! let body = br#"{"logs":[{"service":"api","level":"warn","message":"no","metadata":{"user_id":"u-1"}},{"a":1,"a":2}]}"#;
//! let context = Context::new("acme", event::Timestamp::from_millis(1_767_225_600_000));
//! let entries = split(body, Framing::of(body), &context.limits)?;
//! for (index, entry) in entries.into_iter().enumerate() {
//!     match Choice::Auto.decode(entry, &context) {
//!         Ok(mut decoded) => {
//!             if decoded.event.event_id.is_empty() {
//!                 decoded.event.event_id = event::content_id(context.tenant, body, index);
//!             }
//!             assert_eq!(decoded.event.user_id.as_deref(), Some("u-1"));
//!         }
//!         Err(rejection) => {
//!             let letter = rejection.dead_letter(entry, format!("http 203.0.113.9 entry {index}"), &context);
//!             assert_eq!(letter.detail, "byte 7: the field `a` is there twice");
//!         }
//!     }
//! }
//! # Ok::<(), formats::Rejection>(())
//! ```
//!
//! Nothing here reads a clock: what a format needs to know beside the bytes is in [`Context`]. Time and memory are
//! linear in the bytes, and no input makes it panic.

mod choice;
mod context;
mod json;
mod kinds;
mod normalise;
mod rejection;
mod split;
mod syslog;
mod time;
mod unescape;

pub use choice::{Choice, Decoded, UnknownFormat};
pub use context::{Context, Limits, UnknownZone, Zone};
pub use kinds::{FORMATS, Format, metadata_fields};
pub use normalise::{Draft, Note};
pub use rejection::Rejection;
pub use split::{Framing, split};
