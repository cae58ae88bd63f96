use std::time::Duration;

use event::{AlertId, Source, Timestamp};
use serde::{Deserialize, Serialize};

/// How much longer an episode goes on, in event time, before a person is told again that it does.
const UPDATE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The growth of the count that a person is told of at once.
const UPDATE_GROWTH: u64 = 10;

/// A stretch of event time in which a rule held for a key, with gaps of at most the rule's keep-alive.
///
/// The stretch is a function of the set of events, not of their order of arrival; only its id, message and opening
/// time come from the moment that happened to be found true first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    pub(crate) alert_id: AlertId,
    pub(crate) message: String,
    /// The time of the event that opened it: the one at which the rule was first found to hold.
    pub(crate) opened_at: Timestamp,
    /// The first and the last moment at which the rule held.
    pub(crate) first_true: Timestamp,
    pub(crate) last_true: Timestamp,
    /// The first and the last contributing event.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Contributing events, repeats counted.
    pub(crate) count: u64,
    /// Contributing events that are no longer held, and how many they stood for.
    pub(crate) omitted_events: u64,
    pub(crate) omitted_weight: u64,
    pub(crate) revision: u32,
    pub(crate) closed: bool,
    /// What a person was told last.
    pub(crate) told: Extent,
}

/// What an episode spans and stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    /// The first and the last contributing event.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Contributing events, repeats counted.
    pub(crate) count: u64,
    /// Differs where other events of the same number contribute.
    pub(crate) digest: u64,
}

/// A moment at which a rule holds, and the first and last event it holds by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) at: Timestamp,
    /// The record of the event at which it holds: the last of a window, the left of a join.
    pub(crate) source: Source,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// What a moment of truth means for the episodes of a key.
#[derive(Debug, PartialEq)]
pub(crate) enum Touched {
    /// It belongs to none: a new one begins.
    None,
    /// It belongs to the one at this index.
    One,
    /// It joins two: the earlier goes on, this later one is over.
    Joined(Box<Episode>),
}

impl Episode {
    /// A new one, not yet told of.
    pub(crate) fn new(alert_id: AlertId, message: String, truth: Truth) -> Self {
        Self {
            alert_id,
            message,
            opened_at: truth.at,
            first_true: truth.at,
            last_true: truth.at,
            first: truth.first,
            last: truth.last,
            count: 0,
            omitted_events: 0,
            omitted_weight: 0,
            revision: 0,
            closed: false,
            told: Extent {
                first: truth.first,
                last: truth.last,
                count: 0,
                digest: 0,
            },
        }
    }

    /// The last moment at which another truth would still belong to it.
    pub(crate) fn ends_after(&self, keep_alive: Duration) -> Timestamp {
        self.last_true.plus(keep_alive)
    }

    /// Whether it grew enough for a person to be told again.
    pub(crate) fn is_news(&self) -> bool {
        self.count > self.told.count
            && (self.count >= self.told.count.saturating_mul(UPDATE_GROWTH)
                || self.last >= self.told.last.plus(UPDATE_INTERVAL))
    }

    /// Takes over what its events span and stand for.
    pub(crate) fn measured(&mut self, extent: Extent) {
        (self.first, self.last, self.count) = (extent.first, extent.last, extent.count);
    }

    fn reaches(&self, at: Timestamp, keep_alive: Duration) -> bool {
        self.first_true.minus(keep_alive) <= at && at <= self.ends_after(keep_alive)
    }

    fn extend(&mut self, truth: Truth) {
        self.first_true = self.first_true.min(truth.at);
        self.last_true = self.last_true.max(truth.at);
        self.first = self.first.min(truth.first);
        self.last = self.last.max(truth.last);
    }
}

/// Adds a moment of truth to the episodes of a key, which are in the order of time and more than `keep_alive` apart.
pub(crate) fn touch(episodes: &mut Vec<Episode>, truth: Truth, keep_alive: Duration) -> Touched {
    let at = episodes.partition_point(|episode| episode.ends_after(keep_alive) < truth.at);
    if episodes
        .get(at)
        .is_none_or(|episode| !episode.reaches(truth.at, keep_alive))
    {
        return Touched::None;
    }
    episodes[at].extend(truth);
    if episodes
        .get(at + 1)
        .is_none_or(|next| !next.reaches(truth.at, keep_alive))
    {
        return Touched::One;
    }
    let gone = episodes.remove(at + 1);
    let kept = &mut episodes[at];
    kept.extend(Truth {
        at: gone.last_true,
        source: truth.source,
        first: gone.first,
        last: gone.last,
    });
    kept.omitted_events += gone.omitted_events;
    kept.omitted_weight += gone.omitted_weight;
    Touched::Joined(Box::new(gone))
}

/// Puts a new episode in its place and says where that is.
pub(crate) fn insert(episodes: &mut Vec<Episode>, new: Episode) -> usize {
    let at = episodes.partition_point(|episode| episode.first_true < new.first_true);
    episodes.insert(at, new);
    at
}
