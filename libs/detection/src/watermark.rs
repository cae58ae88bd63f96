use std::collections::BTreeMap;
use std::time::Duration;

use event::{SourcePartition, SourceTopic, Tick, Timestamp};

use crate::SourceSet;

/// How far an event's own time may be ahead of its arrival and still be believed.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a record may be on its way to a partition behind records that arrived later: what the running maximum of
/// arrival is lowered by to be a watermark.
const DISORDER: Duration = Duration::from_secs(10);

/// The time an event counts at: its own, but at most five minutes after its arrival. Older times stay as they are.
///
/// Nobody can move another key's window with a stray or forged future time.
pub fn effective_time(event_time: Timestamp, arrival: Timestamp) -> Timestamp {
    event_time.min(arrival.plus(SKEW_MAX))
}

/// How far match has read its source partitions.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    arrivals: BTreeMap<SourcePartition, Timestamp>,
}

impl Progress {
    /// A record of `partition` arrived at `arrival`: an event, a heartbeat, or something nobody could read.
    pub fn arrived(&mut self, partition: SourcePartition, arrival: Timestamp) {
        let latest = self.arrivals.entry(partition).or_insert(arrival);
        *latest = arrival.max(*latest);
    }

    /// The partition is somebody else's now.
    pub fn forget(&mut self, partition: SourcePartition) {
        self.arrivals.remove(&partition);
    }

    /// The watermark of each partition that has said something: nothing that arrived earlier is still to come.
    pub fn watermarks(&self) -> Vec<(SourcePartition, Timestamp)> {
        self.arrivals
            .iter()
            .map(|(partition, arrival)| (*partition, arrival.minus(DISORDER)))
            .collect()
    }
}

/// How many partitions each source topic has, from the topics' metadata: the sources that correlate waits for, whether
/// or not they have said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceCounts {
    /// Partitions of `events.security`.
    pub security: u32,
    /// Partitions of `events.audit`.
    pub audit: u32,
    /// Partitions of `events.access`.
    pub access: u32,
}

impl SourceCounts {
    fn partitions(self) -> impl Iterator<Item = SourcePartition> {
        let counts = [
            (SourceTopic::Security, self.security),
            (SourceTopic::Audit, self.audit),
            (SourceTopic::Access, self.access),
        ];
        let of_topic = |(topic, count)| (0..count).map(move |partition| SourcePartition { topic, partition });
        counts.into_iter().flat_map(of_topic)
    }
}

/// The watermarks of the declared sources, as one facts partition knows them. It is state: it is in the changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watermarks {
    known: BTreeMap<SourcePartition, Timestamp>,
}

impl Watermarks {
    /// What was known, for the sources declared now.
    pub(crate) fn new(sources: SourceCounts, known: &[(SourcePartition, Timestamp)]) -> Self {
        let mut watermarks = Self {
            known: sources
                .partitions()
                .map(|partition| (partition, Timestamp::MIN))
                .collect(),
        };
        watermarks.advance(known);
        watermarks
    }

    /// Takes over a tick. A watermark never retreats.
    pub(crate) fn tick(&mut self, tick: &Tick) -> bool {
        self.advance(&tick.watermarks)
    }

    fn advance(&mut self, news: &[(SourcePartition, Timestamp)]) -> bool {
        let mut moved = false;
        for (partition, watermark) in news {
            if let Some(known) = self.known.get_mut(partition).filter(|known| **known < *watermark) {
                *known = *watermark;
                moved = true;
            }
        }
        moved
    }

    /// The watermark of a rule: the slowest partition of the topics it reads.
    pub(crate) fn of(&self, sources: SourceSet) -> Timestamp {
        let read = self
            .known
            .iter()
            .filter(|(partition, _)| sources.contains(partition.topic));
        read.map(|(_, watermark)| *watermark).min().unwrap_or(Timestamp::MIN)
    }

    pub(crate) fn as_list(&self) -> Vec<(SourcePartition, Timestamp)> {
        self.known
            .iter()
            .map(|(partition, watermark)| (*partition, *watermark))
            .collect()
    }
}
