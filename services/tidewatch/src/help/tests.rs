//! Whatever is added to the command line is explained.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory as _, Parser as _};

use super::{PAGES, command};
use crate::Cli;

/// Each command with the words that call it, itself and all below it.
fn tree<'a>(command: &'a Command, words: &[&'a str]) -> Vec<(Vec<&'a str>, &'a Command)> {
    let mut all = vec![(words.to_vec(), command)];
    for inner in command.get_subcommands() {
        all.extend(tree(inner, &[words, &[inner.get_name()]].concat()));
    }
    all
}

#[test]
fn the_command_line_is_sound() {
    command().debug_assert();
}

#[test]
fn every_command_and_every_argument_is_explained() {
    let command = command();
    let mut mute = Vec::new();
    for (words, command) in tree(&command, &[]) {
        let name = words.join(" ");
        if command
            .get_about()
            .is_none_or(|about| about.to_string().trim().is_empty())
        {
            mute.push(name.clone());
        }
        for argument in command.get_arguments() {
            if argument
                .get_help()
                .is_none_or(|help| help.to_string().trim().is_empty())
            {
                mute.push(format!("{name}: {}", argument.get_id()));
            }
        }
    }
    assert!(mute.is_empty(), "nothing is said of {mute:?}");
}

#[test]
fn every_command_that_does_something_has_examples_and_exit_codes() {
    let command = Cli::command();
    let leaves = tree(&command, &[])
        .into_iter()
        .filter(|(words, command)| words.is_empty() || !command.has_subcommands());
    let expected: BTreeSet<Vec<&str>> = leaves.map(|(words, _)| words).collect();
    let explained: BTreeSet<Vec<&str>> = PAGES.iter().map(|page| page.command.to_vec()).collect();
    assert_eq!(
        explained, expected,
        "the pages of help.rs (left) and the commands (right) differ"
    );
    assert_eq!(PAGES.len(), explained.len(), "a command has two pages");
    for page in PAGES {
        assert!(
            !page.examples.is_empty() && !page.exits.is_empty(),
            "{:?}",
            page.command
        );
    }
}

/// An example that is refused would be the first thing that somebody tries.
#[test]
fn every_example_is_understood() {
    for page in PAGES {
        for (line, _) in page.examples {
            let own = line.split(['>', '|']).next().unwrap_or_default();
            let words: Vec<&str> = own.split_whitespace().collect();
            let understood = Cli::try_parse_from(&words).map(drop);
            assert!(
                understood.is_ok(),
                "{line}: {}",
                understood.err().map_or_else(String::new, |error| error.to_string())
            );
            let calls_it = page.command.iter().all(|word| words.contains(word));
            assert!(calls_it, "{line} is an example of {:?}", page.command);
        }
    }
}

/// The operations guide tells a supervisor what to do about each code.
#[test]
fn the_exit_codes_are_those_of_the_operations_guide() {
    let guide = include_str!("../../../../docs/operations.md");
    for page in PAGES {
        for (exit, meaning) in page.exits {
            let row = format!("\n| {} |", exit.code());
            assert!(
                guide.contains(&row),
                "docs/operations.md has no row for {} ({meaning})",
                exit.code()
            );
        }
    }
}
