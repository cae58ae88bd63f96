use std::time::Duration;

use event::{Source, Timestamp};
use serde::{Deserialize, Serialize};

/// The place of an event in the order of its rule and key.
pub(crate) type Place = (Timestamp, Source);

/// Where events of one kind were, as far as it takes to say whether one was within a span of another event.
///
/// Of three in a row of which the outer two lie within the span, the middle one is left out: whatever has it within the
/// span has one of the other two there as well. So however many events there are, few are held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sightings {
    /// In order.
    places: Vec<Place>,
}

impl Sightings {
    /// Adds one, to be asked for within `span`.
    pub(crate) fn add(&mut self, place: Place, span: Duration) {
        let at = self.places.partition_point(|known| *known < place);
        if self.places.get(at) == Some(&place) {
            return;
        }
        self.places.insert(at, place);
        for middle in [Some(at + 1), Some(at), at.checked_sub(1)].into_iter().flatten() {
            let before = middle.checked_sub(1).and_then(|at| self.places.get(at));
            if let (Some((before, _)), Some((after, _))) = (before, self.places.get(middle + 1))
                && after.since(*before) <= span
            {
                self.places.remove(middle);
            }
        }
    }

    /// Whether one is before `place`, at most `span`.
    pub(crate) fn before(&self, place: Place, span: Duration) -> bool {
        let at = self.places.partition_point(|known| *known < place);
        let latest = at.checked_sub(1).and_then(|at| self.places.get(at));
        latest.is_some_and(|(time, _)| place.0.minus(span) <= *time)
    }

    /// Whether one is after `place`, at most `span`.
    pub(crate) fn after(&self, place: Place, span: Duration) -> bool {
        let at = self.places.partition_point(|known| *known <= place);
        self.places.get(at).is_some_and(|(time, _)| *time <= place.0.plus(span))
    }

    /// Forgets what nobody can ask for any more who asks at `from` or later.
    pub(crate) fn forget(&mut self, from: Timestamp, span: Duration) {
        let earlier = self.places.partition_point(|(time, _)| *time < from);
        let useless = self.places.partition_point(|(time, _)| *time < from.minus(span));
        self.places.drain(..useless.max(earlier.saturating_sub(1)));
    }

    /// The time of the newest.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.places.last().map(|(time, _)| *time)
    }
}
