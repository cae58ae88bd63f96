//! `tidewatch topics`: the topics of an installation.

use std::path::PathBuf;

use anyhow::Result;
use broker::Error;
use clap::Subcommand;
use kafka::KafkaSettings;
use service::Exit;

use crate::config;
use crate::output::{complain, say};

/// Creates and checks the topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Creates the topics that do not exist; those that exist are left as they are.
    Create(Shape),
    /// Says what about the existing topics is not as `create` would make it.
    Verify(Shape),
}

/// How large the installation is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Shape {
    /// Partitions of the topics that carry the load.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    partitions: u32,
    /// Brokers that hold each partition.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    replicas: u32,
}

/// Runs `tidewatch topics …`.
pub(crate) fn run(command: TopicsCommand, config: Option<PathBuf>) -> Result<Exit> {
    let Some(log) = config::for_tool(config, &["kafka"], config::log) else {
        return Ok(Exit::Configuration);
    };
    act(command, &log.kafka).or_else(failed)
}

/// How a tool ends that the log failed.
pub(crate) fn failed(error: Error) -> Result<Exit> {
    match error {
        // As a service says it: a wrong password, a right that is not granted, a shape that the brokers refuse.
        error @ (Error::Misconfigured(_) | Error::Refused(_)) => {
            complain(&error);
            Ok(Exit::Configuration)
        }
        error @ (Error::Unavailable(_) | Error::Aborted(_) | Error::Overloaded(_) | Error::Fenced(_)) => {
            Err(error.into())
        }
    }
}

fn act(command: TopicsCommand, kafka: &KafkaSettings) -> Result<Exit, Error> {
    match command {
        TopicsCommand::Create(Shape { partitions, replicas }) => {
            let created = kafka::topics::create(kafka, partitions, replicas)?;
            created.iter().for_each(|name| say(&format!("created {name}")));
            Ok(Exit::Ok)
        }
        TopicsCommand::Verify(Shape { partitions, replicas }) => {
            let differences = kafka::topics::verify(kafka, partitions, replicas)?;
            differences.iter().for_each(|difference| say(&difference.to_string()));
            Ok(if differences.is_empty() {
                Exit::Ok
            } else {
                Exit::Failure
            })
        }
    }
}
