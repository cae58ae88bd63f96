//! What is or is not near an event: joins, absences, new values.

use ruleset::{AbsencePattern, JoinPattern, NewValuePattern, Order};

use super::{Moment, Seen, at_once, millis};

pub(crate) fn joins<'a>(join: &JoinPattern, left: &[Seen<'a>], right: &[Seen<'a>]) -> Vec<Moment<'a>> {
    let nearest = |one: &Seen<'a>| {
        let fits = |other: &&Seen| {
            let in_order = match join.order {
                Order::Any => true,
                Order::RightFirst => other.order() < one.order(),
                Order::LeftFirst => one.order() < other.order(),
            };
            in_order && other.id() != one.id() && (other.time - one.time).abs() <= millis(join.within)
        };
        let distance = |other: &&Seen| ((other.time - one.time).abs(), other.order());
        right.iter().filter(fits).min_by_key(distance).copied()
    };
    let moment = |one: &Seen<'a>| nearest(one).map(|other| at_once(one, vec![*one, other]));
    left.iter().filter_map(moment).collect()
}

pub(crate) fn absences<'a>(absence: &AbsencePattern, left: &[Seen<'a>], right: &[Seen<'a>]) -> Vec<Moment<'a>> {
    let within = millis(absence.within);
    let moment = |one: &Seen<'a>| {
        let is_before = |other: &Seen| one.time - within <= other.time && other.order() < one.order();
        let is_after = |other: &Seen| one.order() < other.order() && other.time <= one.time + within;
        let is_near = |other: &Seen| match absence.order {
            Order::RightFirst => is_before(other),
            Order::LeftFirst => is_after(other),
            Order::Any => is_before(other) || is_after(other),
        };
        let after = match absence.order {
            Order::RightFirst => one.time,
            Order::LeftFirst | Order::Any => one.time + within,
        };
        (!right.iter().any(is_near)).then(|| Moment {
            at: one.time,
            because: vec![*one],
            after: Some(after),
        })
    };
    left.iter().filter_map(moment).collect()
}

pub(crate) fn new_values<'a>(news: &NewValuePattern, events: &[Seen<'a>]) -> Vec<Moment<'a>> {
    let value = |seen: &Seen| Some(seen.event.field(&news.field)?.as_text().into_owned());
    let moment = |one: &Seen<'a>| {
        let own = value(one)?;
        let is_before = |other: &&Seen| one.time - millis(news.within) <= other.time && other.order() < one.order();
        let known: Vec<String> = events.iter().filter(is_before).filter_map(value).collect();
        (!known.is_empty() && !known.contains(&own)).then(|| Moment {
            at: one.time,
            because: vec![*one],
            after: Some(one.time),
        })
    };
    events.iter().filter_map(moment).collect()
}
