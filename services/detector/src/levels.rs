use std::collections::BTreeMap;
use std::time::Duration;

use event::{SemanticHash, SourcePartition, SourceTopic, Tick, Timestamp};

use crate::pulse::Pulse;

/// How far the facts partitions of a worker are done with the facts that are derived in them, level by level.
///
/// It is what the tasks know, which is state: after an abort and in a new owner's hands it begins with what is committed,
/// so nothing is announced that could be taken back.
pub(crate) struct Levels {
    done: BTreeMap<u32, Vec<(u8, Timestamp)>>,
    pulse: Pulse,
}

impl Levels {
    pub(crate) fn new(tick_interval: Duration) -> Self {
        Self {
            done: BTreeMap::new(),
            pulse: Pulse::new(tick_interval),
        }
    }

    /// A partition of ours is done with each level up to there.
    pub(crate) fn update(&mut self, partition: u32, done: Vec<(u8, Timestamp)>) {
        let is_known = |(_, watermark): &(u8, Timestamp)| *watermark > Timestamp::MIN;
        let done: Vec<_> = done.into_iter().filter(is_known).collect();
        if self.done.get(&partition) != Some(&done) && !done.is_empty() {
            self.pulse.news();
            self.done.insert(partition, done);
        }
    }

    /// The partition is somebody else's now.
    pub(crate) fn forget(&mut self, partition: u32) {
        self.done.remove(&partition);
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.pulse.is_due(now)
    }

    /// A tick for each level, if it is time.
    pub(crate) fn ticks(&mut self, now: Duration, rule_set: SemanticHash) -> Vec<Tick> {
        if !self.is_due(now) {
            return Vec::new();
        }
        self.pulse.told(now);
        let mut levels: BTreeMap<u8, Vec<(SourcePartition, Timestamp)>> = BTreeMap::new();
        for (partition, done) in &self.done {
            let source = SourcePartition {
                topic: SourceTopic::Facts,
                partition: *partition,
            };
            for (level, watermark) in done {
                levels.entry(*level).or_default().push((source, *watermark));
            }
        }
        let tick = |(level, watermarks)| Tick {
            level,
            rule_set,
            watermarks,
        };
        levels.into_iter().map(tick).collect()
    }
}
