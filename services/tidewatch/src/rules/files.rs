//! Rule files on disk, and the rules that are part of the program.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ruleset::{Loaded, RuleError};

use crate::output::counted;

/// The rules of the guide: in force where nothing else is asked for.
const GUIDE: [(&str, &str); 6] = [
    (
        "rules/guide/account_takeover.yml",
        include_str!("../../../../rules/guide/account_takeover.yml"),
    ),
    (
        "rules/guide/admin_off_hours.yml",
        include_str!("../../../../rules/guide/admin_off_hours.yml"),
    ),
    (
        "rules/guide/api_abuse.yml",
        include_str!("../../../../rules/guide/api_abuse.yml"),
    ),
    (
        "rules/guide/brute_force.yml",
        include_str!("../../../../rules/guide/brute_force.yml"),
    ),
    (
        "rules/guide/impossible_travel.yml",
        include_str!("../../../../rules/guide/impossible_travel.yml"),
    ),
    (
        "rules/guide/privilege_escalation.yml",
        include_str!("../../../../rules/guide/privilege_escalation.yml"),
    ),
];

/// A rule file as it is on disk, under the name that messages call it by.
type RuleText = (String, Vec<u8>);

/// Why there are no rules: what of each file.
#[derive(Debug)]
pub(crate) struct NoRules {
    /// Files that cannot be read.
    unreadable: Vec<anyhow::Error>,
    /// Files that can be read, and are not what they should be.
    wrong: Vec<RuleError>,
}

impl std::fmt::Display for NoRules {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for error in &self.unreadable {
            writeln!(out, "{error:#}")?;
        }
        for error in &self.wrong {
            writeln!(out, "{error}")?;
        }
        let count = self.unreadable.len() + self.wrong.len();
        write!(out, "{}: no rule is loaded", counted(count as u64, "mistake"))
    }
}

impl std::error::Error for NoRules {}

/// The rules of these directories and files; the guide's if there are none.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Loaded, NoRules> {
    let (files, unreadable) = read(paths, false);
    let loaded = ruleset::load(files);
    match loaded {
        Ok(loaded) if unreadable.is_empty() => Ok(loaded),
        Ok(_) => Err(NoRules {
            unreadable,
            wrong: Vec::new(),
        }),
        Err(wrong) => Err(NoRules { unreadable, wrong }),
    }
}

/// The texts of rule files, and what cannot be read of them. A directory without rule files is a mistake, unless it may
/// be empty: a path that is misspelt, or not mounted, would be a detector that finds nothing.
pub(super) fn read(paths: &[PathBuf], may_be_empty: bool) -> (Vec<RuleText>, Vec<anyhow::Error>) {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    if paths.is_empty() {
        let guide = GUIDE.iter();
        files.extend(guide.map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())));
    }
    for path in paths {
        match list(path) {
            Ok(found) if found.is_empty() && !may_be_empty => {
                unreadable.push(anyhow::anyhow!("{}: no rule files (*.yml, *.yaml)", path.display()));
            }
            Ok(found) => {
                for file in found {
                    match text(&file) {
                        Ok(text) => files.push((file.display().to_string(), text)),
                        Err(error) => unreadable.push(error),
                    }
                }
            }
            Err(error) => unreadable.push(error),
        }
    }
    (files, unreadable)
}

/// As much of a file as a rule file may have, and one byte more, so that a longer one is refused.
fn text(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
    let bytes_max = ruleset::FILE_BYTES_MAX as u64 + 1;
    file.take(bytes_max)
        .read_to_end(&mut text)
        .with_context(|| path.display().to_string())?;
    Ok(text)
}

/// A file, or the rule files below a directory in the order of their names. What is hidden is passed over: where Kubernetes
/// mounts a ConfigMap, the same files stand below `..data` once more.
fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let entry = entry.with_context(|| path.display().to_string())?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            files.extend(list(&entry)?);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml")
        {
            files.push(entry);
        }
    }
    Ok(files)
}
