use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use event::{StateChange, Timestamp};

use crate::{Clock, Image, ImageError, ImageWrite, Timer, Value};

type Bytes = Box<[u8]>;

/// The state of one facts partition: overlay over memory map over image.
pub struct StateStore<I> {
    /// Written by the transaction in progress.
    overlay: BTreeMap<Bytes, Option<Bytes>>,
    /// Committed, and newer than the image or still held.
    committed: BTreeMap<Bytes, Entry>,
    /// The timers of overlay and memory map. The image has its own; a timer that no longer fits its key is stale.
    timers: BTreeSet<Timer>,
    image: I,
    /// The changelog offset up to which overlay's predecessors are folded into `committed`.
    covers: u64,
    bytes: usize,
    dirty: usize,
}

struct Entry {
    value: Option<Bytes>,
    /// Not yet in the image.
    dirty: bool,
}

/// How much a store holds in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Keys in the memory map, removed ones included until the image knows.
    pub keys: usize,
    /// Bytes of keys and values in the memory map.
    pub bytes: usize,
    /// Keys that the image does not have yet.
    pub dirty: usize,
}

impl<I: Image> StateStore<I> {
    /// The state that `image` holds. What the changelog has from [`StateStore::covers`] on is missing until
    /// [`StateStore::restore`] brings it.
    pub fn open(image: I) -> Self {
        let covers = image.covers();
        Self {
            overlay: BTreeMap::new(),
            committed: BTreeMap::new(),
            timers: BTreeSet::new(),
            image,
            covers,
            bytes: 0,
            dirty: 0,
        }
    }

    /// The changelog offset up to which the committed state is complete.
    pub fn covers(&self) -> u64 {
        self.covers
    }

    /// The bytes a key has now, uncommitted writes included.
    ///
    /// # Errors
    /// If the image fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, ImageError> {
        if let Some(value) = self.overlay.get(key) {
            return Ok(value.as_deref().map(Cow::Borrowed));
        }
        if let Some(entry) = self.committed.get(key) {
            return Ok(entry.value.as_deref().map(Cow::Borrowed));
        }
        Ok(self.image.get(key)?.map(Cow::Owned))
    }

    /// Writes within the transaction in progress. The only writer, live and on restore.
    ///
    /// # Errors
    /// If the image fails.
    pub fn apply(&mut self, change: StateChange) -> Result<(), ImageError> {
        let old = self.get(&change.key)?.and_then(|value| timer(&change.key, &value));
        let new = change.value.as_deref().and_then(|value| timer(&change.key, value));
        if let Some(old) = old {
            self.timers.remove(&old);
        }
        self.timers.extend(new);
        self.overlay.insert(change.key, change.value);
        Ok(())
    }

    /// The transaction in progress was committed, and the changelog holds it up to `covers`.
    pub fn commit(&mut self, covers: u64) {
        for (key, value) in std::mem::take(&mut self.overlay) {
            self.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
            self.dirty += 1;
            let key_bytes = key.len();
            if let Some(old) = self.committed.insert(key, Entry { value, dirty: true }) {
                self.bytes -= key_bytes + old.value.map_or(0, |value| value.len());
                self.dirty -= usize::from(old.dirty);
            }
        }
        self.covers = self.covers.max(covers);
    }

    /// Takes over one record of the changelog, which lies before `covers`.
    ///
    /// # Errors
    /// If the image fails.
    pub fn restore(&mut self, change: StateChange, covers: u64) -> Result<(), ImageError> {
        self.apply(change)?;
        self.commit(covers);
        Ok(())
    }

    /// At most `limit` keys of `clock` that are due at `watermark`, earliest first, uncommitted writes included.
    ///
    /// # Errors
    /// If the image fails.
    pub fn due(&self, clock: Clock, watermark: Timestamp, limit: usize) -> Result<Vec<Bytes>, ImageError> {
        let mut from = Timer {
            clock,
            wake_after: Timestamp::MIN,
            key: Bytes::default(),
        };
        let to = Timer {
            clock,
            wake_after: watermark,
            key: Bytes::default(),
        };
        let mut due: BTreeSet<Timer> = self.timers.range(&from..&to).take(limit).cloned().collect();
        // The image is older than memory: a timer it has counts only if the key still has it. Those that count do not
        // depend on when the image was written, so they are sought until there are enough or no more.
        let mut found = 0;
        while found < limit {
            let armed = self.image.timers(&from, &to, limit)?;
            let Some(last) = armed.last() else { break };
            from = last.clone();
            for armed in armed {
                let value = self.get(&armed.key)?;
                if value.and_then(|value| timer(&armed.key, &value)).as_ref() == Some(&armed) {
                    found += 1;
                    due.insert(armed);
                }
            }
        }
        Ok(due.into_iter().take(limit).map(|timer| timer.key).collect())
    }

    /// Writes what is committed and not yet there to the image.
    ///
    /// # Errors
    /// If the image fails; then nothing was written.
    pub fn flush(&mut self) -> Result<(), ImageError> {
        let mut write = ImageWrite {
            covers: self.covers,
            ..ImageWrite::default()
        };
        for (key, entry) in self.committed.iter().filter(|(_, entry)| entry.dirty) {
            let old = self.image.get(key)?.and_then(|value| timer(key, &value));
            let new = entry.value.as_deref().and_then(|value| timer(key, value));
            if old != new {
                write.disarm.extend(old);
                write.arm.extend(new);
            }
            write.values.push((key, entry.value.as_deref()));
        }
        if write.covers != self.image.covers() {
            self.image.write(&write)?;
        }
        self.committed.values_mut().for_each(|entry| entry.dirty = false);
        self.dirty = 0;
        Ok(())
    }

    /// Forgets entries that the image has, until the memory map holds at most `bytes_max` bytes or only dirty ones.
    pub fn evict(&mut self, bytes_max: usize) {
        if !self.image.keeps() || self.bytes <= bytes_max {
            return;
        }
        let mut excess = self.bytes - bytes_max;
        let (overlay, timers) = (&self.overlay, &mut self.timers);
        self.committed.retain(|key, entry| {
            if excess == 0 || entry.dirty || overlay.contains_key(key) {
                return true;
            }
            let held = key.len() + entry.value.as_ref().map_or(0, |value| value.len());
            excess = excess.saturating_sub(held);
            self.bytes -= held;
            if let Some(timer) = entry.value.as_deref().and_then(|value| timer(key, value)) {
                timers.remove(&timer);
            }
            false
        });
    }

    /// How much is held in memory.
    pub fn size(&self) -> StoreSize {
        StoreSize {
            keys: self.committed.len(),
            bytes: self.bytes,
            dirty: self.dirty,
        }
    }

    /// Every key and value held in memory, committed and uncommitted, in the order of keys. With [`crate::NoImage`]
    /// that is the whole state.
    pub fn in_memory(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let merged: BTreeMap<&[u8], Option<&[u8]>> = self
            .committed
            .iter()
            .map(|(key, entry)| (&**key, entry.value.as_deref()))
            .chain(self.overlay.iter().map(|(key, value)| (&**key, value.as_deref())))
            .collect();
        merged.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

/// The timer that a key with this value has.
fn timer(key: &[u8], value: &[u8]) -> Option<Timer> {
    let value = Value::decode(value).filter(Value::waits)?;
    Some(Timer {
        clock: value.clock,
        wake_after: value.wake_after,
        key: key.into(),
    })
}

#[cfg(test)]
mod tests;
