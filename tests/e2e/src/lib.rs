//! The services as processes against a real Kafka and a real S3: what their tests share.

pub mod brute_force;
pub mod dashboards;
pub mod expect;
pub mod log;
pub mod page;
pub mod pipeline;
pub mod process;
pub mod producer;
pub mod prometheus;
pub mod receiver;
pub mod s3;
pub mod secured;
pub mod tool;
pub mod web;
