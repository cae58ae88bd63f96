use std::collections::BTreeSet;

use super::{Lint, Subject};
use crate::error::{Fault, nearest, quoted};
use crate::query::CANONICAL;
use crate::{Predicate, Test};

pub(super) struct UnknownField;

impl Lint for UnknownField {
    fn name(&self) -> &'static str {
        "unknown-field"
    }

    fn about(&self) -> &'static str {
        "a field that no format of ours writes: a misspelt one, or one that a producer has to send in `metadata`"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        let rule = subject.rule;
        let reads_alerts = !rule.alerts_read().is_empty();
        // An alert carries these, and the fields of its rule's key, which that rule is asked about.
        let is_of_alerts = |name: &str| reads_alerts && (name == "rule_id" || rule.key_fields().contains(&name));
        let strange = fields(subject).into_iter().filter(|name| !is_of_alerts(name));
        strange
            .filter_map(|name| Some(Fault::new(subject.named(name), doubt(name)?)))
            .collect()
    }
}

/// The fields that the rule reads, each once.
fn fields<'a>(subject: &'a Subject) -> BTreeSet<&'a str> {
    let rule = subject.rule;
    let mut fields: BTreeSet<&str> = rule.message.fields().collect();
    fields.extend(rule.pattern.value_fields());
    fields.extend(rule.pattern.sides().iter().flat_map(|side| side.key.iter().copied()));
    for condition in subject.conditions() {
        if let Predicate::Field { name, test } = condition {
            fields.insert(name);
            if let Test::Relates(_, other) = test {
                fields.insert(other);
            }
        }
    }
    fields
}

/// Why the field may be none, if it may.
fn doubt(name: &str) -> Option<String> {
    let own = name.strip_prefix("metadata.").unwrap_or(name);
    // What metadata says of a canonical field stays in there too.
    if CANONICAL.contains(&own) {
        return None;
    }
    // What lies within a value is the producer's.
    let first = own.split('.').next().unwrap_or(own);
    let mut known = formats::metadata_fields();
    if known.any(|field| field == own || field == first) {
        return None;
    }
    let meant = nearest(name, CANONICAL).filter(|known| strsim::damerau_levenshtein(name, known) <= 2);
    Some(match meant {
        Some(known) if own == name && !name.contains('.') => {
            format!("{} is read as `metadata.{name}`: did you mean `{known}`?", quoted(name))
        }
        Some(_) | None => format!(
            "no format of ours writes {}: it is there only if a producer sends it in `metadata`",
            quoted(own)
        ),
    })
}
