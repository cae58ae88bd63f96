//! What an installation takes from the program: completions, as a shell uses them, and manual pages.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidewatch");

fn tidewatch(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).env_clear().args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = tidewatch(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words that a help lists as commands.
fn commands(of: &[&str]) -> Vec<String> {
    let help = printed(&[of, &["-h"]].concat());
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let words = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    words
        .filter(|word| !word.is_empty() && *word != "help")
        .map(str::to_owned)
        .collect()
}

/// The words that call each command, `tidewatch` being none.
fn all_commands() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for outer in commands(&[]) {
        all.push(vec![outer.clone()]);
        all.extend(commands(&[&outer]).into_iter().map(|inner| vec![outer.clone(), inner]));
    }
    assert!(all.len() > 20, "the help was misread: {all:?}");
    all
}

/// What bash offers for the last of the words, the script being loaded.
fn offered(words: &[&str]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("tidewatch.bash");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    // As readline does it: the words, which of them is completed, and the function that is registered for the program.
    let ask = r#"
        set -u
        source "$1"; shift
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMP_LINE="$*"
        COMP_POINT=${#COMP_LINE}
        COMPREPLY=()
        registered=$(complete -p tidewatch)
        [[ $registered =~ -F\ ([^ ]+) ]] || { echo "no function in: $registered" >&2; exit 1; }
        before=''
        [ $COMP_CWORD -eq 0 ] || before=${COMP_WORDS[COMP_CWORD - 1]}
        "${BASH_REMATCH[1]}" tidewatch "${COMP_WORDS[COMP_CWORD]}" "$before"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    let output = bash
        .args(["--noprofile", "--norc", "-c", ask, "bash"])
        .arg(&script)
        .args(words)
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{words:?}: {output:?}"
    );
    let offered = String::from_utf8(output.stdout).unwrap();
    offered
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(offered(&["tidewatch", "dete"]), set(&["detector"]));
    assert_eq!(offered(&["tidewatch", "config", "re"]), set(&["reference"]));
    assert_eq!(
        offered(&["tidewatch", "config", "check", "--serv"]),
        set(&["--service"])
    );
    assert_eq!(
        offered(&["tidewatch", "config", "example", "a"]),
        set(&["alerter", "archiver"])
    );
    assert_eq!(
        offered(&["tidewatch", "config", "check", "--service", "de"]),
        set(&["detector"])
    );
    assert_eq!(
        offered(&["tidewatch", "scan", "--output", ""]),
        set(&["table", "jsonl"])
    );
    let all = offered(&["tidewatch", ""]);
    let missing: Vec<String> = commands(&[]).into_iter().filter(|name| !all.contains(name)).collect();
    assert!(missing.is_empty(), "not offered: {missing:?}");
    assert_eq!(offered(&["tidewatch", "nonsen"]), BTreeSet::new());
}

#[test]
fn the_script_of_every_shell_knows_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for words in all_commands() {
            for word in words {
                assert!(script.contains(&word), "{shell} does not know {word}");
            }
        }
    }
    let unknown = tidewatch(&["completions", "tcsh"]);
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
}

#[test]
fn every_command_has_a_page_and_a_long_help_with_the_same_parts() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("share/man/man1");
    let told = printed(&["man", directory.to_str().unwrap()]);
    let mut expected = BTreeSet::new();
    for words in all_commands() {
        let name = [&["tidewatch".to_owned()], &words[..]].concat().join("-");
        let page = fs::read_to_string(directory.join(format!("{name}.1"))).unwrap_or_default();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = printed(&[&words[..], &["--help"]].concat());
        // A command that only holds others does nothing that could end with a code.
        let parts: &[(&str, &str)] = if words.is_empty() || commands(&words).is_empty() {
            &[
                (".SH EXAMPLES", "\nExamples:\n"),
                (".SH \"EXIT STATUS\"", "\nExit codes:\n"),
            ]
        } else {
            &[(".SH SUBCOMMANDS", "\nCommands:\n")]
        };
        for (of_page, of_help) in parts {
            assert!(
                page.contains(&format!("\n{of_page}\n")),
                "{name}.1 has no {of_page}:\n{page}"
            );
            assert!(help.contains(of_help), "{name} --help has no {of_help}:\n{help}");
        }
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(
                page.contains(&format!("\n.SH {section}\n")),
                "{name}.1 has no {section}:\n{page}"
            );
        }
        expected.insert(format!("{name}.1"));
    }
    let written: BTreeSet<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(written, expected);
    assert_eq!(
        told,
        format!("wrote {} pages to {}\n", written.len(), directory.display())
    );
    let first = fs::read_to_string(directory.join("tidewatch.1")).unwrap();
    assert_eq!(printed(&["man"]), first, "the page that is printed is the first");
}

#[test]
fn a_directory_that_cannot_be_made_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = tidewatch(&["man", file.join("man1").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("man1"), "{output:?}");
}
