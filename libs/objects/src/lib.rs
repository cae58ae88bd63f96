//! The object stores behind [`archive::ObjectStore`]: [`S3`], and a plain [`Directory`].
//!
//! Only this crate names the AWS SDK.

mod directory;
mod s3;

pub use directory::Directory;
pub use s3::{AccessKey, S3, S3Settings};
