use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rocksdb::{ColumnFamily, DB, IteratorMode, Options, ReadOptions, WriteBatch};
use state::{Image, ImageError, ImageWrite, Timer};

use crate::database::{self, Found};
use crate::earliest::Earliest;
use crate::error::{image_error, unavailable};
use crate::set_aside::set_aside;
use crate::shared::{TIMERS, VALUES};
use crate::{Identity, Opened, SetAsideReason, Shared};

/// The image of one facts partition's state: a RocksDB database.
///
/// Dropping it closes it and keeps it on disk, since the partition may come back. After [`ImageError::Corrupt`] drop it
/// and open it again: the damaged one is set aside then.
pub struct RocksImage {
    database: DB,
    dir: PathBuf,
    /// Encoded.
    identity: Vec<u8>,
    covers: u64,
    earliest: Earliest,
}

impl RocksImage {
    /// Opens the image of `identity` in `dir`, whose parent directories are made if they are missing.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`] if somebody has it open, or if the disk does not take or give bytes now. Never
    /// [`ImageError::Corrupt`]: what is damaged is set aside.
    pub fn open(shared: &Shared, dir: &Path, identity: &Identity) -> Result<(Self, Opened), ImageError> {
        let identity = identity.encode();
        let (database, covers, opened) = match database::open(shared, dir, &identity)? {
            Found::Fresh(database) => (database, 0, Opened::Fresh),
            Found::Kept(database, covers) => (database, covers, Opened::Kept),
            Found::Unusable(reason) => {
                let path = set_aside(dir)?;
                (
                    replacement(shared, dir, &identity)?,
                    0,
                    Opened::SetAside { reason, path },
                )
            }
        };
        let dir = dir.to_owned();
        let image = Self {
            database,
            dir,
            identity,
            covers,
            earliest: Earliest::default(),
        };
        Ok((image, opened))
    }

    /// Closes the image and deletes it: it is older than the changelog keeps, so that it can no longer be completed.
    ///
    /// # Errors
    /// As [`RocksImage::delete`].
    pub fn discard(self) -> Result<(), ImageError> {
        let Self { database, dir, .. } = self;
        drop(database);
        Self::delete(&dir)
    }

    /// Deletes the image in `dir`, if there is one: the partition is not expected back. What was set aside stays.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`] if somebody has it open, or if the disk fails.
    pub fn delete(dir: &Path) -> Result<(), ImageError> {
        if !dir.exists() {
            return Ok(());
        }
        // RocksDB takes the lock first, and so deletes no image that is open.
        DB::destroy(&Options::default(), dir).map_err(|error| ImageError::Unavailable(error.into_string()))?;
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable("delete the image", &error)),
            _ => Ok(()),
        }
    }

    fn family(&self, name: &str) -> &ColumnFamily {
        self.database
            .cf_handle(name)
            .expect("it was opened with this column family")
    }

    /// The error to return. Damage is remembered, so that the next opening sets the image aside.
    fn failed(&self, error: rocksdb::Error) -> ImageError {
        self.noted(image_error(error))
    }

    fn noted(&self, error: ImageError) -> ImageError {
        if let ImageError::Corrupt(what) = &error {
            database::remember_damage(&self.dir, what);
        }
        error
    }
}

/// A new database where one was set aside.
fn replacement(shared: &Shared, dir: &Path, identity: &[u8]) -> Result<DB, ImageError> {
    match database::open(shared, dir, identity)? {
        Found::Fresh(database) => Ok(database),
        Found::Kept(..) => Err(ImageError::Unavailable("somebody else made an image here".to_owned())),
        Found::Unusable(SetAsideReason::Damaged(what)) => Err(ImageError::Unavailable(format!(
            "a new image is damaged at once: {what}"
        ))),
        Found::Unusable(reason) => Err(ImageError::Unavailable(format!("a new image is not ours: {reason}"))),
    }
}

impl Image for RocksImage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        let found = self.database.get_cf(self.family(VALUES), key);
        found.map_err(|error| self.failed(error))
    }

    fn timers(&self, after: &Timer, before: &Timer, limit: usize) -> Result<Vec<Timer>, ImageError> {
        let (from, to) = (self.earliest.seek(after), before.encode());
        if from >= to || limit == 0 {
            return Ok(Vec::new());
        }
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_lower_bound(from);
        bounds.set_iterate_upper_bound(to);
        let found = self
            .database
            .iterator_cf_opt(self.family(TIMERS), bounds, IteratorMode::Start);
        let found: Vec<Timer> = found
            .take(limit)
            .map(|entry| {
                let (key, _) = entry.map_err(|error| self.failed(error))?;
                Timer::decode(&key).ok_or_else(|| self.noted(ImageError::Corrupt("a timer cannot be read".to_owned())))
            })
            .collect::<Result<_, _>>()?;
        self.earliest.searched(after, before, found.first());
        Ok(found)
    }

    fn write(&mut self, write: &ImageWrite<'_>) -> Result<(), ImageError> {
        let (values, timers) = (self.family(VALUES), self.family(TIMERS));
        let mut batch = WriteBatch::default();
        for (key, value) in &write.values {
            match value {
                Some(value) => batch.put_cf(values, key, value),
                None => batch.delete_cf(values, key),
            }
        }
        for timer in &write.disarm {
            batch.delete_cf(timers, timer.encode());
        }
        for timer in &write.arm {
            batch.put_cf(timers, timer.encode(), b"");
        }
        write.arm.iter().for_each(|timer| self.earliest.armed(timer));
        database::cover(&mut batch, self.covers, write.covers, &self.identity);
        self.database.write(batch).map_err(|error| self.failed(error))?;
        self.covers = write.covers;
        Ok(())
    }

    fn covers(&self) -> u64 {
        self.covers
    }
}
