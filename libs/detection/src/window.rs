//! Which events of a key are seen together with which, for every kind of window.

use std::ops::Range;
use std::time::Duration;

use event::Timestamp;
use ruleset::Window;

use crate::episode::Truth;
use crate::held::Held;

/// What is computed over a run of events, event by event.
pub(crate) trait Tally<E> {
    /// An event comes in.
    fn enter(&mut self, event: &E);
    /// An event that came in goes out.
    fn leave(&mut self, event: &E);
    /// Whether the events that are in are enough.
    fn holds(&self) -> bool;
}

/// A moment at which a rule holds, and the beginning of its window: everything from there to the moment contributes.
pub(crate) struct Found {
    pub(crate) since: Timestamp,
    pub(crate) truth: Truth,
}

/// When the earliest span begins that has an event of this time in it.
pub(crate) fn begin(span: Duration, every: Option<Duration>, time: Timestamp) -> Timestamp {
    let Some(every) = every else {
        return time.minus(span);
    };
    let (span, every) = (millis(span), millis(every).max(1));
    let start = ((i128::from(time.as_millis()) - span).div_euclid(every) + 1) * every;
    clamped(start).min(time)
}

/// Milliseconds, wide enough for any sum of them.
pub(crate) fn millis(span: Duration) -> i128 {
    i128::from(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// The moment so many milliseconds from the epoch, or the nearest there is.
pub(crate) fn clamped(millis: i128) -> Timestamp {
    let nearest = millis.clamp(i64::MIN.into(), i64::MAX.into());
    Timestamp::from_millis(i64::try_from(nearest).expect("it was just clamped"))
}

/// Whether a session cannot go on from the event before `at` to it.
fn is_apart<E: AsRef<Held>>(events: &[E], at: usize, gap: Duration) -> bool {
    let before = at.checked_sub(1).map(|before| events[before].as_ref().time);
    before.is_none_or(|before| before.plus(gap) < events[at].as_ref().time)
}

/// Of a monotone rule: which events may have become moments of truth by the one at `at`.
pub(crate) fn touched<E: AsRef<Held>>(window: Window, events: &[E], at: usize) -> Range<usize> {
    let new = events[at].as_ref().time;
    let reached = |span, every| events.partition_point(|event| begin(span, every, event.as_ref().time) <= new);
    let upto = match window {
        Window::Sliding(span) => reached(span, None),
        Window::Hopping { span, every } => reached(span, Some(every)),
        Window::Session { gap, max } => {
            let within = events.partition_point(|event| event.as_ref().time <= new.plus(max));
            let goes_on = (at + 1..within).take_while(|next| !is_apart(events, *next, gap));
            at + 1 + goes_on.count()
        }
    };
    at..upto
}

/// At which of these events a monotone rule holds. The window slides over them, so that they cost as much as there are
/// of them and in the window of the first.
pub(crate) fn truths<E: AsRef<Held>>(
    window: Window,
    events: &[E],
    moments: Range<usize>,
    mut tally: impl Tally<E>,
) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = first_of(window, events, moments.start);
    events[from..moments.start].iter().for_each(|event| tally.enter(event));
    for at in moments {
        tally.enter(&events[at]);
        let moment = events[at].as_ref();
        let (since, begins) = match window {
            Window::Sliding(span) => (begin(span, None, moment.time), false),
            Window::Hopping { span, every } => (begin(span, Some(every), moment.time), false),
            Window::Session { gap, max } => (moment.time.minus(max), is_apart(events, at, gap)),
        };
        while from < at && (begins || events[from].as_ref().time < since) {
            tally.leave(&events[from]);
            from += 1;
        }
        if tally.holds() {
            let first = events[from].as_ref().time;
            let is_session = matches!(window, Window::Session { .. });
            found.push(Found {
                since: if is_session { first } else { since },
                truth: Truth {
                    at: moment.time,
                    source: moment.source,
                    first,
                    last: moment.time,
                },
            });
        }
    }
    found
}

/// Where the window of the event at `at` begins.
fn first_of<E: AsRef<Held>>(window: Window, events: &[E], at: usize) -> usize {
    let time = events[at].as_ref().time;
    let from = |since| events[..at].partition_point(|event| event.as_ref().time < since);
    match window {
        Window::Sliding(span) => from(begin(span, None, time)),
        Window::Hopping { span, every } => from(begin(span, Some(every), time)),
        Window::Session { gap, max } => {
            let earliest = from(time.minus(max));
            let goes_back = (earliest + 1..=at)
                .rev()
                .take_while(|next| !is_apart(events, *next, gap));
            at - goes_back.count()
        }
    }
}

/// How many of the first of these events are enough.
pub(crate) fn filling<'a, E: 'a>(events: impl Iterator<Item = &'a E>, mut tally: impl Tally<E>) -> usize {
    let mut taken = 0;
    for event in events {
        if tally.holds() {
            break;
        }
        tally.enter(event);
        taken += 1;
    }
    taken
}
