//! Keyed state of one facts partition, its changes and its restoration.
//!
//! A write is a [`StateChange`]. It goes to the overlay when it is evaluated, to the memory map when the transaction
//! that carries it is committed, and to the image on disk some seconds later, together with the changelog offset up to
//! which the image is complete. So neither map nor image ever holds what was not committed, and after a crash the image
//! plus the changelog from its offset is the state. One `apply` serves evaluation and restoration.
//!
//! Timers are not written: they are derived from the values, each of which says when it wants to be woken.

mod image;
mod store;
mod value;

pub use event::StateChange;
pub use image::{Image, ImageError, ImageWrite, NoImage, Timer};
pub use store::{StateStore, StoreSize};
pub use value::{Clock, Value};
