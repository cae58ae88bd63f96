//! `tidewatch archive`: the place where the archive is kept.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use archive::StoreError;
use clap::Subcommand;
use objects::S3;
use service::Exit;

use crate::config::{self, StoreSettings};
use crate::output::{complain, say};

/// Prepares the place where the archive is kept.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Makes the bucket of `archiver.store`, with versions and Object Lock; one that is there is checked for both.
    CreateBucket,
}

/// Runs `tidewatch archive …`.
pub(crate) fn run(command: ArchiveCommand, config: Option<PathBuf>) -> Result<Exit> {
    let Some(settings) = config::for_tool(config, &["archiver"], config::archiver) else {
        return Ok(Exit::Configuration);
    };
    match command {
        ArchiveCommand::CreateBucket => create_bucket(settings.store),
    }
}

fn create_bucket(store: StoreSettings) -> Result<Exit> {
    let StoreSettings::S3(settings) = store else {
        complain(&"archiver.store.kind is directory: there is no bucket to make");
        return Ok(Exit::Configuration);
    };
    let bucket = settings.bucket.clone();
    match S3::new(settings).and_then(|store| store.create_bucket()) {
        Ok(true) => say(&format!("created s3://{bucket} with Object Lock")),
        Ok(false) => say(&format!("s3://{bucket} is there, with Object Lock")),
        Err(StoreError::Misconfigured(problem)) => {
            complain(&problem);
            return Ok(Exit::Configuration);
        }
        Err(error @ StoreError::Retry(_)) => return Err(anyhow!(error)),
    }
    Ok(Exit::Ok)
}
