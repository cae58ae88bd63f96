//! Correlations to patterns, once all documents are read.
//!
//! A rule with `detection` that a correlation refers to is taken into it, condition and all. A correlation over a
//! correlation reads its alerts, as does one over a stateful rule of our own.

use std::collections::BTreeMap;

use event::Severity;

use super::correlation::{Correlation, Type};
use super::expression::{Term, terms};
use super::mapping::Mapping;
use super::plain::{Plain, SEVERITY_DEFAULT, located};
use super::reader::Reader;
use crate::error::{Fault, Given, nearest, quoted};
use crate::query::any_of;
use crate::rule_file::Located;
use crate::{
    AbsencePattern, Aggregate, AggregatePattern, Comparison, CountPattern, Limit, Order, Pattern, Predicate,
    SequencePattern, Step, Threshold, Window,
};

/// What alerts of any rule have beside the fields of its key.
const ALERT_FIELDS: [&str; 3] = ["rule_id", "severity", "message"];

/// The most conditions that one correlation takes in from the rules it refers to.
const SIZE_MAX: usize = 200_000;

/// The rules that correlations may refer to.
pub(super) struct Resolver<'r> {
    pub(super) plains: BTreeMap<&'r str, &'r Plain>,
    pub(super) ours: &'r [Located],
    /// What has been made of correlations: by id, with the names of their keys as written.
    pub(super) made: BTreeMap<String, Made>,
}

/// A correlation that has become a rule.
pub(super) struct Made {
    pub(super) located: Located,
    name: Option<String>,
    written: Vec<String>,
    /// Whether a correlation refers to it and does not want its alerts.
    pub(super) is_silenced: bool,
    pub(super) is_wanted: bool,
}

/// What a reference leads to.
enum Target<'r> {
    Plain(&'r Plain),
    /// Its alerts: id, the fields they have by the name as written and as they are called.
    Alerts {
        id: String,
        fields: Vec<(String, String)>,
        severity: Severity,
    },
    /// A stateless rule of our own, and its filter.
    Ours(&'r Located, &'r Predicate),
}

/// One of the rules of a correlation.
struct Input {
    reference: String,
    filter: Predicate,
    /// The fields that make a group, in its events.
    key: Vec<String>,
    severity: Severity,
}

impl Resolver<'_> {
    /// Rules by everything that they are called.
    pub(super) fn index(plains: &[Plain]) -> BTreeMap<&str, &Plain> {
        let mut index = BTreeMap::new();
        for plain in plains.iter().rev() {
            index.extend(plain.head.name.as_deref().map(|name| (name, plain)));
        }
        for plain in plains.iter().rev() {
            index.insert(plain.head.id.as_str(), plain);
        }
        index
    }

    /// Whether everything that a correlation refers to is there, so that it can be made.
    pub(super) fn is_ready(&self, correlation: &Correlation, waiting: &[Correlation]) -> bool {
        let waits = |rule: &Given<String>| waiting.iter().any(|other| other.head.is_called(&rule.value));
        !correlation.references().iter().any(waits)
    }

    fn target(&self, reference: &str) -> Option<Target<'_>> {
        if let Some(plain) = self.plains.get(reference) {
            return Some(Target::Plain(plain));
        }
        let is_called =
            |(id, made): &(&String, &Made)| id.as_str() == reference || made.name.as_deref() == Some(reference);
        if let Some((id, made)) = self.made.iter().find(is_called) {
            let ours = made.located.rule.key_fields();
            let fields = made
                .written
                .iter()
                .cloned()
                .zip(ours.iter().map(|field| (*field).to_owned()));
            return Some(Target::Alerts {
                id: id.clone(),
                fields: fields.collect(),
                severity: made.located.rule.severity,
            });
        }
        let located = self.ours.iter().find(|located| located.rule.id == reference)?;
        if let Pattern::Each(filter) = &located.rule.pattern {
            return Some(Target::Ours(located, filter));
        }
        let fields = located.rule.key_fields();
        Some(Target::Alerts {
            id: located.rule.id.clone(),
            fields: fields
                .iter()
                .map(|field| ((*field).to_owned(), (*field).to_owned()))
                .collect(),
            severity: located.rule.severity,
        })
    }

    /// Makes the rule of a correlation. `None` if the reader has kept an error.
    pub(super) fn make(&mut self, reader: &mut Reader, correlation: Correlation) -> Option<()> {
        let inputs = self.inputs(reader, &correlation)?;
        let read = self.pattern(&correlation, &inputs);
        let pattern = reader.keep(read)?;
        let highest = inputs.iter().map(|input| input.severity).max();
        let severity = correlation.head.severity.or(highest).unwrap_or(SEVERITY_DEFAULT);
        for input in &inputs {
            if let Some(made) = self.made.values_mut().find(|made| made.is_called(&input.reference)) {
                made.is_wanted |= correlation.generate;
                made.is_silenced |= !correlation.generate;
            }
        }
        let written: Vec<String> = correlation.group_by.iter().map(|field| field.value.clone()).collect();
        let key: Vec<String> = inputs.first().map(|input| input.key.clone()).unwrap_or_default();
        let fields: Vec<_> = written.iter().cloned().zip(key).collect();
        let Correlation { head, at, .. } = correlation;
        let (id, name, message) = (head.id.clone(), head.name.clone(), head.message(&fields));
        let located = located(reader, head, severity, message, pattern, &at, 0);
        let made = Made {
            located,
            name,
            written,
            is_silenced: false,
            is_wanted: false,
        };
        // Two of one id are refused later, with both places.
        let mut key = id;
        while self.made.contains_key(&key) {
            key.push('\'');
        }
        self.made.insert(key, made);
        Some(())
    }

    /// What it refers to, each with its own names of the key.
    fn inputs(&self, reader: &mut Reader, correlation: &Correlation) -> Option<Vec<Input>> {
        let mut inputs = Vec::new();
        let mut size = 0;
        let mut is_whole = true;
        for rule in correlation.references() {
            let Some(target) = self.target(&rule.value) else {
                reader.refuse(&Fault::new(rule.at.clone(), self.missing(&rule.value)));
                is_whole = false;
                continue;
            };
            let (filter, severity) = match &target {
                Target::Plain(plain) => (plain.filter.clone(), plain.head.severity),
                Target::Alerts { id, severity, .. } => (Predicate::Alert(id.clone()), Some(*severity)),
                Target::Ours(located, filter) => ((*filter).clone(), Some(located.rule.severity)),
            };
            filter.walk(&mut |_| size += 1);
            if size > SIZE_MAX {
                let message = format!("with this rule the correlation has more than {SIZE_MAX} conditions");
                reader.refuse(&Fault::new(rule.at.clone(), message));
                return None;
            }
            let mut key = Vec::new();
            for field in &correlation.group_by {
                let read = self.field(correlation, &rule, &target, field);
                key.extend(reader.keep(read));
            }
            is_whole &= key.len() == correlation.group_by.len();
            inputs.push(Input {
                reference: rule.value.clone(),
                filter,
                key,
                severity: severity.unwrap_or(SEVERITY_DEFAULT),
            });
        }
        is_whole.then_some(inputs)
    }

    fn missing(&self, reference: &str) -> String {
        let made = self.made.keys().map(String::as_str);
        let meant = match nearest(reference, self.plains.keys().copied().chain(made)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "none of the files has one with this id or name".to_owned(),
        };
        format!("there is no rule {}: {meant}", quoted(reference))
    }

    /// The field of a rule's events that a field of the correlation is.
    fn field(
        &self,
        correlation: &Correlation,
        rule: &Given<String>,
        target: &Target,
        field: &Given<String>,
    ) -> Result<String, Fault> {
        let alias = correlation.aliases.iter().find(|alias| alias.name.value == field.value);
        let written = match alias {
            None => &field.value,
            Some(alias) => {
                let is_meant =
                    |(name, _): &&(Given<String>, String)| name.value == rule.value || is_target(target, &name.value);
                let found = alias.fields.iter().find(is_meant);
                let missing = || {
                    let message = format!(
                        "the alias {} names no field for the rule {}",
                        quoted(&field.value),
                        quoted(&rule.value)
                    );
                    Fault::new(alias.name.at.clone(), message)
                };
                &found.ok_or_else(missing)?.1
            }
        };
        let mapping = correlation.head.mapping();
        match target {
            Target::Plain(_) | Target::Ours(..) => Ok(mapping.key(written)),
            Target::Alerts { fields, .. } => alert_field(fields, mapping, written).ok_or_else(|| {
                let names: Vec<_> = fields.iter().map(|(written, _)| quoted(written)).collect();
                let has = if names.is_empty() {
                    "no fields of its own".to_owned()
                } else {
                    names.join(", ")
                };
                let message = format!(
                    "an alert of {} has {has}, and not {}: let that rule group by it as well",
                    quoted(&rule.value),
                    quoted(written)
                );
                Fault::new(field.at.clone(), message)
            }),
        }
    }

    fn pattern(&self, correlation: &Correlation, inputs: &[Input]) -> Result<Pattern, Fault> {
        match correlation.kind.value {
            Type::Temporal => temporal(correlation, inputs, false),
            Type::TemporalOrdered => temporal(correlation, inputs, true),
            Type::EventCount => {
                without_field(correlation)?;
                counted(correlation, inputs, Aggregate::Count)
            }
            Type::ValueCount => {
                let fields = self.value_fields(correlation, 8)?;
                counted(correlation, inputs, Aggregate::Distinct(fields))
            }
            Type::Sum => counted(correlation, inputs, Aggregate::Sum(self.value_field(correlation)?)),
            Type::Average => counted(correlation, inputs, Aggregate::Average(self.value_field(correlation)?)),
            Type::Median => {
                let field = self.value_field(correlation)?;
                counted(correlation, inputs, Aggregate::Percentile { field, percent: 50.0 })
            }
            Type::Percentile => {
                let field = self.value_field(correlation)?;
                // The specification's own example has text in the field and means a share of all events.
                let aggregate = match correlation.condition.percentile {
                    Some(percent) => Aggregate::Percentile { field, percent },
                    None => Aggregate::RarestShare(field),
                };
                counted(correlation, inputs, aggregate)
            }
        }
    }

    fn value_field(&self, correlation: &Correlation) -> Result<String, Fault> {
        Ok(self.value_fields(correlation, 1)?.swap_remove(0))
    }

    /// The fields whose values are looked at: the same in the events of every rule.
    fn value_fields(&self, correlation: &Correlation, most: usize) -> Result<Vec<String>, Fault> {
        let fields = &correlation.condition.fields;
        if fields.is_empty() || fields.len() > most {
            let message = format!("this type of correlation has 1 to {most} `field` in its condition");
            return Err(Fault::new(correlation.condition_at.clone(), message));
        }
        if let Some(percent) = correlation.condition.percentile
            && !(correlation.kind.value == Type::Percentile && (0.0..=100.0).contains(&percent))
        {
            let message = "`percentile` is from 0 to 100, and only of `value_percentile`";
            return Err(Fault::new(correlation.condition_at.clone(), message));
        }
        let mut read = Vec::new();
        for field in fields {
            let mut names = Vec::new();
            for rule in correlation.references() {
                let target = self.target(&rule.value).expect("every reference was resolved before");
                names.push(self.field(correlation, &rule, &target, field)?);
            }
            names.dedup();
            if names.len() > 1 {
                let message = "a value is read from a field of one name: the rules name several";
                return Err(Fault::new(field.at.clone(), message));
            }
            read.append(&mut names);
        }
        Ok(read)
    }
}

impl Made {
    fn is_called(&self, reference: &str) -> bool {
        self.located.rule.id == reference || self.name.as_deref() == Some(reference)
    }
}

fn is_target(target: &Target, reference: &str) -> bool {
    match target {
        Target::Plain(plain) => plain.head.is_called(reference),
        Target::Alerts { id, .. } => id == reference,
        Target::Ours(located, _) => located.rule.id == reference,
    }
}

/// What an alert calls a field.
fn alert_field(fields: &[(String, String)], mapping: &Mapping, written: &str) -> Option<String> {
    let ours = mapping.key(written);
    let found = fields.iter().find(|(theirs, name)| theirs == written || *name == ours);
    let found = found.map(|(_, name)| name.clone());
    found.or_else(|| ALERT_FIELDS.contains(&written).then(|| written.to_owned()))
}

fn without_field(correlation: &Correlation) -> Result<(), Fault> {
    if correlation.condition.fields.is_empty() && correlation.condition.percentile.is_none() {
        return Ok(());
    }
    let message = "this type of correlation has no `field`: `value_count` counts different values";
    Err(Fault::new(correlation.condition_at.clone(), message))
}

/// Everything that counts or computes over the events of all rules together.
fn counted(correlation: &Correlation, inputs: &[Input], aggregate: Aggregate) -> Result<Pattern, Fault> {
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
fn temporal(correlation: &Correlation, inputs: &[Input], is_ordered: bool) -> Result<Pattern, Fault> {
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
