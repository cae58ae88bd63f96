use std::ops::Range;
use std::time::Duration;

use super::all_of;
use crate::error::{Fault, Given};
use crate::{
    AbsencePattern, Aggregate, AggregatePattern, CountPattern, JoinPattern, Limit, NewValuePattern, Order, Pattern,
    Predicate, SequencePattern, Step, Threshold, Window,
};

/// What the stages have said so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The filter and every `where`.
    pub(crate) conditions: Vec<Predicate>,
    /// `window` or `session`.
    pub(crate) window: Option<Given<Window>>,
    pub(crate) group_by: Option<Given<Vec<String>>>,
    pub(crate) computed: Option<Given<Computed>>,
    pub(crate) relation: Option<Given<Relation>>,
    pub(crate) within: Option<Given<Duration>>,
    pub(crate) suppress: Option<Given<Duration>>,
    pub(crate) every_match: Option<Given<()>>,
    pub(crate) keep_alive: Option<Given<Duration>>,
    pub(crate) grace: Option<Given<Duration>>,
    pub(crate) lateness: Option<Given<Duration>>,
}

/// What is computed over a window: a stage such as `count > 10`.
#[derive(Debug)]
pub(crate) struct Computed {
    /// The word of the stage.
    pub(crate) name: &'static str,
    pub(crate) aggregate: Aggregate,
    pub(crate) limit: Limit,
    /// Of a count that more events can only confirm.
    pub(crate) threshold: Option<Threshold>,
}

/// A pattern that does not yet know how far apart its events may be.
#[derive(Debug)]
pub(crate) enum Relation {
    Join {
        right: Predicate,
        order: Order,
        on: Vec<(String, String)>,
    },
    Without {
        right: Predicate,
        order: Order,
        on: Vec<(String, String)>,
    },
    Sequence {
        steps: Vec<Step>,
        is_ordered: bool,
    },
    NewValue {
        field: String,
        group_by: Vec<String>,
    },
}

impl Relation {
    /// The words of its stage.
    fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Without { .. } => "without",
            Self::Sequence { .. } => "sequence",
            Self::NewValue { .. } => "new value",
        }
    }
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

    pub(crate) fn keep_window(&mut self, given: Given<Window>, stage: &str) -> Result<(), Fault> {
        let is_session = |window: &Window| matches!(window, Window::Session { .. });
        if let Some(before) = &self.window
            && is_session(&before.value) != is_session(&given.value)
        {
            return Err(Fault::new(given.at, "a rule has a `window` or a `session`, not both"));
        }
        Self::keep(&mut self.window, given, stage)
    }

    pub(crate) fn compute(&mut self, computed: Computed, at: Range<usize>) -> Result<(), Fault> {
        if let Some(before) = &self.computed
            && before.value.name != computed.name
        {
            let message = format!(
                "`{}` stands before this, and a rule computes one thing: write two rules, and a third that reads their \
                 alerts with `alert:ID`",
                before.value.name
            );
            return Err(Fault::new(at, message));
        }
        let name = computed.name;
        Self::keep(&mut self.computed, Given { value: computed, at }, name)
    }

    pub(crate) fn relate(&mut self, relation: Relation, at: Range<usize>) -> Result<(), Fault> {
        if let Some(before) = &self.relation {
            let message = format!(
                "`{}` stands before this, and a rule has one of `join`, `without`, `sequence` and `new value`: another \
                 rule can read its alerts with `alert:ID`",
                before.value.name()
            );
            return Err(Fault::new(at, message));
        }
        self.relation = Some(Given { value: relation, at });
        Ok(())
    }

    /// Whether a `where` would come too late.
    pub(crate) fn is_past_events(&self) -> bool {
        self.window.is_some() || self.group_by.is_some() || self.computed.is_some() || self.relation.is_some()
    }

    /// Whether it is one alert for each group, and then quiet: no window, but a span of silence.
    fn is_first_of_group(&self) -> bool {
        self.window.is_none() && self.relation.is_none() && self.suppress.is_some()
    }

    /// A warning of `grace` where nothing waits, or of `lateness` where `grace` stands in its place.
    pub(crate) fn idle_knob(&self, pattern: &Pattern) -> Option<Fault> {
        let (idle, why) = if pattern.is_monotone() {
            (
                &self.grace,
                "`grace` has no effect: this rule fires as soon as it is true",
            )
        } else {
            (
                &self.lateness,
                "`lateness` has no effect: this rule is decided after `grace`, and takes nothing later",
            )
        };
        idle.as_ref().map(|given| Fault::new(given.at.clone(), why))
    }

    /// The spans of its episodes, as far as they are said: keep-alive and suppression.
    pub(crate) fn episode_spans(&self) -> (Option<Duration>, Option<Duration>) {
        let value = |given: &Option<Given<Duration>>| given.as_ref().map(|given| given.value);
        let (keep_alive, suppress) = (value(&self.keep_alive), value(&self.suppress));
        if self.is_first_of_group() && keep_alive.is_none() {
            return (suppress, None);
        }
        let none = self.every_match.as_ref().map(|_| Duration::ZERO);
        (none.or(keep_alive), suppress)
    }
}

/// The pattern that the stages make together.
///
/// # Errors
/// Each stage that cannot stand without another one, or beside it, with what to write instead.
pub(crate) fn pattern(draft: &Draft, end: usize) -> Result<Pattern, Vec<Fault>> {
    let faults = combination_faults(draft, end);
    if !faults.is_empty() {
        return Err(faults);
    }
    let filter = all_of(draft.conditions.iter().cloned());
    let group_by = draft.group_by.as_ref().map(|given| given.value.clone());
    let group_by = group_by.unwrap_or_default();
    if let (Some(relation), Some(within)) = (&draft.relation, &draft.within) {
        return Ok(related(&relation.value, filter, within.value));
    }
    if let (Some(computed), Some(window)) = (&draft.computed, &draft.window) {
        return Ok(aggregated(&computed.value, filter, window.value, group_by));
    }
    if let (Some(suppress), true) = (&draft.suppress, draft.is_first_of_group()) {
        let window = draft.keep_alive.as_ref().unwrap_or(suppress).value;
        return Ok(Pattern::Count(CountPattern {
            filter,
            window,
            group_by,
            threshold: Threshold { at_least: 1 },
        }));
    }
    Ok(Pattern::Each(filter))
}

fn aggregated(computed: &Computed, filter: Predicate, window: Window, group_by: Vec<String>) -> Pattern {
    if let (Some(threshold), Window::Sliding(window)) = (computed.threshold, window) {
        return Pattern::Count(CountPattern {
            filter,
            window,
            group_by,
            threshold,
        });
    }
    Pattern::Aggregate(AggregatePattern {
        filter,
        window,
        group_by,
        aggregate: computed.aggregate.clone(),
        limits: vec![computed.limit],
    })
}

fn related(relation: &Relation, filter: Predicate, within: Duration) -> Pattern {
    match relation {
        Relation::Join { right, order, on } => Pattern::Join(JoinPattern {
            left: filter,
            right: right.clone(),
            on: on.clone(),
            within,
            order: *order,
        }),
        Relation::Without { right, order, on } => Pattern::Absence(AbsencePattern {
            left: filter,
            right: right.clone(),
            on: on.clone(),
            within,
            order: *order,
        }),
        Relation::NewValue { field, group_by } => Pattern::NewValue(NewValuePattern {
            filter,
            field: field.clone(),
            group_by: group_by.clone(),
            within,
        }),
        Relation::Sequence { steps, is_ordered } => {
            let step = |step: &Step| Step {
                filter: all_of([filter.clone(), step.filter.clone()]),
                ..step.clone()
            };
            Pattern::Sequence(SequencePattern {
                steps: steps.iter().map(step).collect(),
                within,
                is_ordered: *is_ordered,
            })
        }
    }
}

/// Faults, each with the place of the stage that is wrong.
struct Faults(Vec<Fault>);

impl Faults {
    fn refuse(&mut self, at: &Range<usize>, message: impl Into<String>) {
        self.0.push(Fault::new(at.clone(), message));
    }
}

fn combination_faults(draft: &Draft, end: usize) -> Vec<Fault> {
    let mut faults = Faults(Vec::new());
    let counting = [
        draft.window.as_ref().map(|given| &given.at),
        draft.group_by.as_ref().map(|given| &given.at),
        draft.computed.as_ref().map(|given| &given.at),
    ];
    match (&draft.relation, counting.into_iter().flatten().next()) {
        (Some(relation), Some(_)) => beside_counting(&relation.value, &relation.at, &mut faults),
        (Some(relation), None) => {
            if draft.within.is_none() {
                let message = format!("`{}` needs a span: add `within 24h`", relation.value.name());
                faults.refuse(&(end..end + 1), message);
            }
        }
        (None, _) => counting_faults(draft, &mut faults),
    }
    span_faults(draft, &mut faults);
    faults.0
}

fn beside_counting(relation: &Relation, at: &Range<usize>, faults: &mut Faults) {
    let instead = match relation {
        Relation::Sequence { .. } => {
            "a step counts within its parentheses, `(security_event:login_failed | count >= 5)`, and `by` says what is equal"
        }
        Relation::NewValue { .. } => "what makes a group follows `by`: `new value of country by user_id within 30d`",
        Relation::Join { .. } | Relation::Without { .. } => {
            "let one rule count, and let this one read its alerts with `alert:ID`; or write a `sequence`, whose steps count"
        }
    };
    let name = relation.name();
    faults.refuse(
        at,
        format!("`{name}` does not go together with `window`, `group by` or a count: {instead}"),
    );
}

fn counting_faults(draft: &Draft, faults: &mut Faults) {
    match (&draft.window, &draft.computed) {
        (Some(window), None) => {
            let name = match window.value {
                Window::Session { .. } => "session",
                Window::Sliding(_) | Window::Hopping { .. } => "window",
            };
            faults.refuse(
                &window.at,
                format!("`{name}` needs a `count` or another computation: add `| count > N`"),
            );
        }
        (None, Some(computed)) => {
            let name = computed.value.name;
            faults.refuse(
                &computed.at,
                format!("`{name}` needs a window: add `| window 5m` before it"),
            );
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    if let (Some(group_by), None, None, None) = (&draft.group_by, &draft.window, &draft.computed, &draft.suppress) {
        faults.refuse(
            &group_by.at,
            "`group by` needs a window and a count, `| window 5m | group by … | count > N`, or a span of silence, \
             `| group by … | suppress 1h`",
        );
    }
    if let Some(within) = &draft.within {
        faults.refuse(
            &within.at,
            "`within` belongs to `join`, `without`, `sequence` and `new value`: a count has `window`",
        );
    }
}

/// What cannot be said of the time of an episode.
fn span_faults(draft: &Draft, faults: &mut Faults) {
    let is_stateful = draft.is_past_events() || draft.within.is_some() || draft.suppress.is_some();
    let knobs = [
        (draft.keep_alive.as_ref().map(|given| &given.at), "keep_alive"),
        (draft.grace.as_ref().map(|given| &given.at), "grace"),
        (draft.lateness.as_ref().map(|given| &given.at), "lateness"),
        (draft.every_match.as_ref().map(|given| &given.at), "every_match"),
    ];
    for (at, name) in knobs {
        if let (Some(at), false) = (at, is_stateful) {
            faults.refuse(at, without_state(name));
        }
    }
    let Some(every_match) = &draft.every_match else {
        return;
    };
    if draft.keep_alive.is_some() || draft.suppress.is_some() {
        faults.refuse(
            &every_match.at,
            "`every_match` makes each match an alert of its own, `keep_alive` and `suppress` make one of several: leave \
             one of them out",
        );
    }
}

/// Why a time knob is refused in a rule that alerts on each event by itself.
pub(crate) fn without_state(name: &str) -> String {
    format!("`{name}` has no effect on a rule without a window or a join: it alerts on each event")
}
