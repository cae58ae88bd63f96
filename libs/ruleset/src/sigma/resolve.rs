//! Correlations to patterns, once all documents are read.
//!
//! A rule with `detection` that a correlation refers to is taken into it, condition and all. A correlation over a
//! correlation reads its alerts, as does one over a stateful rule of our own.

use std::collections::BTreeMap;

use event::Severity;

use super::correlation::{Correlation, Type};
use super::mapping::Mapping;
use super::plain::{Plain, SEVERITY_DEFAULT, located};
use super::reader::Reader;
use super::shape::{counted, temporal, without_field};
use crate::error::{Fault, Given, nearest, quoted};
use crate::rule_file::Located;
use crate::{Aggregate, Pattern, Predicate};

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
pub(super) struct Input {
    pub(super) reference: String,
    pub(super) filter: Predicate,
    /// The fields that make a group, in its events.
    pub(super) key: Vec<String>,
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
