//! The services as processes against a real Kafka and a real S3: what their tests share.

pub mod log;
pub mod s3;
