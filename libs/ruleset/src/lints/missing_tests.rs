use super::{Lint, Subject};
use crate::error::{Fault, quoted};

pub(super) struct MissingTests;

impl Lint for MissingTests {
    fn name(&self) -> &'static str {
        "missing-tests"
    }

    fn about(&self) -> &'static str {
        "no test in which the rule fires, or none in which it is silent"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        let rule = subject.rule;
        let fires = rule.tests.iter().any(|test| !test.expect.is_empty());
        let is_silent = rule.tests.iter().any(|test| test.expect.is_empty());
        let missing = match (fires, is_silent) {
            (true, true) => return Vec::new(),
            (false, false) => "no tests: nothing shows that it fires",
            (false, true) => "no test in which it fires",
            (true, false) => "no test in which it is silent, with events that it must not take for what it finds",
        };
        let message = format!("{} has {missing}", quoted(&rule.id));
        vec![Fault::new(subject.places.id.clone(), message)]
    }
}
