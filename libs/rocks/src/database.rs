//! Opening a directory: is there an image in it, whole and ours?

use std::fs;
use std::path::Path;

use rocksdb::{DB, IteratorMode, WriteBatch};
use state::ImageError;

use crate::error::image_error;
use crate::identity::schema_version;
use crate::shared::{TIMERS, VALUES};
use crate::{SetAsideReason, Shared};

/// The meta key that stands in an image from its first moment on, with the identity.
const BORN: &[u8] = b"born";
/// The first byte of the meta key that says what is covered: this, then the offset as big endian u64.
const COVERS: u8 = 0;
/// The file in an image's directory that says that damage was met while it was in use, and what.
const DAMAGED: &str = "DAMAGED";

/// What lies in a directory. The database is open in every case but [`Found::Unusable`].
pub(crate) enum Found {
    /// A new image.
    Fresh(DB),
    /// An image of this identity, and the offset it covers.
    Kept(DB, u64),
    /// An image that must be set aside; it is closed.
    Unusable(SetAsideReason),
}

/// Opens the database in `dir`, made if there is none.
pub(crate) fn open(shared: &Shared, dir: &Path, identity: &[u8]) -> Result<Found, ImageError> {
    let opened = DB::open_cf_descriptors(&shared.database_options(), dir, shared.column_families());
    let database = match opened.map_err(image_error) {
        Ok(database) => database,
        Err(ImageError::Corrupt(what)) => return Ok(damaged(&what)),
        Err(error @ ImageError::Unavailable(_)) => return Err(error),
    };
    // Only now is the lock held, so that nobody else can be using what is set aside.
    if let Ok(what) = fs::read_to_string(dir.join(DAMAGED)) {
        return Ok(damaged(&what));
    }
    match inspect(&database, identity) {
        Ok(Content::Nothing) => {
            let mut birth = WriteBatch::default();
            birth.put(BORN, identity);
            birth.put(covers_key(0), identity);
            database.write(birth).map_err(image_error)?;
            Ok(Found::Fresh(database))
        }
        Ok(Content::Covers(covers)) => Ok(Found::Kept(database, covers)),
        Ok(Content::Unusable(reason)) => Ok(Found::Unusable(reason)),
        Err(ImageError::Corrupt(what)) => Ok(damaged(&what)),
        Err(error @ ImageError::Unavailable(_)) => Err(error),
    }
}

/// Moves the covered offset within a batch of values and timers.
///
/// Each write removes the offset of the one before it and adds its own, and birth adds the first, so the offsets are a
/// chain: if RocksDB brings back a write but not the one before it (a lost log file, a manifest that lost its end),
/// then two offsets stand there, or the image was never born. RocksDB itself finds neither.
pub(crate) fn cover(batch: &mut WriteBatch, before: u64, covers: u64, identity: &[u8]) {
    batch.delete(covers_key(before));
    batch.put(covers_key(covers), identity);
}

/// Remembers damage over a restart: RocksDB opens a database without looking at every block.
pub(crate) fn remember_damage(dir: &Path, what: &str) {
    if let Err(error) = fs::write(dir.join(DAMAGED), what) {
        tracing::warn!(dir = %dir.display(), %error, "cannot mark a damaged state image; it is met again after a restart");
    }
}

enum Content {
    Nothing,
    Covers(u64),
    Unusable(SetAsideReason),
}

fn inspect(database: &DB, identity: &[u8]) -> Result<Content, ImageError> {
    let mut born = None;
    let mut covered = Vec::new();
    for entry in database.iterator(IteratorMode::Start) {
        let (key, value) = entry.map_err(image_error)?;
        match key.split_first() {
            Some((&COVERS, offset)) => covered.push((offset.try_into().map(u64::from_be_bytes), value)),
            _ if *key == *BORN => born = Some(value),
            _ => return Err(ImageError::Corrupt("unknown meta key".to_owned())),
        }
    }
    let Some(born) = born else {
        let empty = covered.is_empty() && is_empty(database, VALUES)? && is_empty(database, TIMERS)?;
        return if empty {
            Ok(Content::Nothing)
        } else {
            Err(ImageError::Corrupt("its first write is missing".to_owned()))
        };
    };
    if let Some(reason) = mismatch(&born, identity) {
        return Ok(Content::Unusable(reason));
    }
    match covered.as_slice() {
        [(Ok(covers), by)] if **by == *identity => Ok(Content::Covers(*covers)),
        _ => Err(ImageError::Corrupt("writes are missing in the middle".to_owned())),
    }
}

fn mismatch(found: &[u8], identity: &[u8]) -> Option<SetAsideReason> {
    if found == identity {
        return None;
    }
    Some(match schema_version(found) {
        None => SetAsideReason::Damaged("its identity cannot be read".to_owned()),
        schema if schema == schema_version(identity) => SetAsideReason::OtherIdentity,
        Some(found) => SetAsideReason::OtherSchema { found },
    })
}

fn is_empty(database: &DB, name: &str) -> Result<bool, ImageError> {
    let family = database.cf_handle(name).expect("it was opened with this column family");
    let first = database.iterator_cf(family, IteratorMode::Start).next();
    Ok(first.transpose().map_err(image_error)?.is_none())
}

fn covers_key(covers: u64) -> [u8; 9] {
    let mut key = [COVERS; 9];
    key[1..].copy_from_slice(&covers.to_be_bytes());
    key
}

fn damaged(what: &str) -> Found {
    Found::Unusable(SetAsideReason::Damaged(what.to_owned()))
}
