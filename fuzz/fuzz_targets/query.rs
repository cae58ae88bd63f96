//! Any text as the query of a rule: read in bounded time or refused with a place in it, never a panic.

#![no_main]

use fuzz::{evaluate, rule_of};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|query: &str| -> Corpus {
    match ruleset::load([("query.yml", rule_of(query))]) {
        Ok(loaded) => {
            evaluate(&loaded.rule_set);
            Corpus::Keep
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            assert!(
                errors
                    .iter()
                    .all(|error| error.place.line >= 1 && error.place.column >= 1)
            );
            Corpus::Keep
        }
    }
});
