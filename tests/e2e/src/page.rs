//! A page of `docs/producers`, taken apart and executed as it is written.
//!
//! How a page is written stands in `docs/producers/README.md`, "How these pages are tested". In short: every fenced
//! block is run in the order of the page, in one shell and an empty directory. The word behind the language says how:
//!
//! | fence | what happens |
//! |---|---|
//! | `sh environment` | the first block; each variable that it exports gets the test's value |
//! | `sh` | bash runs it, and it must succeed |
//! | *language* `file=NAME` | it becomes that file |
//! | *language* `output` | what the `sh` block before it prints, errors included; `…` stands for anything |
//! | *language* `not-run="REASON"` | nothing; at most [`NOT_RUN_MAX`] of a page, each named when the test runs |
//!
//! A block that is none of these is a mistake in the page, and the test fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

/// The most blocks of a page that are not run.
pub const NOT_RUN_MAX: usize = 3;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Stands in the output before what the block at the line that follows prints.
const MARK: char = '\u{1e}';

/// Ends a file in the script; no page contains it.
const END_OF_FILE: &str = "end of a file of this page";

/// A page, read and understood.
#[derive(Debug)]
pub struct Page {
    name: String,
    blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Debug)]
struct Block {
    /// Where its text begins, from 1.
    line: usize,
    kind: Kind,
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Environment,
    Shell,
    File(String),
    Output,
    NotRun(String),
}

impl Kind {
    /// By the words behind the fence.
    fn of(info: &str) -> Option<Self> {
        let (language, word) = info.split_once(' ').unwrap_or((info, ""));
        let quoted = |text: &str| Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
        let value = |name: &str| word.strip_prefix(name)?.strip_prefix('=');
        Some(match (language, word) {
            ("", _) => return None,
            ("sh", "environment") => Self::Environment,
            ("sh", "") => Self::Shell,
            (_, "output") => Self::Output,
            _ => match (value("file"), value("not-run").and_then(quoted)) {
                (Some(name), _) if !name.is_empty() && !name.contains(['/', ' ', '\'']) => Self::File(name.to_owned()),
                (_, Some(reason)) if !reason.is_empty() => Self::NotRun(reason),
                _ => return None,
            },
        })
    }
}

impl Page {
    /// Reads a page of `docs/producers`.
    ///
    /// # Panics
    /// If it is not there, or not written as a page is.
    pub fn read(name: &str) -> Self {
        let path = directory().join(format!("{name}.md"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(name, &text).unwrap_or_else(|mistake| panic!("docs/producers/{name}.md:{mistake}"))
    }

    /// Takes a page apart.
    ///
    /// # Errors
    /// If it is not written as a page is: the line and what is wrong there.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut lines = (1..).zip(text.lines());
        while let Some((line, opening)) = lines.next() {
            let info = opening.trim_start_matches('`');
            let fence = &opening[..opening.len() - info.len()];
            if fence.len() < 3 {
                if opening.contains("```") {
                    return Err(format!(
                        "{line}: a block that does not begin its line would not be seen"
                    ));
                }
                continue;
            }
            let kind =
                Kind::of(info).ok_or_else(|| format!("{line}: `{info}` does not say what is done with the block"))?;
            let mut text = String::new();
            loop {
                match lines.next() {
                    Some((_, closing)) if closing == fence => break,
                    Some((_, inner)) => text.extend([inner, "\n"]),
                    None => return Err(format!("{line}: the block does not end")),
                }
            }
            let before = blocks.last().map(|block| &block.kind);
            let fits = match kind {
                Kind::Environment => before.is_none(),
                Kind::Output => before == Some(&Kind::Shell) && text.contains(|letter: char| letter.is_alphanumeric()),
                Kind::Shell | Kind::File(_) => before.is_some(),
                Kind::NotRun(_) => true,
            };
            if !fits {
                return Err(format!("{line}: `{info}` is not at its place"));
            }
            blocks.push(Block {
                line: line + 1,
                kind,
                text,
            });
        }
        let not_run = blocks.iter().filter(|block| matches!(block.kind, Kind::NotRun(_)));
        if not_run.clone().count() > NOT_RUN_MAX {
            return Err(format!("1: more than {NOT_RUN_MAX} blocks are not run"));
        }
        let name = name.to_owned();
        Ok(Self { name, blocks })
    }

    /// Runs it from the first block to the last, with these values in place of those that its first block exports.
    ///
    /// # Panics
    /// If a block fails, or prints something else than the page shows.
    pub fn run(&self, values: &BTreeMap<&str, String>) {
        for block in &self.blocks {
            if let Kind::NotRun(reason) = &block.kind {
                self.say(block, &format!("not run: {reason}"));
            }
        }
        let mut shell = Shell::start(&self.script(), self.environment(values));
        let status = shell.wait();
        let printed = Printed::read(&shell.transcript());
        assert!(
            status.is_some_and(|status| status.success()),
            "docs/producers/{}.md:{}: {}\n{}",
            self.name,
            printed.last,
            status.map_or_else(|| format!("not done within {PATIENCE:?}"), |status| status.to_string()),
            printed.of(printed.last),
        );
        for pair in self.blocks.windows(2) {
            let [block, shown] = pair else { continue };
            if shown.kind == Kind::Output {
                let found = tidy(printed.of(block.line));
                assert!(
                    pattern(&shown.text).is_match(&found),
                    "docs/producers/{}.md:{}: the page shows\n{}\nand what came is\n{found}",
                    self.name,
                    shown.line,
                    shown.text,
                );
            }
        }
    }

    /// What the first block exports, with other values.
    fn environment(&self, values: &BTreeMap<&str, String>) -> BTreeMap<String, String> {
        let first = self.blocks.first().filter(|block| block.kind == Kind::Environment);
        let first = first.unwrap_or_else(|| panic!("docs/producers/{}.md exports nothing first", self.name));
        let lines = first.text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| {
                let name = line.strip_prefix("export ").and_then(|line| line.split_once('='));
                let name = name
                    .unwrap_or_else(|| panic!("docs/producers/{}.md: `{line}` is no export", self.name))
                    .0;
                let value = values.get(name);
                let value = value.unwrap_or_else(|| panic!("docs/producers/{}.md: no test knows {name}", self.name));
                (name.to_owned(), value.clone())
            })
            .collect()
    }

    /// The blocks as one script: what one sets or starts is there for the next, as in the terminal of a reader.
    fn script(&self) -> String {
        let mut script = "set -euo pipefail\n".to_owned();
        for Block { line, kind, text } in &self.blocks {
            let written = match kind {
                Kind::Shell => write!(script, "printf '\\n{MARK}%s\\n' {line}\n{text}\n"),
                Kind::File(name) => write!(script, "cat >'{name}' <<'{END_OF_FILE}'\n{text}{END_OF_FILE}\n"),
                Kind::Environment | Kind::Output | Kind::NotRun(_) => Ok(()),
            };
            written.expect("memory takes it");
        }
        script
    }

    #[expect(clippy::print_stdout, reason = "what is not run is told where the tests are told")]
    fn say(&self, block: &Block, what: &str) {
        println!("docs/producers/{}.md:{}: {what}", self.name, block.line);
    }
}

/// Where the pages are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/producers")
}

/// The names of the pages that are there, sorted.
///
/// # Panics
/// If there are none.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(directory()).expect("docs/producers is there");
    let names = files.map(|file| file.expect("a file").path());
    let mut names: Vec<String> = names
        .filter_map(|path| Some(path.file_name()?.to_str()?.strip_suffix(".md")?.to_owned()))
        .collect();
    names.sort_unstable();
    names
}

/// What shown output matches: `…` is anything within its line, and a line of its own any number of lines.
fn pattern(shown: &str) -> Regex {
    let line = |line: &str| match line.trim_end() {
        "…" => "(?:.*\n)*".to_owned(),
        line => regex::escape(line).replace('…', ".*") + "\n",
    };
    let lines: String = shown.trim_end().lines().map(line).collect();
    Regex::new(&format!("^{lines}$")).expect("what is escaped is a pattern")
}

/// Without the white space that nobody sees.
fn tidy(printed: &str) -> String {
    printed
        .trim_matches('\n')
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// What the blocks of a page printed, by their lines.
struct Printed {
    blocks: BTreeMap<usize, String>,
    /// The line of the block that ran last.
    last: usize,
}

impl Printed {
    fn read(transcript: &str) -> Self {
        let mut blocks = BTreeMap::new();
        let mut last = 0;
        for part in transcript.split(MARK).skip(1) {
            let (line, text) = part.split_once('\n').unwrap_or((part, ""));
            last = line.parse().expect("a mark has a line");
            blocks.insert(last, text.to_owned());
        }
        Self { blocks, last }
    }

    fn of(&self, line: usize) -> &str {
        self.blocks.get(&line).map_or("", String::as_str)
    }
}

/// The process that runs a page, and what it starts.
struct Shell {
    child: Child,
    directory: TempDir,
}

impl Shell {
    /// Starts bash in an empty directory. Its environment is the page's, and the way to the cache of packages.
    fn start(script: &str, environment: BTreeMap<String, String>) -> Self {
        let directory = TempDir::new().expect("a directory");
        let [home, work] = ["home", "work"].map(|name| directory.path().join(name));
        for directory in [&home, &work] {
            std::fs::create_dir(directory).expect("a directory");
        }
        let path = directory.path().join("page.sh");
        std::fs::write(&path, script).expect("a script");
        let output = File::create(directory.path().join("output")).expect("a file");
        let child = Command::new("bash")
            .arg(path)
            .current_dir(work)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("there is a PATH"))
            .env("HOME", home)
            .envs(packages())
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .expect("bash is there");
        Self { child, directory }
    }

    /// Waits for its end. `None`: it takes too long.
    fn wait(&mut self) -> Option<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn transcript(&self) -> String {
        let bytes = std::fs::read(self.directory.path().join("output")).expect("our file");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Shell {
    /// Ends what the page left running. Mostly nothing, and then there is no such group.
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let kill = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        kill.ok();
        self.child.wait().ok();
    }
}

/// Lets npm and pip find what a page installs where `deploy/dev/producers.sh` has put it, and nowhere else.
fn packages() -> [(&'static str, String); 7] {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let clients = cache.expect("there is a HOME").join("tidewatch/producers");
    let text = |path: PathBuf| path.to_str().expect("a path in text").to_owned();
    let registry = std::fs::read_to_string(clients.join("registry"));
    let registry = registry.expect("the clients are downloaded: run deploy/dev/producers.sh");
    [
        ("npm_config_cache", text(clients.join("npm"))),
        ("npm_config_registry", registry.trim().to_owned()),
        ("npm_config_offline", "true".to_owned()),
        ("npm_config_update_notifier", "false".to_owned()),
        ("PIP_NO_INDEX", "1".to_owned()),
        ("PIP_FIND_LINKS", text(clients.join("wheels"))),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".to_owned()),
    ]
}

#[cfg(test)]
mod tests;
