//! What is allowed in a rule and likely a mistake. To add a lint: a file in `lints/`, and a line in [`LINTS`].

mod audit_event_incomplete;
mod doubtful_query;
mod matches_everything;
mod message_constant;
mod missing_tests;
mod severity_literal;
mod unknown_field;
mod unused_timezone;
mod window_beyond_retention;

use std::ops::Range;

use crate::error::{Fault, Source};
use crate::{Predicate, Rule, RuleWarning};

/// One kind of likely mistake.
pub(crate) trait Lint: Sync {
    /// What it is called in warnings and in `lint_off`.
    fn name(&self) -> &'static str;

    /// What it warns of, for the documentation.
    fn about(&self) -> &'static str;

    /// What it finds in a rule, each with its place.
    fn look(&self, subject: &Subject) -> Vec<Fault>;
}

/// Every lint.
pub(crate) const LINTS: [&dyn Lint; 9] = [
    &unknown_field::UnknownField,
    &severity_literal::SeverityLiteral,
    &matches_everything::MatchesEverything,
    &window_beyond_retention::WindowBeyondRetention,
    &doubtful_query::DoubtfulQuery,
    &message_constant::MessageConstant,
    &unused_timezone::UnusedTimezone,
    &missing_tests::MissingTests,
    &audit_event_incomplete::AuditEventIncomplete,
];

/// Of what the reader of a query or of a Sigma document found doubtful.
pub(crate) const DOUBTFUL_QUERY: &str = "doubtful-query";

/// Of a `lint_off` that turns off what finds nothing. It cannot be turned off itself.
const UNUSED: &str = "unused-lint-off";

/// How many warnings are told of one rule.
const TOLD_MAX: usize = 100;

/// A rule as lints see it.
pub(crate) struct Subject<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) places: &'a Places,
    source: Source<'a>,
}

/// Where the parts of a rule stand.
pub(crate) struct Places {
    pub(crate) id: Range<usize>,
    pub(crate) query: Range<usize>,
    pub(crate) message: Range<usize>,
    pub(crate) timezone: Option<Range<usize>>,
    /// The events of each test.
    pub(crate) tests: Vec<Vec<Range<usize>>>,
    /// What the reader of the query found doubtful.
    pub(crate) doubts: Vec<Fault>,
    pub(crate) off: Vec<LintOff>,
}

/// A lint that is off for a rule.
pub(crate) struct LintOff {
    pub(crate) name: &'static str,
    pub(crate) at: Range<usize>,
}

/// Of a rule that reads the alerts of a rule that is off.
pub(crate) const SILENT_ALERTS: (&str, &str) = (
    "silent-alerts",
    "a rule reads the alerts of one that is off, and so has none to read",
);

/// Of a rule that reads a field of alerts that they do not have.
pub(crate) const ALERT_FIELD: (&str, &str) = (
    "alert-field",
    "a rule reads a field that the alerts it takes never have: they have the key of their rule",
);

/// The names that `lint_off` takes, and what each is about.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_rules = LINTS.iter().map(|lint| (lint.name(), lint.about()));
    of_rules.chain([SILENT_ALERTS, ALERT_FIELD])
}

/// What all lints that are not off find, in the order of the file.
pub(crate) fn look(source: Source, rule: &Rule, places: &Places) -> Vec<RuleWarning> {
    let subject = Subject { rule, places, source };
    let mut warnings = Vec::new();
    for lint in LINTS {
        let found = lint.look(&subject);
        match places.off.iter().find(|off| off.name == lint.name()) {
            Some(off) if found.is_empty() => {
                let message = format!("`{}` finds nothing here: it need not be off", lint.name());
                warnings.push((UNUSED, Fault::new(off.at.clone(), message)));
            }
            Some(_) => {}
            None => warnings.extend(found.into_iter().map(|fault| (lint.name(), fault))),
        }
    }
    warnings.sort_by_key(|(_, fault)| fault.at.start);
    let placed = warnings
        .iter()
        .take(TOLD_MAX)
        .map(|(lint, fault)| source.warning(lint, fault));
    placed.collect()
}

/// Why a rule is refused that would open an alert for nearly every event there is, unless its file says it is meant so.
pub(crate) fn storm(rule: &Rule, places: &Places) -> Option<Fault> {
    let lint = &matches_everything::MatchesEverything;
    let is_meant = places.off.iter().any(|off| off.name == lint.name());
    if rule.is_stateful() || is_meant || !matches_everything::passes_nearly_all(rule) {
        return None;
    }
    let message = format!(
        "this rule would open an alert for nearly every event: ask for something that only some have, count them in a \
         window, or say why it is meant so in `lint_off: {{{}: …}}`",
        lint.name()
    );
    Some(Fault::new(places.query.clone(), message))
}

impl Subject<'_> {
    /// Where a word stands in the query, else the query.
    fn in_query(&self, word: &str) -> Range<usize> {
        self.find(word, &self.places.query)
            .unwrap_or_else(|| self.places.query.clone())
    }

    /// Where a word stands in the query or else in the message.
    fn named(&self, word: &str) -> Range<usize> {
        self.find(word, &self.places.query)
            .or_else(|| self.find(word, &self.places.message))
            .unwrap_or_else(|| self.places.query.clone())
    }

    /// The first place in a range of the file at which the word stands by itself.
    fn find(&self, word: &str, within: &Range<usize>) -> Option<Range<usize>> {
        let text = self.source.text.get(within.clone())?;
        let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | '@');
        let stands_alone = |at: &usize| {
            let before = text[..*at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        };
        let (at, _) = text.match_indices(word).find(|(at, _)| stands_alone(at))?;
        Some(within.start + at..within.start + at + word.len())
    }

    /// Every condition of every filter.
    fn conditions(&self) -> Vec<&Predicate> {
        let mut conditions = Vec::new();
        for side in self.rule.pattern.sides() {
            side.filter.walk(&mut |condition| conditions.push(condition));
        }
        conditions
    }
}

#[cfg(test)]
mod tests;
