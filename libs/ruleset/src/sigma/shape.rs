//! The pattern of a correlation, once it is known what its rules are.

use super::correlation::Correlation;
use super::expression::{Term, terms};
use super::resolve::Input;
use crate::error::Fault;
use crate::query::any_of;
use crate::{
    AbsencePattern, Aggregate, AggregatePattern, Comparison, CountPattern, Limit, Order, Pattern, SequencePattern,
    Step, Threshold, Window,
};

pub(super) fn without_field(correlation: &Correlation) -> Result<(), Fault> {
    if correlation.condition.fields.is_empty() && correlation.condition.percentile.is_none() {
        return Ok(());
    }
    let message = "this type of correlation has no `field`: `value_count` counts different values";
    Err(Fault::new(correlation.condition_at.clone(), message))
}

/// Everything that counts or computes over the events of all rules together.
pub(super) fn counted(correlation: &Correlation, inputs: &[Input], aggregate: Aggregate) -> Result<Pattern, Fault> {
    let condition = &correlation.condition;
    if let Some(expression) = &condition.expression {
        let message = "this type of correlation compares a number: `gte: 10`";
        return Err(Fault::new(expression.at.clone(), message));
    }
    let group_by = common_key(correlation, inputs)?;
    let filter = any_of(inputs.iter().map(|input| input.filter.clone()));
    if matches!(aggregate, Aggregate::Count | Aggregate::Distinct(_)) {
        refuse_what_is_always_or_never(correlation)?;
    }
    if let (Aggregate::Count, [limit]) = (&aggregate, condition.limits.as_slice())
        && let Some(at_least) = at_least(*limit)
    {
        return Ok(Pattern::Count(CountPattern {
            filter,
            window: correlation.timespan,
            group_by,
            threshold: Threshold { at_least },
        }));
    }
    Ok(Pattern::Aggregate(AggregatePattern {
        filter,
        window: Window::Sliding(correlation.timespan),
        group_by,
        aggregate,
        limits: condition.limits.clone(),
    }))
}

/// Counts are looked at where there are events: at least one.
fn refuse_what_is_always_or_never(correlation: &Correlation) -> Result<(), Fault> {
    for Limit { comparison, value } in &correlation.condition.limits {
        let never = match comparison {
            Comparison::Less => *value <= 1.0,
            Comparison::LessOrEqual | Comparison::Equal => *value < 1.0,
            Comparison::Greater | Comparison::GreaterOrEqual | Comparison::NotEqual => false,
        };
        let always = match comparison {
            Comparison::Greater => *value < 0.0,
            Comparison::GreaterOrEqual => *value <= 0.0,
            Comparison::Less | Comparison::LessOrEqual | Comparison::Equal | Comparison::NotEqual => false,
        };
        if never {
            let message = "this never holds: events are counted where there are any. That one thing is not followed by \
                           another is `type: temporal` with `condition: a and not b`";
            return Err(Fault::new(correlation.condition_at.clone(), message));
        }
        if always {
            return Err(Fault::new(
                correlation.condition_at.clone(),
                "this holds for every event",
            ));
        }
    }
    Ok(())
}

/// How many are enough, if more events can only confirm the limit.
fn at_least(limit: Limit) -> Option<u64> {
    let least = match limit.comparison {
        Comparison::Greater => limit.value.floor() + 1.0,
        Comparison::GreaterOrEqual => limit.value.ceil(),
        Comparison::Less | Comparison::LessOrEqual | Comparison::Equal | Comparison::NotEqual => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number between the bounds"
    )]
    (1.0..=1e15).contains(&least).then_some(least as u64)
}

/// The key that all rules have; different names for different rules need steps of their own.
fn common_key(correlation: &Correlation, inputs: &[Input]) -> Result<Vec<String>, Fault> {
    let (first, others) = inputs.split_first().expect("a correlation names a rule");
    if others.iter().all(|other| other.key == first.key) {
        return Ok(first.key.clone());
    }
    let message = "events are counted together by fields of one name: aliases that name different fields are for \
                   `temporal` and `temporal_ordered`";
    Err(Fault::new(correlation.kind.at.clone(), message))
}

/// All of the rules, or what an extended condition says of them.
pub(super) fn temporal(correlation: &Correlation, inputs: &[Input], is_ordered: bool) -> Result<Pattern, Fault> {
    let at = || correlation.condition_at.clone();
    if !correlation.condition.fields.is_empty() || correlation.condition.percentile.is_some() {
        return Err(Fault::new(at(), "this type of correlation has no `field`"));
    }
    let terms: Vec<Term> = match &correlation.condition.expression {
        Some(expression) => terms(expression, is_ordered)?,
        None => {
            refuse_counts_of_some(correlation, inputs.len())?;
            let term = |input: &Input| Term {
                is_negated: false,
                any: vec![input.reference.clone()],
            };
            inputs.iter().map(term).collect()
        }
    };
    let step = |term: &Term| -> Result<Step, Fault> {
        let named: Vec<_> = term
            .any
            .iter()
            .filter_map(|name| inputs.iter().find(|input| input.reference == *name))
            .collect();
        let (first, others) = named.split_first().expect("a term names rules that were resolved");
        if others.iter().any(|other| other.key != first.key) {
            let message = "rules joined by `or` need fields of the same names to group by";
            return Err(Fault::new(at(), message));
        }
        Ok(Step {
            filter: any_of(named.iter().map(|input| input.filter.clone())),
            key: first.key.clone(),
            at_least: 1,
        })
    };
    let mut steps = Vec::new();
    for term in &terms {
        steps.push((term.is_negated, step(term)?));
    }
    shaped(correlation, steps, is_ordered)
}

/// `a and not b` is absence; several steps are a sequence; one alone is an event.
fn shaped(correlation: &Correlation, steps: Vec<(bool, Step)>, is_ordered: bool) -> Result<Pattern, Fault> {
    let within = correlation.timespan;
    let negated = steps.iter().filter(|(is_negated, _)| *is_negated).count();
    if negated == 0 && steps.len() == 1 {
        let step = steps.into_iter().next().map(|(_, step)| step).expect("there is one");
        return Ok(Pattern::Count(CountPattern {
            filter: step.filter,
            window: within,
            group_by: step.key,
            threshold: Threshold { at_least: 1 },
        }));
    }
    if negated == 0 {
        if steps.len() > SequencePattern::STEPS_MAX {
            let message = format!(
                "a temporal correlation has at most {} rules",
                SequencePattern::STEPS_MAX
            );
            return Err(Fault::new(correlation.at.clone(), message));
        }
        return Ok(Pattern::Sequence(SequencePattern {
            steps: steps.into_iter().map(|(_, step)| step).collect(),
            within,
            is_ordered,
        }));
    }
    let at = correlation.condition_at.clone();
    let Ok([one, other]) = <[(bool, Step); 2]>::try_from(steps) else {
        let message = "of what must be absent only `a and not b` can be said: let a correlation of its own find what comes \
                       before `and not`, and name that";
        return Err(Fault::new(at, message));
    };
    let (left, right, order) = match (one.0, other.0) {
        (false, true) => (one.1, other.1, Order::LeftFirst),
        (true, false) => (other.1, one.1, Order::RightFirst),
        (true, true) | (false, false) => {
            return Err(Fault::new(at, "something must be there for another thing to be absent"));
        }
    };
    Ok(Pattern::Absence(AbsencePattern {
        left: left.filter,
        right: right.filter,
        on: left.key.into_iter().zip(right.key).collect(),
        within,
        order: if is_ordered { order } else { Order::Any },
    }))
}

/// The specification lets a temporal correlation count how many of its rules match. All of them is what can be said.
fn refuse_counts_of_some(correlation: &Correlation, rules: usize) -> Result<(), Fault> {
    let limits = &correlation.condition.limits;
    #[expect(clippy::cast_precision_loss, reason = "a hundred rules at most")]
    let all = rules as f64;
    let is_all = |limit: &Limit| match limit.comparison {
        Comparison::GreaterOrEqual | Comparison::Equal => (limit.value - all).abs() < f64::EPSILON,
        Comparison::Greater => (limit.value - all + 1.0).abs() < f64::EPSILON,
        Comparison::Less | Comparison::LessOrEqual | Comparison::NotEqual => false,
    };
    if limits.iter().all(is_all) {
        return Ok(());
    }
    let message = format!(
        "some of the rules cannot be asked for, only all {rules}: leave the condition out, or write `a and (b or c)`"
    );
    Err(Fault::new(correlation.condition_at.clone(), message))
}
