//! Sequences: events of several kinds within a span.

use ruleset::SequencePattern;

use super::{Moment, Seen, at_once, millis, weight, within};

pub(crate) fn moments<'a>(sequence: &SequencePattern, sides: &[Vec<Seen<'a>>]) -> Vec<Moment<'a>> {
    if sequence.is_ordered {
        let ends = sides[sides.len() - 1].iter();
        return ends
            .filter_map(|end| Some(at_once(end, ordered(sequence, sides, end)?)))
            .collect();
    }
    let all = sides.iter().flatten();
    all.filter_map(|end| Some(at_once(end, in_any_order(sequence, sides, end)?)))
        .collect()
}

/// The latest events that fill the steps, if they are near enough.
fn ordered<'a>(sequence: &SequencePattern, sides: &[Vec<Seen<'a>>], end: &Seen<'a>) -> Option<Vec<Seen<'a>>> {
    let mut taken: Vec<Seen> = Vec::new();
    for (step, events) in sequence.steps.iter().zip(sides).rev() {
        let mut of_step: Vec<Seen> = Vec::new();
        let is_early_enough = |seen: &&Seen| match taken.last() {
            None => seen.order() <= end.order(),
            Some(earliest) => seen.order() < earliest.order(),
        };
        for seen in events.iter().rev().filter(is_early_enough) {
            if weight(&of_step) < step.at_least {
                of_step.push(*seen);
            }
        }
        if weight(&of_step) < step.at_least {
            return None;
        }
        taken.extend(of_step);
    }
    let earliest = taken[taken.len() - 1];
    (end.time - millis(sequence.within) <= earliest.time).then_some(taken)
}

/// All events of all steps in the window, if each step has enough.
fn in_any_order<'a>(sequence: &SequencePattern, sides: &[Vec<Seen<'a>>], end: &Seen<'a>) -> Option<Vec<Seen<'a>>> {
    let mut all = Vec::new();
    for (step, events) in sequence.steps.iter().zip(sides) {
        let window = within(events, end.time - millis(sequence.within), end.time);
        if weight(&window) < step.at_least {
            return None;
        }
        all.extend(window);
    }
    Some(all)
}
