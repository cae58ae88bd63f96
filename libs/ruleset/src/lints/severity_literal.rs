use event::Severity;

use super::{Lint, Subject};
use crate::error::Fault;
use crate::{Comparison, Literal, Predicate, Test};

pub(super) struct SeverityLiteral;

impl Lint for SeverityLiteral {
    fn name(&self) -> &'static str {
        "severity-literal"
    }

    fn about(&self) -> &'static str {
        "a severity is asked for, and none that is worse: `severity:high` leaves out critical events"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        let mut named = Vec::new();
        for side in subject.rule.pattern.sides() {
            severities(side.filter, &mut named);
        }
        let Some(worst) = named.into_iter().max() else {
            return Vec::new();
        };
        if worst == Severity::Low || worst == Severity::Critical {
            return Vec::new();
        }
        let message = format!("this leaves out events worse than {worst}: `| where severity >= {worst}` takes them in");
        vec![Fault::new(subject.in_query(worst.as_str()), message)]
    }
}

/// The severities that are asked for one by one, and not to leave them out.
fn severities(predicate: &Predicate, named: &mut Vec<Severity>) {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().for_each(|part| severities(part, named)),
        Predicate::Field { name, test } if name == "severity" => named.extend(asked_for(test)),
        Predicate::Not(_)
        | Predicate::Unless(_)
        | Predicate::Field { .. }
        | Predicate::Anywhere(_)
        | Predicate::Service(_)
        | Predicate::Word(_)
        | Predicate::Hour(..)
        | Predicate::Weekday(..)
        | Predicate::Alert(_) => {}
    }
}

fn asked_for(test: &Test) -> Vec<Severity> {
    let of = |literal: &Literal| match literal {
        Literal::Text(text) => text.parse().ok(),
        Literal::Number(_) | Literal::Bool(_) => None,
    };
    match test {
        Test::Matches(pattern) => pattern
            .literal()
            .and_then(|text| text.parse().ok())
            .into_iter()
            .collect(),
        Test::Compare(Comparison::Equal, literal) => of(literal).into_iter().collect(),
        Test::In(literals) => literals.iter().filter_map(of).collect(),
        Test::Every(_)
        | Test::Exists
        | Test::Compare(..)
        | Test::Regex(_)
        | Test::Network(_)
        | Test::Relates(..)
        | Test::Calendar(..) => Vec::new(),
    }
}
