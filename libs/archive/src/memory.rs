//! An object store in memory, for tests and the simulator. Clones are the same store. It remembers the locks it was
//! asked for, and since the port cannot delete, it keeps them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::{Head, Listed, ObjectStore, Put, PutOutcome, StoreError};

/// An object store in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Put>>>,
    flaw: Option<Flaw>,
}

/// What a store does wrong that must be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It takes a second put of a name.
    Overwrites,
    /// It takes a lock and forgets it.
    DropsLocks,
}

impl MemoryStore {
    /// The same objects, seen through a store that does something wrong.
    #[must_use]
    pub fn with_flaw(&self, flaw: Flaw) -> Self {
        Self {
            flaw: Some(flaw),
            ..self.clone()
        }
    }

    /// Replaces the bytes of an object, or removes it, as somebody with access to the disk could.
    pub fn tamper(&self, name: &str, bytes: Option<Bytes>) {
        let mut objects = self.objects();
        match (bytes, objects.get_mut(name)) {
            (Some(bytes), Some(object)) => object.bytes = bytes,
            (None, Some(_)) => drop(objects.remove(name)),
            (_, None) => {}
        }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Put>> {
        // Every change under the lock is complete, so a panic elsewhere leaves the map as it was.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectStore for MemoryStore {
    fn put_new(&self, mut put: Put) -> Result<PutOutcome, StoreError> {
        let mut objects = self.objects();
        if objects.contains_key(&put.name) && self.flaw != Some(Flaw::Overwrites) {
            return Ok(PutOutcome::AlreadyExists);
        }
        if self.flaw == Some(Flaw::DropsLocks) {
            put.retention = None;
        }
        objects.insert(put.name.clone(), put);
        Ok(PutOutcome::Created { version: None })
    }

    fn head(&self, name: &str, _version: Option<&str>) -> Result<Option<Head>, StoreError> {
        Ok(self.objects().get(name).map(|object| Head {
            size: object.bytes.len() as u64,
            retention: object.retention,
            metadata: object
                .metadata
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }))
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.objects().get(name).map(|object| object.bytes.clone()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let objects = self.objects();
        let found = objects.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(found
            .map(|(name, object)| Listed {
                name: name.clone(),
                size: object.bytes.len() as u64,
            })
            .collect())
    }

    fn locks(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}
