//! Random rules over random events: whatever order, batching, repetition, progress and loss the same events come with,
//! the engine says what [`crate::reference`] says.

mod random_events;
mod random_rules;
mod reading;

use std::collections::BTreeMap;

use event::Alert;
use proptest::prelude::*;
use ruleset::{Pattern, Rule, RuleSet};

use self::random_events::{Plan, Read, arranged, arrangement, plans, records, schedule};
use self::random_rules::{Rules, absences, aggregates, any_pattern, counts, joins, new_values, rule_set, sequences};
use self::reading::{Reading, SOURCES};
use crate::driver::{Engine, Sent, cases};
use crate::reference::{Episodes, allowance};

/// The engine and the reference agree on these rules over this reading.
fn judge(rules: &RuleSet, plans: &[Plan], schedule: &[Read]) -> Result<(), TestCaseError> {
    let partitions = records(plans);
    let mut reading = Reading::new(rules);
    reading.read(&partitions, schedule, |_| Ok(()))?;
    reading.finish();
    for rule in rules.rules() {
        prop_assert_eq!(reading.closed(rule), reading.expected(rule), "{}", rule.meaning());
    }
    every_entry_is_accounted_for(&reading)?;
    prop_assert_eq!(reading.engine.keys(), 0, "nothing is left behind");
    Ok(())
}

/// Each is applied, a duplicate, late or without a key; and what is late counts nowhere.
fn every_entry_is_accounted_for(reading: &Reading) -> Result<(), TestCaseError> {
    let engine = &reading.engine;
    let (matched, missing) = engine.matched.values().fold((0, 0), |(matched, missing), tally| {
        (matched + tally.matched, missing + tally.missing_key)
    });
    let tally = engine.tally;
    let taken = tally.applied + tally.duplicate + tally.no_value;
    prop_assert_eq!(taken + tally.late + missing, matched);
    prop_assert_eq!((tally.unknown_rule, tally.forgotten), (0, 0));
    let (in_time, late) = reading.entries();
    // What is held of absences and new values does not know every event again, and what has no value is not held.
    let holds_all = |rule: &std::sync::Arc<Rule>| match rule.pattern {
        Pattern::Each(_) | Pattern::Count(_) | Pattern::Join(_) | Pattern::Sequence(_) => true,
        Pattern::Aggregate(_) | Pattern::Absence(_) | Pattern::NewValue(_) => false,
    };
    if reading.rules.rules().iter().all(holds_all) {
        prop_assert_eq!(tally.applied, in_time.len() as u64);
    } else {
        prop_assert!(tally.applied + tally.no_value >= in_time.len() as u64);
    }
    let told = engine.late.iter().map(|fact| fact.entries.len() as u64).sum::<u64>();
    prop_assert_eq!(tally.late, told);
    for (rule, side, key, id) in late {
        let is_of = |fact: &&event::Fact| {
            fact.rule == rule && fact.side == side && fact.key.parts().eq(key.iter().map(String::as_str))
        };
        let mut entries = engine.late.iter().filter(is_of).flat_map(|fact| &fact.entries);
        prop_assert!(
            entries.any(|entry| entry.event_id == id),
            "{} is not among the late of {}",
            id,
            rule
        );
    }
    Ok(())
}

/// What is told so far is what is true so far: nothing is told too late, and nothing too early.
fn all_is_told(reading: &Reading, rules: &RuleSet) -> Result<(), TestCaseError> {
    for rule in rules.rules() {
        let mut told: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for (key, _) in reading.found(rule) {
            *told.entry(key).or_default() += 1;
        }
        let expected = reading
            .expected(rule)
            .into_iter()
            .map(|(key, overs)| (key, overs.len()));
        prop_assert_eq!(told, expected.collect(), "{}", rule.meaning());
    }
    Ok(())
}

/// The closed episodes of each rule.
fn closed(rules: &RuleSet, partitions: &[Vec<Sent>; 3], schedule: &[Read]) -> Vec<Episodes> {
    let mut reading = Reading::new(rules);
    let read = reading.read(partitions, schedule, |_| Ok(()));
    read.expect("nothing is checked on the way");
    reading.finish();
    let (_, late) = reading.entries();
    assert!(late.is_empty(), "only a repeat may come too late");
    rules.rules().iter().map(|rule| reading.closed(rule)).collect()
}

/// How late an event may be for all of these rules.
fn least_allowance(rules: &RuleSet) -> i64 {
    rules.rules().iter().map(|rule| allowance(rule)).min().unwrap()
}

fn bytes(alerts: &[Alert]) -> Vec<Vec<u8>> {
    alerts.iter().map(Alert::encode).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn counts_are_the_reference(Rules(rules) in rule_set(counts()), plans in plans(), schedule in schedule()) {
        judge(&rules, &plans, &schedule)?;
    }

    #[test]
    fn aggregates_are_the_reference(Rules(rules) in rule_set(aggregates()), plans in plans(), schedule in schedule()) {
        judge(&rules, &plans, &schedule)?;
    }

    #[test]
    fn joins_are_the_reference(Rules(rules) in rule_set(joins()), plans in plans(), schedule in schedule()) {
        judge(&rules, &plans, &schedule)?;
    }

    #[test]
    fn sequences_are_the_reference(Rules(rules) in rule_set(sequences()), plans in plans(), schedule in schedule()) {
        judge(&rules, &plans, &schedule)?;
    }

    #[test]
    fn absences_are_the_reference(Rules(rules) in rule_set(absences()), plans in plans(), schedule in schedule()) {
        judge(&rules, &plans, &schedule)?;
    }

    #[test]
    fn new_values_are_the_reference(Rules(rules) in rule_set(new_values()), plans in plans(), schedule in schedule()) {
        judge(&rules, &plans, &schedule)?;
    }

    #[test]
    fn all_is_told_as_soon_as_it_is_known(Rules(rules) in rule_set(any_pattern()), plans in plans(), schedule in schedule()) {
        let partitions = records(&plans);
        let mut reading = Reading::new(&rules);
        reading.read(&partitions, &schedule, |reading| all_is_told(reading, &rules))?;
    }

    /// Two readings of the same partitions, in other orders and batches, one of them with repeats and with losses.
    #[test]
    fn batches_and_repeats_change_nothing(
        Rules(rules) in rule_set(any_pattern()),
        mut plans in plans(),
        (one, other) in (schedule(), schedule()),
    ) {
        for plan in &mut plans {
            plan.is_in_time(least_allowance(&rules));
        }
        let repeated = records(&plans);
        plans.iter_mut().for_each(Plan::is_once);
        let once = records(&plans);
        prop_assert_eq!(closed(&rules, &repeated, &one), closed(&rules, &once, &other));
    }

    /// The same events in other partitions and in any order of arrival, as long as none is too late.
    #[test]
    fn the_order_of_arrival_changes_nothing(
        Rules(rules) in rule_set(any_pattern()),
        plans in plans(),
        (one, other) in (arrangement(), arrangement()),
        (first, second) in (schedule(), schedule()),
    ) {
        let least = least_allowance(&rules);
        let (one, other) = (arranged(&plans, &one, least), arranged(&plans, &other, least));
        prop_assert_eq!(closed(&rules, &one, &first), closed(&rules, &other, &second));
    }

    /// The same records give the same bytes, also if the process is lost on the way and another goes on from the
    /// changelog.
    #[test]
    fn the_same_facts_give_the_same_bytes(
        Rules(rules) in rule_set(any_pattern()),
        plans in plans(),
        schedule in schedule(),
        lost_after in any::<proptest::sample::Index>(),
    ) {
        let partitions = records(&plans);
        let mut first = Reading::new(&rules);
        first.read(&partitions, &schedule, |_| Ok(()))?;
        first.finish();
        let lost_after = lost_after.index(first.engine.records.len());
        let mut second = Engine::declared(&rules, SOURCES);
        for (at, record) in first.engine.records.iter().enumerate() {
            if at == lost_after {
                second.lose(&rules, SOURCES);
            }
            second.record(record.clone());
        }
        prop_assert_eq!(bytes(&first.engine.alerts), bytes(&second.alerts));
        prop_assert_eq!(&first.engine.changes, &second.changes);
    }
}
