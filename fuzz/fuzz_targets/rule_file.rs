//! Any text as a rule file, in our form and in Sigma's: read in bounded time or refused with a place in it, never a panic.

#![no_main]

use fuzz::evaluate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match ruleset::load([("rules.yml", text)]) {
        Ok(loaded) => evaluate(&loaded.rule_set),
        Err(errors) => assert!(!errors.is_empty(), "refused without a reason"),
    }
});
