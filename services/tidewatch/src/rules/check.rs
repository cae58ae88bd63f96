use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use ruleset::{Place, RuleError, RuleWarning};
use serde_json::{Value, json};
use service::Exit;

use super::files;
use crate::output::{complain, counted, say};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Directories or files; the guide's rules if none is given.
    paths: Vec<PathBuf>,
    /// Exit with 1 if there is a warning.
    #[arg(long)]
    deny_warnings: bool,
    /// A directory without rule files is no mistake.
    #[arg(long)]
    allow_empty: bool,
    /// How mistakes and warnings are printed.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// How mistakes and warnings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people, with the line and a caret, on standard error.
    Text,
    /// One JSON object a line, on standard output.
    Json,
}

pub(super) fn run(args: &CheckArgs) -> Result<Exit> {
    let (files, unreadable) = files::read(&args.paths, args.allow_empty);
    let checked = ruleset::check(files);
    match args.format {
        Form::Text => {
            unreadable.iter().for_each(|error| complain(&format!("{error:#}")));
            checked.errors.iter().for_each(|error| complain(error));
            checked.warnings.iter().for_each(|warning| complain(warning));
        }
        Form::Json => {
            unreadable.iter().for_each(|error| say(&unread(error).to_string()));
            checked
                .errors
                .iter()
                .for_each(|error| say(&error_line(error).to_string()));
            let warnings = checked.warnings.iter();
            warnings.for_each(|warning| say(&warning_line(warning).to_string()));
        }
    }
    let mistakes = unreadable.len() + checked.errors.len();
    if args.format == Form::Text {
        say(&summary(checked.rules, mistakes, checked.warnings.len()));
    }
    Ok(if mistakes > 0 {
        Exit::Configuration
    } else if args.deny_warnings && !checked.warnings.is_empty() {
        Exit::Failure
    } else {
        Exit::Ok
    })
}

fn summary(rules: usize, mistakes: usize, warnings: usize) -> String {
    let counted = |count: usize, what| counted(count as u64, what);
    format!(
        "{}, {}, {}",
        counted(rules, "rule"),
        counted(mistakes, "mistake"),
        counted(warnings, "warning")
    )
}

fn unread(error: &anyhow::Error) -> Value {
    json!({"kind": "error", "lint": null, "file": null, "line": null, "column": null, "message": format!("{error:#}")})
}

fn error_line(error: &RuleError) -> Value {
    line("error", None, &error.place, &error.message)
}

fn warning_line(warning: &RuleWarning) -> Value {
    line("warning", Some(warning.lint), &warning.place, &warning.message)
}

fn line(kind: &str, lint: Option<&str>, place: &Place, message: &str) -> Value {
    let Place { file, line, column, .. } = place;
    json!({"kind": kind, "lint": lint, "file": file, "line": line, "column": column, "message": message})
}
