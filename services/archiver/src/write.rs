//! One segment into the store, and what to make of an object that is there already.

use archive::{
    FORMATS, Format, Manifest, ObjectStore, Policy, PutOutcome, Retention, Segment, SegmentBuilder, Summary,
};
use broker::{Offset, Session, TopicPartition};
use bytes::Bytes;

use crate::error::Setback;
use crate::{Archiver, Task};

impl<S: Session, O: ObjectStore> Archiver<S, O> {
    /// Puts the object, then the manifest, each with its lock read back. The manifest that is in the store then, which
    /// may be somebody else's of the same records. `None` if there is nothing to write.
    pub(crate) fn write(
        &mut self,
        partition: &TopicPartition,
        builder: SegmentBuilder,
    ) -> Result<Option<Manifest>, Setback> {
        let Some(task) = self.tasks.get(partition) else {
            return Ok(None);
        };
        let policy = task.policy;
        let Some(segment) = builder.finish(policy, &self.settings.writer) else {
            return Ok(None);
        };
        let begun = (self.now)();
        let put = segment.put(FORMATS[0], policy, begun);
        let (asked, size) = (put.retention, segment.manifest.size);
        let manifest = match self.store.put_new(put)? {
            PutOutcome::Created { version } => {
                self.check_kept(&segment.manifest.key, version.as_deref(), size, asked)?;
                self.instruments.put("created");
                segment.manifest
            }
            PutOutcome::AlreadyExists => self.adopt(partition, &segment)?,
        };
        let manifest = self.write_manifest(manifest, policy)?;
        self.instruments.took((self.now)().since(begun));
        Ok(Some(manifest))
    }

    fn write_manifest(&self, manifest: Manifest, policy: Policy) -> Result<Manifest, Setback> {
        let put = manifest.put(policy, (self.now)());
        let (name, size, asked) = (put.name.clone(), put.bytes.len() as u64, put.retention);
        match self.store.put_new(put)? {
            PutOutcome::Created { version } => {
                self.check_kept(&name, version.as_deref(), size, asked)?;
                Ok(manifest)
            }
            PutOutcome::AlreadyExists => {
                let bytes = self.existing(&name)?;
                let found = Manifest::decode(&name, &bytes).map_err(|error| Setback::Conflict(error.to_string()))?;
                if !found.describes_the_same(&manifest) {
                    return Err(Setback::Conflict(format!(
                        "{name} describes other records than the log has"
                    )));
                }
                self.check_kept(&name, None, bytes.len() as u64, lasting(policy, &found))?;
                Ok(found)
            }
        }
    }

    /// Whether the object is there, whole, and locked as asked.
    fn check_kept(
        &self,
        name: &str,
        version: Option<&str>,
        size: u64,
        asked: Option<Retention>,
    ) -> Result<(), Setback> {
        let Some(head) = self.store.head(name, version)? else {
            return Err(Setback::Unlocked(format!("{name} was written and is gone")));
        };
        if head.size != size {
            return Err(Setback::Conflict(format!("{name} has {} bytes, not {size}", head.size)));
        }
        match asked {
            Some(asked) if !asked.is_met_by(head.retention) => Err(Setback::Unlocked(format!(
                "{name} was to be locked {} until {}, and carries {:?}",
                asked.mode.as_str(),
                asked.until,
                head.retention
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes somebody else's object our own, if it holds exactly the records that the log has for its stretch: an
    /// earlier owner wrote it and did not come to commit, or our own reply was lost.
    fn adopt(&mut self, partition: &TopicPartition, ours: &Segment) -> Result<Manifest, Setback> {
        let Manifest { key, first_offset, .. } = &ours.manifest;
        let bytes = self.existing(key)?;
        let format = FORMATS[0];
        let found = summarise(partition, *first_offset, format, &bytes)
            .map_err(|why| Setback::Conflict(format!("{key} cannot be read: {why}")))?;
        let logged = self.summarise_log(partition, *first_offset, found.next_offset())?;
        if found.count() == 0 || !found.is_same_as(&logged) {
            return Err(Setback::Conflict(format!("{key} holds other records than the log has")));
        }
        let Some(Task { tier, policy, .. }) = self.tasks.get(partition) else {
            return Err(Setback::Later("the partition is not ours any more".to_owned()));
        };
        let manifest = logged
            .manifest(tier, format, key.clone(), &bytes, *policy, &self.settings.writer)
            .ok_or_else(|| Setback::Conflict(format!("{key} holds no record")))?;
        self.check_kept(key, None, manifest.size, lasting(*policy, &manifest))?;
        self.instruments.put("adopted");
        tracing::info!(%partition, object = key, records = manifest.count, "adopted what was there already");
        Ok(manifest)
    }

    fn existing(&self, name: &str) -> Result<Bytes, Setback> {
        let gone = || Setback::Later(format!("{name} was there and is not found"));
        self.store.get(name)?.ok_or_else(gone)
    }

    /// What the log has between two offsets, read again.
    fn summarise_log(&mut self, partition: &TopicPartition, from: Offset, to: Offset) -> Result<Summary, Setback> {
        let mut summary = Summary::new(partition.clone(), from);
        let mut next = from;
        while next < to {
            let chunk = self.session.read(partition, next)?;
            for record in chunk.records.iter().filter(|record| record.offset < to) {
                summary
                    .add(record)
                    .map_err(|error| Setback::Conflict(error.to_string()))?;
            }
            next = chunk.next;
            if chunk.at_end {
                break;
            }
        }
        Ok(summary)
    }
}

/// What an object that was written earlier must still carry.
fn lasting(policy: Policy, manifest: &Manifest) -> Option<Retention> {
    policy.lock.map(|mode| Retention {
        mode,
        until: policy.retain_until(manifest.max_ts),
    })
}

fn summarise(
    partition: &TopicPartition,
    first_offset: Offset,
    format: &dyn Format,
    bytes: &[u8],
) -> Result<Summary, String> {
    let mut summary = Summary::new(partition.clone(), first_offset);
    for record in format.decoder(bytes) {
        summary.add(&record?).map_err(|error| error.to_string())?;
    }
    Ok(summary)
}
