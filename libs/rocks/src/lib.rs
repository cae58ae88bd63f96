//! The image of one facts partition's state on RocksDB: the only crate that names it.
//!
//! - One database per partition. All of a process share one block cache and one write-buffer manager ([`Shared`]).
//! - A write is one batch: values, timers and the changelog offset it covers. It goes to the write-ahead log, which is
//!   not synced: a killed process loses nothing, a lost machine falls back to an older image or to none.
//! - Whatever happened to the files, an image that opens holds the state at the offset it covers. What is damaged,
//!   incomplete or of another partition is set aside ([`Opened::SetAside`]), and the changelog brings the state back.
//!   RocksDB's checksums of blocks and log records find changed bytes; lost files and lost file ends are found by
//!   [`RocksImage`]'s chain of covered offsets. Values carry no checksum of their own.
//! - The directory belongs to the image alone.

mod database;
mod earliest;
mod error;
mod identity;
mod image;
mod set_aside;
mod shared;

pub use identity::Identity;
pub use image::RocksImage;
pub use set_aside::{Opened, SET_ASIDE_MAX, SetAsideReason};
pub use shared::{Budget, Shared};
