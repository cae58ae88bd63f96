use std::ffi::OsString;
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
    let mut path = prefix(dir);
    path.push(next.to_string());
    let path = PathBuf::from(path);
    fs::rename(dir, &path).map_err(|error| unavailable("set the image aside", &error))?;
    Ok(path)
}

fn prefix(dir: &Path) -> OsString {
    let mut prefix = dir.as_os_str().to_owned();
    prefix.push(".set-aside-");
    prefix
}

/// What was set aside before, oldest first.
fn earlier(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let prefix = prefix(dir);
    let parent = dir.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let number = path
            .as_os_str()
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes());
        let number = number.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found)
}
