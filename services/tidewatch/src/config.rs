//! The configuration file: which sections there are, and `tidewatch config`.

mod example;
mod reference;
mod sections;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use service::settings::{self, Problems, Reader, Sources, Tree};
use service::{Exit, ProcessSettings};

use crate::output::{complain, print, say};
use crate::services::Service;

pub(crate) use sections::{
    ArchiverSettings, DetectorSettings, LogSettings, StoreSettings, alerter, archiver, detector, ingest, log,
};

/// Checks, shows and explains configurations.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Names every mistake in a configuration, and exits with 78 if there is one.
    Check(Given),
    /// Prints the settings in force, each with where it comes from; secrets are hidden.
    Show(Given),
    /// Prints a configuration with every key, its default and what it is for, to begin with.
    Example {
        /// Only what this service reads; without it, one file for all services.
        service: Option<Service>,
    },
    /// Prints what every key takes and is for, as Markdown.
    Reference,
}

/// Which configuration is looked at.
#[derive(Debug, Args)]
pub(crate) struct Given {
    /// The file; without it that of `--config`.
    file: Option<PathBuf>,
    /// Only what this service reads, and what all services do; may be given several times. Without it, everything.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<Service>,
}

/// The sections of services, of which each service reads its own.
const SERVICES: [&str; 4] = [
    Service::Ingest.name(),
    Service::Detector.name(),
    Service::Alerter.name(),
    Service::Archiver.name(),
];

/// Lets the other services keep their sections.
pub(crate) fn only(root: &mut Reader<'_>, service: &str) {
    let others: Vec<&str> = SERVICES.into_iter().filter(|known| *known != service).collect();
    root.ignore(&others);
}

/// What a tool reads of these sections, the others being left alone. Mistakes are told, and then there is nothing.
pub(crate) fn for_tool<T>(
    config: Option<PathBuf>,
    sections: &[&str],
    read: impl FnOnce(&mut Reader<'_>) -> T,
) -> Option<T> {
    let tree = Tree::load(&Sources::of_process(config));
    let loaded = tree.and_then(|tree| {
        settings::read(&tree, |root| {
            let others = ["telemetry", "process", "kafka"].into_iter().chain(SERVICES);
            let others: Vec<&str> = others.filter(|section| !sections.contains(section)).collect();
            root.ignore(&others);
            read(root)
        })
    });
    match loaded {
        Ok(loaded) => Some(loaded.settings),
        Err(problems) => {
            complain(&problems);
            None
        }
    }
}

/// Reads what these services together read.
fn read(root: &mut Reader<'_>, services: &[Service]) {
    ProcessSettings::read(root);
    log(root);
    for service in Service::ALL {
        if !services.contains(&service) {
            root.ignore(&[service.name()]);
            continue;
        }
        match service {
            Service::Ingest => drop(ingest(root)),
            Service::Detector => drop(detector(root)),
            Service::Alerter => drop(alerter(root)),
            Service::Archiver => drop(archiver(root)),
        }
    }
}

/// Runs `tidewatch config …`.
pub(crate) fn run(command: ConfigCommand, config: Option<PathBuf>) -> Result<Exit> {
    match command {
        ConfigCommand::Check(given) => Ok(look_at(&given, config, |_| {
            let names: Vec<&str> = given.services.iter().map(|service| service.name()).collect();
            if names.is_empty() {
                say("the configuration is right");
            } else {
                say(&format!("the configuration is right for {}", names.join(", ")));
            }
        })),
        ConfigCommand::Show(given) => Ok(look_at(&given, config, print)),
        ConfigCommand::Example { service } => {
            print(&example::of(service));
            Ok(Exit::Ok)
        }
        ConfigCommand::Reference => {
            print(&reference::of_all());
            Ok(Exit::Ok)
        }
    }
}

/// Hands over the settings in force, or names all that is wrong with them.
fn look_at(given: &Given, config: Option<PathBuf>, with: impl FnOnce(&str)) -> Exit {
    let sources = Sources::of_process(given.file.clone().or(config));
    let services = if given.services.is_empty() {
        &Service::ALL[..]
    } else {
        &given.services
    };
    let tree = Tree::load(&sources);
    let loaded = match &tree {
        Ok(tree) => settings::read(tree, |root| read(root, services)),
        Err(problems) => Err(problems.clone()),
    };
    match loaded {
        Ok(loaded) => {
            loaded
                .warnings
                .iter()
                .for_each(|warning| complain(&format!("warning: {warning}")));
            with(&loaded.effective);
            Exit::Ok
        }
        Err(problems) => {
            complain(&problems);
            hints(given, &sources, &problems, tree.ok())
                .iter()
                .for_each(|hint| complain(hint));
            Exit::Configuration
        }
    }
}

/// What may be meant by a configuration that is wrong as a whole.
fn hints(given: &Given, sources: &Sources, problems: &Problems, tree: Option<Tree>) -> Vec<String> {
    let mut hints = Vec::new();
    if sources.file.is_none() {
        hints.push("hint: no file is given; name one, or set TIDEWATCH_CONFIG".to_owned());
    }
    let unwritten: Vec<&str> = Service::ALL
        .into_iter()
        .map(Service::name)
        .filter(|name| tree.as_ref().is_some_and(|tree| !tree.has_section(name)))
        .filter(|name| {
            problems
                .0
                .iter()
                .any(|problem| problem.path.split('.').next() == Some(name))
        })
        .collect();
    if given.services.is_empty() && !unwritten.is_empty() {
        hints.push(format!(
            "hint: nothing is written of {}; `--service NAME` looks at what one service reads",
            unwritten.join(" and ")
        ));
    }
    hints
}
