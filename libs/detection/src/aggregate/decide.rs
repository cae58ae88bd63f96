//! Windows of rules that are not monotone: each is decided once, when it is over.

use std::ops::Range;
use std::time::Duration;

use event::Timestamp;
use ruleset::Window;

use super::{Shape, Taken, Windows};
use crate::episode::Truth;
use crate::window::{Tally, clamped, millis};

impl Windows {
    /// Decides the windows whose last possible moment is before `before`.
    pub(super) fn decide_windows(&mut self, shape: Shape<'_>, before: Timestamp) -> Vec<Truth> {
        let mut truths = Vec::new();
        if let Window::Hopping { span, every } = shape.window {
            let from = self
                .decided
                .map_or(i128::MIN / 2, |decided| i128::from(decided.as_millis()));
            let mut next = self.window_from(start_after(from, span, every), span, every);
            while let Some((start, inside)) = next.filter(|(start, _)| last(*start, span) < before) {
                truths.extend(self.judge(shape, inside.clone()));
                next = self.changed(start, &inside, span, every);
            }
            self.decided = self.decided.max(Some(before));
            return truths;
        }
        while let Some((inside, last)) = self.next_window(shape.window).filter(|(_, last)| *last < before) {
            let newest = self.events[inside.end - 1].held.time;
            truths.extend(self.judge(shape, inside));
            self.decided = Some(match shape.window {
                Window::Sliding(_) => last,
                // What comes after a session that was cut short begins the next.
                Window::Session { .. } | Window::Hopping { .. } => newest,
            });
        }
        truths
    }

    /// The last possible moment of the next window that is to be decided.
    pub(super) fn next_decision(&self, window: Window) -> Option<Timestamp> {
        let Window::Hopping { span, every } = window else {
            return Some(self.next_window(window)?.1);
        };
        let Some(decided) = self.decided else {
            let (start, _) = self.window_from(i128::MIN / 2, span, every)?;
            return Some(last(start, span));
        };
        // The last window that is decided; the ones after it with the same events need no decision.
        let start = start_after(i128::from(decided.as_millis()), span, every) - millis(every).max(1);
        let (next, _) = self.changed(start, &self.inside_of(start, span), span, every)?;
        Some(last(next, span))
    }

    /// The rule holds at the last event of the window, because of all of them.
    fn judge(&mut self, shape: Shape<'_>, inside: Range<usize>) -> Option<Truth> {
        let mut running = shape.running();
        let events = &self.events[inside];
        events.iter().for_each(|event| running.enter(event));
        let (first, last) = (&events.first()?.held, &events.last()?.held);
        let truth = Truth {
            at: last.time,
            source: last.source,
            first: first.time,
            last: last.time,
        };
        running.holds().then(|| {
            self.cover(truth.first, truth.last);
            truth
        })
    }

    /// The window after those that are decided, if an event began it, and its last possible moment.
    fn next_window(&self, window: Window) -> Option<(Range<usize>, Timestamp)> {
        let is_decided = |time: Timestamp| self.decided.is_some_and(|decided| time <= decided);
        let from = self.events.partition_point(|event| is_decided(event.held.time));
        let first = self.events.get(from)?.held.time;
        let upto = |last: Timestamp| self.events.partition_point(|event| event.held.time <= last);
        match window {
            Window::Sliding(span) | Window::Hopping { span, .. } => {
                let last = first.plus(span);
                Some((from..upto(last), last))
            }
            Window::Session { gap, max } => {
                let mut last = first.plus(gap).min(first.plus(max));
                let mut until = from + 1;
                while let Some(next) = self.events.get(until).filter(|event| event.held.time <= last) {
                    last = next.held.time.plus(gap).min(first.plus(max));
                    until += 1;
                }
                Some((from..until, last))
            }
        }
    }

    /// The events of the window that begins at `start`.
    fn inside_of(&self, start: i128, span: Duration) -> Range<usize> {
        let before = |moment: i128| {
            let is_before = |event: &Taken| i128::from(event.held.time.as_millis()) < moment;
            self.events.partition_point(is_before)
        };
        before(start)..before(start + millis(span))
    }

    /// The first window that begins at `start` or later and has an event.
    fn window_from(&self, start: i128, span: Duration, every: Duration) -> Option<(i128, Range<usize>)> {
        let time = |at: usize| self.events.get(at).map(|event| i128::from(event.held.time.as_millis()));
        let mut inside = self.inside_of(start, span);
        let mut start = start;
        if inside.is_empty() {
            start = start_after(time(inside.start)?, span, every);
            inside = self.inside_of(start, span);
        }
        Some((start, inside))
    }

    /// The first window after the one that begins at `start` whose events are not these.
    fn changed(
        &self,
        start: i128,
        inside: &Range<usize>,
        span: Duration,
        every: Duration,
    ) -> Option<(i128, Range<usize>)> {
        let time = |at: usize| self.events.get(at).map(|event| i128::from(event.held.time.as_millis()));
        let leaves = time(inside.start).filter(|_| !inside.is_empty());
        let leaves = leaves.map(|time| start_after(time, Duration::ZERO, every));
        let enters = time(inside.end).map(|time| start_after(time, span, every));
        let next = leaves.into_iter().chain(enters).min()?;
        self.window_from(next.max(start + 1), span, every)
    }
}

/// The last moment of the window that begins at `start`.
fn last(start: i128, span: Duration) -> Timestamp {
    clamped(start + millis(span) - 1)
}

/// When the first window begins that ends after `time`, or, without a span, begins after it.
fn start_after(time: i128, span: Duration, every: Duration) -> i128 {
    let every = millis(every).max(1);
    ((time - millis(span)).div_euclid(every) + 1) * every
}
