use std::collections::BTreeMap;
use std::time::Duration;

use broker::{Offset, Record, TopicPartition};
use bytes::Bytes;
use event::Timestamp;

use crate::{
    ArchiveTier, Digest, Encoder, Format, Kind, Manifest, Policy, Put, RecordError, Summary, Writer, data_name,
};

/// When a segment is full, whatever comes first. Asked after each batch, so a segment may exceed them by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many bytes of the object, compressed.
    pub bytes_max: usize,
    /// So many records.
    pub records_max: u64,
    /// So much time between the appends of its records, and so long since we began it.
    pub age_max: Duration,
}

/// A segment that grows: the records of one partition from one offset on.
pub struct SegmentBuilder {
    tier: &'static ArchiveTier,
    format: &'static dyn Format,
    summary: Summary,
    encoder: Box<dyn Encoder>,
    first_append: Timestamp,
    began_at: Timestamp,
}

/// A segment that is complete.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The bytes of the object.
    pub bytes: Bytes,
    /// What it is; names the object.
    pub manifest: Manifest,
}

impl SegmentBuilder {
    /// An empty segment that begins at `first_offset`: the position up to which everything is archived already.
    pub fn new(
        tier: &'static ArchiveTier,
        format: &'static dyn Format,
        partition: TopicPartition,
        first_offset: Offset,
    ) -> Self {
        Self {
            tier,
            format,
            summary: Summary::new(partition, first_offset),
            encoder: format.encoder(),
            first_append: Timestamp::MIN,
            began_at: Timestamp::MIN,
        }
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// As [`Summary::add`]; the segment is as it was.
    pub fn add(&mut self, record: &Record, now: Timestamp) -> Result<(), RecordError> {
        self.summary.add(record)?;
        self.encoder.add(record);
        if self.summary.count() == 1 {
            self.first_append = record.timestamp;
            self.began_at = now;
        }
        Ok(())
    }

    /// Whether it is to be written. Never while it is empty.
    pub fn is_due(&self, limits: &Limits, now: Timestamp) -> bool {
        let Some(append) = self.summary.append else {
            return false;
        };
        self.bytes() >= limits.bytes_max
            || self.summary.count() >= limits.records_max
            || append.last.since(append.first) >= limits.age_max
            || now.since(self.began_at) >= limits.age_max
    }

    /// There is no record yet.
    pub fn is_empty(&self) -> bool {
        self.summary.count() == 0
    }

    /// The bytes it holds in memory, less what is still within the compressor.
    pub fn bytes(&self) -> usize {
        self.encoder.bytes()
    }

    /// What there is to say of its records.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Closes it. `None` if it is empty: a segment has at least one record.
    pub fn finish(self, policy: Policy, writer: &Writer) -> Option<Segment> {
        let bytes = Bytes::from(self.encoder.finish());
        let partition = &self.summary.partition;
        let name = data_name(
            self.tier.name,
            partition,
            self.summary.first_offset,
            self.first_append,
            self.format.name(),
        );
        let manifest = self
            .summary
            .manifest(self.tier, self.format, name, &bytes, policy, writer)?;
        Some(Segment { bytes, manifest })
    }
}

impl Summary {
    /// The manifest of the object `name` that holds `bytes`, which is these records in that format. `None` without
    /// records.
    pub fn manifest(
        &self,
        tier: &ArchiveTier,
        format: &dyn Format,
        name: String,
        bytes: &[u8],
        policy: Policy,
        writer: &Writer,
    ) -> Option<Manifest> {
        let append = self.append?;
        Some(Manifest {
            count: self.count(),
            first_offset: self.first_offset,
            format: format.name().to_owned(),
            heartbeats: self.heartbeats,
            key: name,
            kind: Kind::Segment,
            last_offset: self.next_offset() - 1,
            lock_mode: policy.lock,
            max_event_time: self.event.map(|span| span.last),
            max_ts: append.last,
            min_event_time: self.event.map(|span| span.first),
            min_ts: append.first,
            missing: self.missing.clone(),
            partition: self.partition.partition,
            records_root: self.root(),
            retain_until: policy.retain_until(append.last),
            sha256: Digest::of(bytes),
            size: bytes.len() as u64,
            tier: tier.name.to_owned(),
            topic: self.partition.topic.to_string(),
            v: Manifest::VERSION,
            writer: writer.clone(),
        })
    }
}

impl Segment {
    /// What creates its object. The metadata let an object be told whose manifest was never written.
    pub fn put(&self, format: &dyn Format, policy: Policy, now: Timestamp) -> Put {
        let Manifest {
            key,
            sha256,
            first_offset,
            last_offset,
            count,
            records_root,
            max_ts,
            ..
        } = &self.manifest;
        let metadata = BTreeMap::from([
            ("first", first_offset.to_string()),
            ("last", last_offset.to_string()),
            ("count", count.to_string()),
            ("root", records_root.to_string()),
        ]);
        Put {
            name: key.clone(),
            bytes: self.bytes.clone(),
            sha256: *sha256,
            content_type: format.content_type(),
            metadata,
            retention: policy.retention(*max_ts, now),
        }
    }
}
