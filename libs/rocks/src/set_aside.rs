use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use state::ImageError;

use crate::error::unavailable;

/// How many images set aside are kept beside a directory for study; the oldest go first.
pub const SET_ASIDE_MAX: usize = 3;

/// What opening an image found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: the image is new and covers nothing.
    Fresh,
    /// An image of this partition.
    Kept,
    /// An image that must not be used. The image is new and covers nothing.
    SetAside {
        /// Why it must not be used.
        reason: SetAsideReason,
        /// Where it is now.
        path: PathBuf,
    },
}

/// Why an image must not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAsideReason {
    /// It holds the state of another cluster, topic or partition, or of another number of partitions.
    OtherIdentity,
    /// A build with another schema wrote it.
    OtherSchema {
        /// The schema version that was found.
        found: u32,
    },
    /// Bytes were changed or lost; the text says what was met.
    Damaged(String),
}

impl fmt::Display for SetAsideReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherIdentity => write!(out, "it belongs to another cluster, topic or partition"),
            Self::OtherSchema { found } => write!(out, "it was written with schema version {found}"),
            Self::Damaged(what) => write!(out, "it is damaged: {what}"),
        }
    }
}

/// Renames the directory of an image to `<dir>.set-aside-<n>`, with `n` above all there are. Nobody may have it open.
pub(crate) fn set_aside(dir: &Path) -> Result<PathBuf, ImageError> {
    let mut kept = earlier(dir).map_err(|error| unavailable("list what was set aside", &error))?;
    let next = kept.last().map_or(1, |(number, _)| number + 1);
    let excess = (kept.len() + 1).saturating_sub(SET_ASIDE_MAX);
    for (_, oldest) in kept.drain(..excess) {
        fs::remove_dir_all(oldest).map_err(|error| unavailable("delete what was set aside", &error))?;
    }
    let path = parent(dir).join(format!("{}{next}", prefix(dir)));
    fs::rename(dir, &path).map_err(|error| unavailable("set the image aside", &error))?;
    Ok(path)
}

fn parent(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn prefix(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default();
    format!("{}.set-aside-", name.to_string_lossy())
}

/// What was set aside before, oldest first.
fn earlier(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let prefix = prefix(dir);
    let mut found = Vec::new();
    for entry in fs::read_dir(parent(dir))? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_named_alone_lies_in_the_current_one() {
        assert_eq!(parent(Path::new("3")), Path::new("."));
        assert_eq!(parent(Path::new("state/3")), Path::new("state"));
    }
}
