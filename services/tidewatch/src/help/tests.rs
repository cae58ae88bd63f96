//! Whatever is added to the command line is explained, and documents name only what there is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

/// The texts of all documents, by their names.
fn documents(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(documents(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The words of a command line up to what a shell makes of it: a comment, a pipe, a file.
fn words(line: &str) -> Vec<&str> {
    let ends = |word: &&str| !word.starts_with(['#', '|', '>', '<', '&', ';']);
    line.split_whitespace().take_while(ends).collect()
}

/// What does not name a command of the program: a command line of it is in a block, or begins a piece of code.
fn unknown_commands(text: &str) -> Vec<String> {
    let all = command();
    let mut wrong = Vec::new();
    for (at, piece) in text.split("```").enumerate() {
        if at % 2 == 1 {
            let joined = piece.replace("\\\n", " ");
            let lines = joined.lines().filter(|line| line.starts_with("tidewatch "));
            wrong.extend(
                lines
                    .filter(|line| Cli::try_parse_from(words(line)).is_err())
                    .map(str::to_owned),
            );
            continue;
        }
        for code in piece.split('`').skip(1).step_by(2) {
            let mut command = &all;
            let named = words(code).into_iter().skip(1).filter(|word| !word.starts_with('-'));
            // Beyond the last command stand its arguments, or a placeholder.
            for word in named.take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'))
            {
                if !code.starts_with("tidewatch ") || !command.has_subcommands() {
                    break;
                }
                let Some(inner) = command.find_subcommand(word) else {
                    wrong.push(code.to_owned());
                    break;
                };
                command = inner;
            }
        }
    }
    wrong
}

#[test]
fn documents_name_commands_that_there_are() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut all = documents(&root.join("docs"));
    all.push((
        "README.md".to_owned(),
        fs::read_to_string(root.join("README.md")).unwrap(),
    ));
    let count: usize = all.iter().map(|(_, text)| text.matches("tidewatch ").count()).sum();
    assert!(count > 20, "the documents were misread: {count}");
    let wrong: Vec<String> = all
        .iter()
        .flat_map(|(name, text)| {
            unknown_commands(text)
                .into_iter()
                .map(move |line| format!("{name}: {line}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_there_is_not_is_found() {
    for text in [
        "```sh\ntidewatch scna auth.log\n```",
        "```sh\ntidewatch topics create --partitons 6\n```",
        "```sh\ntidewatch topics create \\\n  --partitons 6\n```",
        "as `tidewatch config chek FILE` says",
        "as `tidewatch cofig` says",
    ] {
        assert_eq!(unknown_commands(text).len(), 1, "{text}");
    }
    let right = "```sh\ntidewatch scan auth.log > found # all\ntide watch\n```\n`tidewatch config check FILE` `tidewatch` `tidewatch scan x`";
    assert_eq!(unknown_commands(right), Vec::<String>::new());
}
