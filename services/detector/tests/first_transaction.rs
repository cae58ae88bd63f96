//! A changelog without state: a first transaction that was aborted leaves offsets in it, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use broker::{Assignment, Chunk, Error, Offset, Reader, Record, Stage as _, TopicPartition};
use detection::SourceCounts;
use detector::{CorrelateSettings, CorrelateStage, Images, Metrics};
use event::{StateChange, Timestamp, topic};
use ruleset::RuleSet;
use state::{Image, ImageError, ImageWrite, Timer};

/// How many offsets of the changelog the aborted transaction took, its end included.
const ABORTED: Offset = 3;

/// What a broker tells of `facts` and the changelog after an aborted transaction, and perhaps a committed one behind it.
struct AfterAbort {
    committed: Vec<Record>,
}

impl Reader for AfterAbort {
    fn partition_count(&mut self, _: &str) -> Result<u32, Error> {
        Ok(1)
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        let is_changelog = &*partition.topic == topic::CHANGELOG;
        Ok((
            0,
            if is_changelog {
                ABORTED + self.committed.len() as u64
            } else {
                7
            },
        ))
    }

    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error> {
        let next = self.bounds(partition)?.1;
        let records = self
            .committed
            .iter()
            .filter(|record| record.offset >= from)
            .cloned()
            .collect();
        Ok(Chunk {
            records,
            next,
            at_end: true,
        })
    }
}

/// A disk with one image, which remembers how far it is complete and nothing else.
#[derive(Clone, Default)]
struct Disk(Rc<Cell<Offset>>);

impl Images for Disk {
    type Image = Self;

    fn open(&mut self, _: u32) -> Result<Self, ImageError> {
        Ok(self.clone())
    }

    fn discard(&mut self, _: u32, image: Self) -> Result<Self, ImageError> {
        self.0.set(0);
        Ok(image)
    }
}

impl Image for Disk {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(None)
    }

    fn timers(&self, _: &Timer, _: &Timer, _: usize) -> Result<Vec<Timer>, ImageError> {
        Ok(Vec::new())
    }

    fn write(&mut self, write: &ImageWrite<'_>) -> Result<(), ImageError> {
        self.0.set(write.covers);
        Ok(())
    }

    fn covers(&self) -> u64 {
        self.0.get()
    }
}

fn stage(disk: &Disk) -> CorrelateStage<Disk> {
    let settings = CorrelateSettings {
        sources: SourceCounts {
            security: 1,
            audit: 1,
            access: 1,
            facts: 1,
        },
        alerts_partitions: 1,
        tick_interval: Duration::MAX,
        flush_interval: Duration::ZERO,
        memory_bytes_max: usize::MAX,
    };
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let now: broker::Stopwatch = Arc::new(|| Duration::ZERO);
    CorrelateStage::new(RuleSet::default(), settings, disk.clone(), now, metrics)
}

fn without_a_position() -> Assignment {
    Assignment {
        partition: TopicPartition::new(topic::FACTS, 0),
        committed: None,
    }
}

#[test]
fn an_aborted_first_transaction_is_no_state_and_the_group_begins_at_the_beginning() {
    let (disk, mut reader) = (Disk::default(), AfterAbort { committed: Vec::new() });
    let mut stage = stage(&disk);
    let mut task = stage.open(&without_a_position(), &mut reader).unwrap();
    assert_eq!(stage.restore(&mut task, &mut reader).unwrap(), Some(0));
}

#[test]
fn handing_over_before_the_first_commit_leaves_no_image_that_looks_like_state() {
    let (disk, mut reader) = (Disk::default(), AfterAbort { committed: Vec::new() });
    let mut stage = stage(&disk);
    let mut task = stage.open(&without_a_position(), &mut reader).unwrap();
    stage.restore(&mut task, &mut reader).unwrap();
    stage.close(&without_a_position().partition, task);
    let mut task = stage.open(&without_a_position(), &mut reader).unwrap();
    assert_eq!(stage.restore(&mut task, &mut reader).unwrap(), Some(0));
}

#[test]
fn what_was_committed_behind_it_is_kept_in_the_image_and_is_state_without_a_position() {
    let change = StateChange {
        key: [0].into(),
        value: None,
    };
    let record = Record {
        offset: ABORTED,
        timestamp: Timestamp::from_millis(0),
        key: Some(change.key.to_vec().into()),
        value: change.encode_value().map(Into::into),
        headers: Vec::new(),
    };
    let (disk, mut reader) = (
        Disk::default(),
        AfterAbort {
            committed: vec![record],
        },
    );
    let mut stage = stage(&disk);
    // Once of the changelog, once of the image that the first attempt leaves.
    for covers in [0, ABORTED + 1] {
        assert_eq!(disk.covers(), covers);
        let mut task = stage.open(&without_a_position(), &mut reader).unwrap();
        let refused = stage.restore(&mut task, &mut reader).unwrap_err();
        assert!(
            matches!(&refused, Error::Misconfigured(why) if why.contains("facts/0 has state, but the group has no position in it")),
            "{refused}"
        );
        stage.close(&without_a_position().partition, task);
    }
}
