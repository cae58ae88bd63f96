use std::collections::{BTreeMap, BTreeSet};
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
    /// Partitions of `facts`: each of them is a source of the facts that correlate derives.
    pub facts: u32,
}

impl SourceCounts {
    /// The partitions that are waited for: of the topics of events, and of `facts` once for each level.
    fn places(self, levels: &BTreeSet<u8>) -> impl Iterator<Item = Place> {
        let events = [
            (SourceTopic::Security, self.security),
            (SourceTopic::Audit, self.audit),
            (SourceTopic::Access, self.access),
        ];
        let events = events.into_iter().map(|(topic, count)| (0, topic, count));
        let derived = levels.iter().map(move |level| (*level, SourceTopic::Facts, self.facts));
        let of_topic = |(level, topic, count)| {
            (0..count).map(move |partition| Place {
                level,
                partition: SourcePartition { topic, partition },
            })
        };
        events.chain(derived).flat_map(of_topic)
    }
}

/// A source of facts of one level: match's of level 0 are partitions of events, correlate's are partitions of `facts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    level: u8,
    partition: SourcePartition,
}

impl Place {
    fn set(self) -> SourceSet {
        match self.level {
            0 => SourceSet::topic(self.partition.topic),
            level => SourceSet::level(level),
        }
    }
}

/// The watermarks of the declared sources, as one facts partition knows them. It is state: it is in the changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watermarks {
    known: BTreeMap<Place, Timestamp>,
}

/// The stored form of what is known of level 0; what is known of other levels follows it, if there is any.
type OfEvents = Vec<(SourcePartition, Timestamp)>;
/// Level, partition of `facts`, watermark.
type OfLevels = Vec<(u8, u32, Timestamp)>;

impl Watermarks {
    /// Nothing is known yet of the sources declared now.
    pub(crate) fn new(sources: SourceCounts, levels: &BTreeSet<u8>) -> Self {
        Self {
            known: sources.places(levels).map(|place| (place, Timestamp::MIN)).collect(),
        }
    }

    /// Takes over what was stored, as far as it is of sources that are declared.
    pub(crate) fn restore(&mut self, stored: &[u8]) -> Result<(), postcard::Error> {
        let (of_events, rest): (OfEvents, _) = postcard::take_from_bytes(stored)?;
        for (partition, watermark) in of_events {
            self.advance(Place { level: 0, partition }, watermark);
        }
        let of_levels: OfLevels = if rest.is_empty() {
            Vec::new()
        } else {
            postcard::from_bytes(rest)?
        };
        for (level, partition, watermark) in of_levels {
            let partition = SourcePartition {
                topic: SourceTopic::Facts,
                partition,
            };
            self.advance(Place { level, partition }, watermark);
        }
        Ok(())
    }

    /// The form in which it is stored.
    pub(crate) fn store(&self) -> Vec<u8> {
        let (mut of_events, mut of_levels) = (OfEvents::new(), OfLevels::new());
        for (place, watermark) in &self.known {
            match place.level {
                0 => of_events.push((place.partition, *watermark)),
                level => of_levels.push((level, place.partition.partition, *watermark)),
            }
        }
        let bytes = postcard::to_stdvec(&of_events).expect("every length is known");
        if of_levels.is_empty() {
            return bytes;
        }
        postcard::to_extend(&of_levels, bytes).expect("every length is known")
    }

    /// Takes over a tick, and says whether it brought news. A watermark never retreats.
    pub(crate) fn tick(&mut self, tick: &Tick) -> bool {
        let level = tick.level;
        let mut moved = false;
        for (partition, watermark) in &tick.watermarks {
            let partition = *partition;
            moved |= self.advance(Place { level, partition }, *watermark);
        }
        moved
    }

    fn advance(&mut self, place: Place, watermark: Timestamp) -> bool {
        let known = self.known.get_mut(&place).filter(|known| **known < watermark);
        let moved = known.is_some();
        known.into_iter().for_each(|known| *known = watermark);
        moved
    }

    /// The watermark of a rule: the slowest partition of what it reads. Where nothing of that is declared any more, what
    /// it left behind waits for the events.
    pub(crate) fn of(&self, sources: SourceSet) -> Timestamp {
        let slowest = |sources: SourceSet| {
            let read = self.known.iter().filter(|(place, _)| sources.includes(place.set()));
            read.map(|(_, watermark)| *watermark).min()
        };
        let known = slowest(sources).or_else(|| slowest(SourceSet::EVENTS));
        known.unwrap_or(Timestamp::MIN)
    }
}
