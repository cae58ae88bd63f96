use event::{Level, Severity};

use super::{Lint, Subject};
use crate::error::Fault;
use crate::{Comparison, Literal, Predicate, Rule, Test};

pub(super) struct MatchesEverything;

/// What every event has, whoever sent it.
const ALWAYS_THERE: [&str; 9] = [
    "audit", "event_id", "format", "level", "message", "repeat", "service", "severity", "tenant",
];

impl Lint for MatchesEverything {
    fn name(&self) -> &'static str {
        "matches-everything"
    }

    fn about(&self) -> &'static str {
        "a filter that asks for nothing that only some events have, so that nearly every event passes"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        if !passes_nearly_all(subject.rule) {
            return Vec::new();
        }
        let message = "nearly every event passes this filter: name the service, the event or the field it is about";
        vec![Fault::new(subject.places.query.clone(), message)]
    }
}

/// Whether nearly every event passes a filter of the rule.
pub(super) fn passes_nearly_all(rule: &Rule) -> bool {
    rule.pattern.sides().iter().any(|side| asks_for_nothing(side.filter))
}

/// Whether an ordinary event passes, for all that this demands of it.
fn asks_for_nothing(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::All(parts) => parts.iter().all(asks_for_nothing),
        Predicate::Any(parts) => parts.iter().any(asks_for_nothing) || covers_all(parts),
        // What is not known not to hold: only of what every event has is anything known.
        Predicate::Not(part) => is_about_what_is_there(part),
        Predicate::Unless(_) | Predicate::Hour(..) | Predicate::Weekday(..) => true,
        Predicate::Field { name, test } => ALWAYS_THERE.contains(&name.as_str()) && takes_all(name, test),
        Predicate::Anywhere(_) | Predicate::Service(_) | Predicate::Word(_) | Predicate::Alert(_) => false,
    }
}

fn is_about_what_is_there(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().all(is_about_what_is_there),
        Predicate::Not(part) | Predicate::Unless(part) => is_about_what_is_there(part),
        Predicate::Field { name, test } => *test == Test::Exists || ALWAYS_THERE.contains(&name.as_str()),
        Predicate::Service(_) | Predicate::Word(_) | Predicate::Anywhere(_) => true,
        Predicate::Hour(..) | Predicate::Weekday(..) => true,
        Predicate::Alert(_) => false,
    }
}

/// Whether every value that the field can have fits.
fn takes_all(name: &str, test: &Test) -> bool {
    match test {
        Test::Exists => true,
        Test::Matches(pattern) => pattern.source().as_deref() == Some("*"),
        Test::Regex(pattern) => pattern.0.is_match(""),
        Test::In(literals) => has_all(name, literals.iter()),
        Test::Compare(comparison, Literal::Number(number)) if name == "repeat" => match comparison {
            Comparison::Greater => *number < 1.0,
            Comparison::GreaterOrEqual => *number <= 1.0,
            Comparison::Equal | Comparison::NotEqual | Comparison::Less | Comparison::LessOrEqual => false,
        },
        Test::Every(tests) => tests.iter().all(|test| takes_all(name, test)),
        Test::Compare(..) | Test::Network(_) | Test::Relates(..) | Test::Calendar(..) => false,
    }
}

/// Alternatives that together name every severity, or every level.
fn covers_all(parts: &[Predicate]) -> bool {
    ["severity", "level"].iter().any(|wanted| {
        let texts = parts.iter().filter_map(|part| match part {
            Predicate::Field {
                name,
                test: Test::Matches(pattern),
            } if name == wanted => pattern.literal(),
            Predicate::All(_)
            | Predicate::Any(_)
            | Predicate::Not(_)
            | Predicate::Unless(_)
            | Predicate::Field { .. }
            | Predicate::Anywhere(_)
            | Predicate::Service(_)
            | Predicate::Word(_)
            | Predicate::Hour(..)
            | Predicate::Weekday(..)
            | Predicate::Alert(_) => None,
        });
        let literals: Vec<Literal> = texts.map(|text| Literal::Text(text.to_lowercase())).collect();
        has_all(wanted, literals.iter())
    })
}

fn has_all<'a>(name: &str, literals: impl Iterator<Item = &'a Literal>) -> bool {
    let literals: Vec<&Literal> = literals.collect();
    let has = |word: &str| literals.contains(&&Literal::Text(word.to_owned()));
    match name {
        "severity" => Severity::ALL.iter().all(|severity| has(severity.as_str())),
        "level" => Level::ALL.iter().all(|level| has(level.as_str())),
        "audit" => literals.contains(&&Literal::Bool(true)) && literals.contains(&&Literal::Bool(false)),
        _ => false,
    }
}
