//! Aggregates over windows.

use std::collections::{BTreeMap, BTreeSet};

use event::Event;
use ruleset::{Aggregate, AggregatePattern, Comparison, Window};

use super::{Moment, Seen, at_once, compares, millis, weight, within};

pub(crate) fn is_monotone(pattern: &AggregatePattern) -> bool {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let confirms = |comparison| match pattern.aggregate {
        Aggregate::Count | Aggregate::Distinct(_) | Aggregate::Sum(_) | Aggregate::Maximum(_) => {
            matches!(comparison, Greater | GreaterOrEqual)
        }
        Aggregate::Minimum(_) => matches!(comparison, Less | LessOrEqual),
        Aggregate::Average(_) | Aggregate::Percentile { .. } | Aggregate::RarestShare(_) => false,
    };
    pattern.limits.iter().all(|limit| confirms(limit.comparison))
}

pub(crate) fn moments<'a>(pattern: &AggregatePattern, events: &[Seen<'a>]) -> Vec<Moment<'a>> {
    let is_taken = |seen: &&Seen| is_taken(&pattern.aggregate, seen.event);
    let events: Vec<Seen> = events.iter().filter(is_taken).copied().collect();
    let is_within = |window: &[Seen]| {
        let value = computed(&pattern.aggregate, window);
        let mut limits = pattern.limits.iter();
        limits.all(|limit| compares(limit.comparison, value, limit.value))
    };
    if is_monotone(pattern) {
        let at_event = |seen: &Seen<'a>| {
            let mut windows = windows_of(pattern.window, &events, seen).into_iter();
            windows
                .find(|window| is_within(window))
                .map(|window| at_once(seen, window))
        };
        return events.iter().filter_map(at_event).collect();
    }
    let at_last = |(window, after): (Vec<Seen<'a>>, i64)| Moment {
        at: window[window.len() - 1].time,
        because: window,
        after: Some(after),
    };
    let over = windows(pattern.window, &events).into_iter();
    over.filter(|(window, _)| is_within(window)).map(at_last).collect()
}

/// The windows that have this event in them, up to it, the one that began first before the others.
fn windows_of<'a>(window: Window, events: &[Seen<'a>], end: &Seen<'a>) -> Vec<Vec<Seen<'a>>> {
    match window {
        Window::Sliding(span) => vec![within(events, end.time - millis(span), end.time)],
        Window::Hopping { span, every } => {
            let starts = starts(end.time, millis(span), millis(every));
            starts
                .into_iter()
                .map(|start| within(events, start, end.time))
                .collect()
        }
        Window::Session { gap, max } => {
            let mut from = end.time;
            let earlier = events.iter().rev().filter(|seen| seen.time <= end.time);
            for seen in earlier {
                if from - seen.time > millis(gap) || end.time - seen.time > millis(max) {
                    break;
                }
                from = seen.time;
            }
            vec![within(events, from, end.time)]
        }
    }
}

/// Every window with what is in it, and its last possible moment.
fn windows<'a>(window: Window, events: &[Seen<'a>]) -> Vec<(Vec<Seen<'a>>, i64)> {
    match window {
        Window::Sliding(span) => {
            let mut windows: Vec<(Vec<Seen>, i64)> = Vec::new();
            for seen in events {
                match windows.last_mut() {
                    Some((inside, end)) if seen.time <= *end => inside.push(*seen),
                    _ => windows.push((vec![*seen], seen.time + millis(span))),
                }
            }
            windows
        }
        Window::Hopping { span, every } => {
            let starts_of = |seen: &Seen| starts(seen.time, millis(span), millis(every));
            let starts: BTreeSet<i64> = events.iter().flat_map(starts_of).collect();
            let ends = starts.into_iter().map(|start| (start, start + millis(span) - 1));
            ends.map(|(start, end)| (within(events, start, end), end)).collect()
        }
        Window::Session { gap, max } => {
            let mut windows: Vec<(Vec<Seen>, i64)> = Vec::new();
            for seen in events {
                match windows.last_mut() {
                    Some((inside, end)) if seen.time <= *end => {
                        inside.push(*seen);
                        *end = (seen.time + millis(gap)).min(inside[0].time + millis(max));
                    }
                    _ => windows.push((vec![*seen], seen.time + millis(gap))),
                }
            }
            windows
        }
    }
}

/// Where the windows begin that have this time in them.
fn starts(time: i64, span: i64, every: i64) -> Vec<i64> {
    let last = time.div_euclid(every) * every;
    let back = (0..).map(|n| last - n * every).take_while(|start| time < start + span);
    let mut starts: Vec<i64> = back.collect();
    starts.reverse();
    starts
}

/// Whether the event has what is computed with.
fn is_taken(aggregate: &Aggregate, event: &Event) -> bool {
    match aggregate {
        Aggregate::Count => true,
        Aggregate::Distinct(fields) => fields.iter().all(|field| event.field(field).is_some()),
        Aggregate::RarestShare(field) => event.field(field).is_some(),
        Aggregate::Sum(field) => number(event, field).is_some_and(|number| number >= 0.0),
        Aggregate::Average(field)
        | Aggregate::Minimum(field)
        | Aggregate::Maximum(field)
        | Aggregate::Percentile { field, .. } => number(event, field).is_some(),
    }
}

fn computed(aggregate: &Aggregate, window: &[Seen]) -> f64 {
    let numbers = |field: &str| repeated(window, |event| number(event, field).unwrap());
    match aggregate {
        Aggregate::Count => float(weight(window)),
        Aggregate::Distinct(fields) => {
            let values = |seen: &Seen| -> Vec<String> { fields.iter().map(|field| text(seen.event, field)).collect() };
            float(window.iter().map(values).collect::<BTreeSet<_>>().len() as u64)
        }
        Aggregate::Sum(field) => numbers(field).iter().sum(),
        Aggregate::Average(field) => numbers(field).iter().sum::<f64>() / float(weight(window)),
        Aggregate::Minimum(field) => *numbers(field).first().unwrap(),
        Aggregate::Maximum(field) => *numbers(field).last().unwrap(),
        Aggregate::Percentile { field, percent } => {
            let numbers = numbers(field);
            let (percent, unit) = decimal(*percent);
            let is_far_enough = |place: &usize| 100 * unit * place >= percent * numbers.len();
            let place = (1..=numbers.len()).find(is_far_enough).unwrap();
            numbers[place - 1]
        }
        Aggregate::RarestShare(field) => {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for seen in window {
                *counts.entry(text(seen.event, field)).or_default() += u64::from(seen.event.repeat);
            }
            100.0 * float(*counts.values().min().unwrap()) / float(weight(window))
        }
    }
}

/// A number as it is written: 999 tenths for 99.9.
fn decimal(number: f64) -> (usize, usize) {
    let written = number.to_string();
    let decimals = written.split_once('.').map_or("", |(_, decimals)| decimals);
    let digits = written.replace('.', "");
    (
        digits.parse().unwrap(),
        10_usize.pow(u32::try_from(decimals.len()).unwrap()),
    )
}

/// The numbers of all events, in order of size, each as often as its event is repeated.
fn repeated(window: &[Seen], number: impl Fn(&Event) -> f64) -> Vec<f64> {
    let of_event = |seen: &Seen| vec![number(seen.event); seen.event.repeat as usize];
    let mut numbers: Vec<f64> = window.iter().flat_map(of_event).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn number(event: &Event, field: &str) -> Option<f64> {
    event.field(field)?.as_number()
}

fn text(event: &Event, field: &str) -> String {
    event.field(field).unwrap().as_text().into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "a test counts a few events")]
fn float(count: u64) -> f64 {
    count as f64
}
