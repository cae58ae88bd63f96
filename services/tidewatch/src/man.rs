//! `tidewatch man` and `tidewatch completions`: what an installation wants beside the program, made of the command line
//! itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use service::Exit;

use crate::help::{self, PAGES, Page};
use crate::output::{counted, print, say};

/// Prints the manual, or writes a page for each command.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages are written, as `/usr/local/share/man/man1`; it is made if it is not there. Without it the first
    /// page is printed.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints what completes commands and options in a shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Runs `tidewatch completions`.
pub(crate) fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "tidewatch", &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Ok
}

/// Runs `tidewatch man`.
pub(crate) fn run(args: &ManArgs) -> Result<Exit> {
    // A page for each `help` would say nothing.
    let mut command = help::command().disable_help_subcommand(true);
    command.build();
    match &args.directory {
        None => print(&page(&command, &[])?.1),
        Some(directory) => {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            let count = write(&command, &[], directory)?;
            say(&format!("wrote {} to {}", counted(count, "page"), directory.display()));
        }
    }
    Ok(Exit::Ok)
}

/// Writes the pages of a command and of all below it; how many.
fn write(command: &Command, words: &[&str], directory: &Path) -> Result<u64> {
    let (name, text) = page(command, words)?;
    let file = directory.join(name);
    fs::write(&file, text).with_context(|| file.display().to_string())?;
    command.get_subcommands().try_fold(1, |count, inner| {
        let words = [words, &[inner.get_name()]].concat();
        Ok(count + write(inner, &words, directory)?)
    })
}

/// The file of a page, and the page.
fn page(command: &Command, words: &[&str]) -> io::Result<(String, String)> {
    let source = concat!("tidewatch ", env!("CARGO_PKG_VERSION"));
    // Without a date, which would make every build another; and an empty one is no argument to roff.
    let man = Man::new(command.clone()).date(" ").source(source).manual("Tidewatch");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    if let Some(more) = PAGES.iter().find(|page| page.command == words) {
        sections(more).to_writer(&mut text)?;
    }
    Ok((man.get_filename(), String::from_utf8_lossy(&text).into_owned()))
}

fn sections(page: &Page) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (line, purpose) in page.examples {
        roff.control("TP", []).text([bold(*line)]).text([roman(*purpose)]);
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in page.exits {
        let code = exit.code().to_string();
        roff.control("TP", []).text([bold(code)]).text([roman(*meaning)]);
    }
    roff
}
