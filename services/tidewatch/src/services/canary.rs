//! The canary's rule, which every detector runs beside the rules it is told.

use anyhow::{Result, bail};
use event::canary;
use ruleset::{Rule, RuleSet};

const FILE: (&str, &str) = (
    "rules/canary/tidewatch_canary.yml",
    include_str!("../../../../rules/canary/tidewatch_canary.yml"),
);

/// These rules and the canary's. Whoever loads its file too, with all that is in `rules/`, has it once.
pub(super) fn with_canary(rules: &RuleSet) -> Result<RuleSet> {
    let ours = ruleset::parse(FILE.0, FILE.1).expect("it is read by the tests").rules;
    let is_ours = |rule: &Rule| ours.iter().any(|own| own.id == rule.id && own.hash == rule.hash);
    let theirs: Vec<Rule> = rules.rules().iter().map(|rule| Rule::clone(rule)).collect();
    if let Some(taken) = theirs.iter().find(|rule| rule.id == canary::RULE && !is_ours(rule)) {
        bail!(
            "{}: the id `{}` is that of Tidewatch's own rule, and this one means something else",
            taken.file,
            taken.id
        );
    }
    let theirs = theirs.into_iter().filter(|rule| !is_ours(rule));
    Ok(RuleSet::new(theirs.chain(ours.iter().cloned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> RuleSet {
        let loaded = ruleset::load(files.iter().copied()).expect("these are rules");
        loaded.rule_set
    }

    fn ids(rules: &RuleSet) -> Vec<&str> {
        rules.rules().iter().map(|rule| rule.id.as_str()).collect()
    }

    const OTHER: &str = "id: other\ntitle: t\nseverity: low\nquery: a:b\nmessage: m\n";

    #[test]
    fn every_rule_set_has_it_once() {
        let alone = with_canary(&load(&[("other.yml", OTHER)])).expect("nothing is in the way");
        assert_eq!(ids(&alone), ["other", canary::RULE]);
        let loaded_too = with_canary(&load(&[("other.yml", OTHER), FILE])).expect("it is the same");
        assert_eq!(ids(&loaded_too), ["other", canary::RULE]);
        assert_eq!(alone.hash(), loaded_too.hash());
    }

    #[test]
    fn nobody_elses_rule_takes_its_place() {
        let impostor = OTHER.replace("id: other", "id: tidewatch_canary");
        let refused = with_canary(&load(&[("mine.yml", &impostor)])).expect_err("it means something else");
        assert!(
            refused.to_string().starts_with("mine.yml: the id `tidewatch_canary`"),
            "{refused}"
        );
    }
}
