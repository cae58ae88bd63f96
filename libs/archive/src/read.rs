use broker::{Offset, Record, TopicPartition};
use bytes::Bytes;

use crate::{Digest, Manifest, ObjectStore, ReadError, Summary, format_named, manifest_prefix, tier_of};

/// Reads back everything that is archived of a partition, in order, and checks it on the way: that segments follow
/// each other, and that each object has the size, digest and Merkle root that its manifest names.
///
/// # Errors
/// If the store cannot list. [`Segments`] gives the rest.
pub fn read_segments<'a, S: ObjectStore>(
    store: &'a S,
    partition: &TopicPartition,
) -> Result<Segments<'a, S>, ReadError> {
    let names = match tier_of(&partition.topic) {
        Some(tier) => store.list(&manifest_prefix(tier.name, partition))?,
        None => Vec::new(),
    };
    let names = names
        .into_iter()
        .map(|listed| listed.name)
        .collect::<Vec<_>>()
        .into_iter();
    Ok(Segments {
        store,
        partition: partition.clone(),
        names,
        expected: None,
    })
}

/// The segments of a partition, oldest first.
pub struct Segments<'a, S> {
    store: &'a S,
    partition: TopicPartition,
    names: std::vec::IntoIter<String>,
    /// Where the next segment must begin; `None` before the first.
    expected: Option<Offset>,
}

impl<S: ObjectStore> Iterator for Segments<'_, S> {
    type Item = Result<(Manifest, Vec<Record>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names.next()?;
        Some(self.read(&name))
    }
}

impl<S: ObjectStore> Segments<'_, S> {
    fn read(&mut self, name: &str) -> Result<(Manifest, Vec<Record>), ReadError> {
        let manifest = Manifest::decode(name, &self.get(name)?)?;
        if manifest.name() != name || manifest.place() != self.partition {
            return Err(ReadError::damaged(name, "it is the manifest of another segment"));
        }
        if let Some(expected) = self.expected.filter(|expected| *expected != manifest.first_offset) {
            let partition = self.partition.clone();
            return Err(ReadError::Gap {
                partition,
                expected,
                found: manifest.first_offset,
            });
        }
        self.expected = Some(manifest.last_offset.saturating_add(1));
        let records = check(&manifest, &self.get(&manifest.key)?)?;
        Ok((manifest, records))
    }

    fn get(&self, name: &str) -> Result<Bytes, ReadError> {
        self.store
            .get(name)?
            .ok_or_else(|| ReadError::Missing { name: name.to_owned() })
    }
}

/// The records of an object, if it is the one that the manifest describes.
fn check(manifest: &Manifest, bytes: &[u8]) -> Result<Vec<Record>, ReadError> {
    let damaged = |why: &str| ReadError::damaged(&manifest.key, why);
    if (bytes.len() as u64, Digest::of(bytes)) != (manifest.size, manifest.sha256) {
        return Err(damaged("its size or digest is not the one in the manifest"));
    }
    let format = format_named(&manifest.format).ok_or_else(|| damaged("its format is not known"))?;
    let mut summary = Summary::new(manifest.place(), manifest.first_offset);
    let mut records = Vec::new();
    for record in format.decoder(bytes) {
        let record = record.map_err(|why| damaged(&why))?;
        summary.add(&record).map_err(|error| damaged(&error.to_string()))?;
        records.push(record);
    }
    let named = manifest.count == summary.count()
        && manifest.last_offset.checked_add(1) == Some(summary.next_offset())
        && manifest.records_root == summary.root()
        && manifest.missing == summary.missing
        && records
            .first()
            .is_some_and(|first| manifest.data_name(first.timestamp) == manifest.key);
    if named {
        Ok(records)
    } else {
        Err(damaged("its records are not the ones in the manifest"))
    }
}
