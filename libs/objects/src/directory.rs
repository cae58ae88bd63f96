//! A directory as object store, for the demo and for archives that were carried away. It locks nothing: whoever may
//! write to the directory may change and delete what is in it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use archive::{Head, Listed, ObjectStore, Put, PutOutcome, StoreError};
use bytes::Bytes;

/// Where objects grow; a name of an object cannot begin with a dot.
const INCOMPLETE: &str = ".incomplete";

/// What a killed process left half written is removed at start-up when it is older than this: no write takes a day.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A directory whose files are the objects. Keeps no metadata beside them.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    attempts: AtomicU64,
}

impl Directory {
    /// Opens the store in `root`, which is created if there is none.
    ///
    /// # Errors
    /// If the directory cannot be created or written to.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self {
            root: root.into(),
            attempts: AtomicU64::new(0),
        };
        let incomplete = store.root.join(INCOMPLETE);
        fs::create_dir_all(&incomplete).map_err(|error| failure(&incomplete, &error))?;
        store
            .remove_leftovers(&incomplete)
            .map_err(|error| failure(&incomplete, &error))?;
        Ok(store)
    }

    fn remove_leftovers(&self, incomplete: &Path) -> io::Result<()> {
        for entry in fs::read_dir(incomplete)? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age > LEFTOVER_AGE {
                tracing::warn!(file = %entry.path().display(), "removing what a killed process left half written");
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._=".contains(&byte);
        let valid = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        if name.split('/').all(valid) {
            Ok(self.root.join(name))
        } else {
            Err(StoreError::Misconfigured(format!(
                "`{name}` cannot be the name of an object"
            )))
        }
    }

    /// A new file with these bytes, on the disk and not yet under its name. Several processes may share the directory.
    fn write_incomplete(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        loop {
            let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
            let path = self
                .root
                .join(INCOMPLETE)
                .join(format!("{}-{attempt}", std::process::id()));
            let mut file = match File::create_new(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let written = file.write_all(bytes).and_then(|()| file.sync_all());
            return match written {
                Ok(()) => Ok(path),
                Err(error) => fs::remove_file(&path).and(Err(error)),
            };
        }
    }

    /// Creates the directory of `path` down from the root, each on the disk before the next.
    fn create_parents(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) else {
            return Ok(());
        };
        self.create_parents(parent)?;
        match fs::create_dir(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => sync_entry(parent),
        }
    }

    /// A hard link fails if the name is taken, and gives the name to a file that is complete: one writer wins.
    fn create(&self, target: &Path, bytes: &[u8]) -> io::Result<PutOutcome> {
        self.create_parents(target)?;
        let incomplete = self.write_incomplete(bytes)?;
        let linked = fs::hard_link(&incomplete, target);
        fs::remove_file(&incomplete)?;
        let outcome = match linked {
            Ok(()) => PutOutcome::Created { version: None },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => PutOutcome::AlreadyExists,
            Err(error) => return Err(error),
        };
        // Also for what was there: its writer may have been killed between the link and this.
        sync_entry(target)?;
        Ok(outcome)
    }

    fn walk(&self, directory: &Path, prefix: &str, found: &mut Vec<Listed>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            let name = path
                .strip_prefix(&self.root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            if name.starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                let within = format!("{name}/");
                if within.starts_with(prefix) || prefix.starts_with(&within) {
                    self.walk(&path, prefix, found)?;
                }
            } else if name.starts_with(prefix) {
                found.push(Listed {
                    name,
                    size: entry.metadata()?.len(),
                });
            }
        }
        Ok(())
    }
}

/// Makes the entry of `path` in its directory durable.
fn sync_entry(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn failure(path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    let message = format!("{}: {error}", path.display());
    if matches!(
        error.kind(),
        PermissionDenied | ReadOnlyFilesystem | NotADirectory | Unsupported
    ) {
        StoreError::Misconfigured(message)
    } else {
        StoreError::Retry(message)
    }
}

/// `None` for what is not there.
fn if_found<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(path, &error)),
    }
}

impl ObjectStore for Directory {
    fn put_new(&self, put: Put) -> Result<PutOutcome, StoreError> {
        let path = self.path(&put.name)?;
        if put.retention.is_some() {
            return Err(StoreError::Misconfigured(format!(
                "{} cannot lock objects",
                self.place()
            )));
        }
        self.create(&path, &put.bytes).map_err(|error| failure(&path, &error))
    }

    fn head(&self, name: &str, _version: Option<&str>) -> Result<Option<Head>, StoreError> {
        let path = self.path(name)?;
        let found = if_found(&path, fs::metadata(&path))?;
        Ok(found.map(|file| Head {
            size: file.len(),
            retention: None,
            metadata: Default::default(),
        }))
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(name)?;
        Ok(if_found(&path, fs::read(&path))?.map(Bytes::from))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let mut found = Vec::new();
        self.walk(&self.root, prefix, &mut found)
            .map_err(|error| failure(&self.root, &error))?;
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    fn locks(&self) -> bool {
        false
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }
}
