use std::ops::Range;
use std::time::Duration;

use super::all_of;
use crate::error::{Fault, Given};
use crate::{CountPattern, JoinPattern, Order, Pattern, Predicate, Threshold};

/// What the stages have said so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The filter and every `where`.
    pub(crate) conditions: Vec<Predicate>,
    pub(crate) window: Option<Given<Duration>>,
    pub(crate) group_by: Option<Given<Vec<String>>>,
    pub(crate) count: Option<Given<u64>>,
    pub(crate) join: Option<Given<Join>>,
    pub(crate) within: Option<Given<Duration>>,
    pub(crate) keep_alive: Option<Given<Duration>>,
    pub(crate) grace: Option<Given<Duration>>,
    pub(crate) lateness: Option<Given<Duration>>,
}

/// A `join` that does not yet know how far apart its sides may be.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) right: Predicate,
    pub(crate) order: Order,
    pub(crate) on: Vec<(String, String)>,
}

impl Draft {
    /// Keeps what a stage says, once.
    pub(crate) fn keep<T>(slot: &mut Option<Given<T>>, given: Given<T>, stage: &str) -> Result<(), Fault> {
        if slot.is_some() {
            return Err(Fault::new(given.at, format!("`{stage}` stands here a second time")));
        }
        *slot = Some(given);
        Ok(())
    }

    /// The first stage, if any, after which a `where` would come too late.
    pub(crate) fn is_past_events(&self) -> bool {
        self.window.is_some() || self.group_by.is_some() || self.count.is_some() || self.join.is_some()
    }
}

/// The pattern that the stages make together.
///
/// # Errors
/// Each stage that cannot stand without another one, with what is missing.
pub(crate) fn pattern(draft: &Draft, end: usize) -> Result<Pattern, Vec<Fault>> {
    let faults = combination_faults(draft, end);
    if !faults.is_empty() {
        return Err(faults);
    }
    let filter = all_of(draft.conditions.iter().cloned());
    Ok(match (&draft.count, &draft.window, &draft.join, &draft.within) {
        (Some(count), Some(window), None, None) => Pattern::Count(CountPattern {
            filter,
            window: window.value,
            group_by: draft
                .group_by
                .as_ref()
                .map(|given| given.value.clone())
                .unwrap_or_default(),
            threshold: Threshold { at_least: count.value },
        }),
        (None, None, Some(join), Some(within)) => Pattern::Join(JoinPattern {
            left: filter,
            right: join.value.right.clone(),
            on: join.value.on.clone(),
            within: within.value,
            order: join.value.order,
        }),
        _ => Pattern::Each(filter),
    })
}

fn combination_faults(draft: &Draft, end: usize) -> Vec<Fault> {
    let Draft {
        window,
        group_by,
        count,
        join,
        within,
        ..
    } = draft;
    let mut faults = Vec::new();
    let mut refuse = |at: &Range<usize>, message: &str| faults.push(Fault::new(at.clone(), message));
    let counting = window.is_some() || group_by.is_some() || count.is_some();
    if let (Some(join), true) = (join, counting) {
        refuse(
            &join.at,
            "`join` together with `window`, `group by` or `count` is not supported yet",
        );
        return faults;
    }
    match (window, count) {
        (Some(window), None) => refuse(&window.at, "`window` needs a `count`: add `| count > N`"),
        (None, Some(count)) => refuse(&count.at, "`count` needs a window: add `| window 5m` before it"),
        (None, None) | (Some(_), Some(_)) => {}
    }
    if let (Some(group_by), None, None) = (group_by, window, count) {
        refuse(
            &group_by.at,
            "`group by` needs a window and a count: `| window 5m | group by … | count > N`",
        );
    }
    match (join, within) {
        (Some(_), None) => refuse(&(end..end + 1), "`join` needs a span: add `| within 24h`"),
        (None, Some(within)) => refuse(&within.at, "`within` belongs to a `join`: a count has `window`"),
        (None, None) | (Some(_), Some(_)) => {}
    }
    let stateful = counting || join.is_some() || within.is_some();
    for (given, name) in [
        (&draft.keep_alive, "keep_alive"),
        (&draft.grace, "grace"),
        (&draft.lateness, "lateness"),
    ] {
        if let (Some(given), false) = (given, stateful) {
            refuse(&given.at, &without_state(name));
        }
    }
    faults
}

/// Why a time knob is refused in a rule that alerts on each event by itself.
pub(crate) fn without_state(name: &str) -> String {
    format!("`{name}` has no effect on a rule without a window or a join")
}
