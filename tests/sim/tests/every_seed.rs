//! Many seeds without a difference, and every planted bug found.

#![allow(clippy::print_stdout, reason = "a run says what it met")]

use std::time::Instant;

use sim::{Met, PlantedBug, run};

/// How many seeds, from the variable `SEEDS`.
fn seeds() -> u64 {
    option(std::env::var_os("SEEDS")).unwrap_or(2000)
}

fn option(value: Option<std::ffi::OsString>) -> Option<u64> {
    value?.to_str()?.parse().ok()
}

#[test]
fn every_seed_gives_what_the_reference_gives() {
    if let Some(seed) = option(std::env::var_os("SEED")) {
        run(seed, None).unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        return;
    }
    let (begun, seeds) = (Instant::now(), seeds());
    let mut met = Met::default();
    for seed in 0..seeds {
        let of_run = run(seed, None)
            .unwrap_or_else(|difference| panic!("seed {seed} (`make sim SEED={seed}` plays it again): {difference}"));
        met.add(&of_run);
    }
    println!(
        "{seeds} seeds in {:.1} s, in all: {met:?}",
        begun.elapsed().as_secs_f64()
    );
    let [alerts, chained, chained_twice] = met.alerts_of_level;
    let each = [
        alerts,
        chained,
        chained_twice,
        met.aborted,
        met.in_doubt,
        met.fenced,
        met.crashes,
        met.evictions,
        met.revoked,
        met.lost,
    ];
    assert!(
        each.iter().all(|count| *count >= seeds / 10),
        "a fault was hardly ever met, so nothing is proven: {met:?}"
    );
}

#[test]
fn every_planted_bug_is_found() {
    for bug in PlantedBug::ALL {
        let found = (0..400).find(|seed| run(*seed, Some(bug)).is_err());
        let Some(seed) = found else {
            panic!("{bug:?} was not found in 400 seeds")
        };
        println!("{bug:?} found by seed {seed}");
    }
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..20 {
        assert_eq!(run(seed, None), run(seed, None), "seed {seed}");
    }
}
