//! The archive: which records go where, for how long, in which bytes, and how to show that they are all there.
//!
//! A [`SegmentBuilder`] gathers a stretch of one partition; what it finishes is a [`Segment`]: one object and its
//! [`Manifest`]. Objects are named by topic, partition and first offset, and written through an [`ObjectStore`], which
//! can create and read and nothing else: there is no way here to overwrite or to delete.
//!
//! The evidence is the record as the log gave it, not its place in a file: [`leaf_hash`] and [`MerkleTree`] know
//! nothing of the container, so a segment keeps its root whatever format it is kept in.

mod digest;
mod error;
mod formats;
mod leaf;
mod manifest;
pub mod memory;
mod merkle;
mod name;
mod probe;
mod read;
mod segment;
mod store;
mod summary;
mod tiers;

pub use digest::Digest;
pub use error::{ReadError, RecordError};
pub use formats::{Decoder, Encoder, FORMATS, Format, format_named};
pub use leaf::{encode_record, leaf_hash};
pub use manifest::{Kind, Manifest, Writer};
pub use merkle::MerkleTree;
pub use name::{data_name, manifest_name, manifest_prefix};
pub use probe::probe;
pub use read::{Segments, read_segments};
pub use segment::{Limits, Segment, SegmentBuilder};
pub use store::{Head, Listed, LockMode, ObjectStore, Put, PutOutcome, Retention, StoreError};
pub use summary::Summary;
pub use tiers::{ArchiveTier, Policy, TIERS, tier_of};
