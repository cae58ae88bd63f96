use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;
use ruleset::{Rule, RuleSet, RuleTest};
use service::Exit;

use super::difference::difference;
use super::{load_or_complain, play};
use crate::output::{printable, say};

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Directories or files; the guide's rules if none is given.
    paths: Vec<PathBuf>,
    /// Only tests whose rule id or name has this text in it.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Names every test, and the rules that took longest.
    #[arg(short, long)]
    verbose: bool,
}

/// How many of the slowest rules are named.
const SLOWEST: usize = 10;

/// A rule and those of its tests that are wanted.
struct Job<'a> {
    rule: &'a Rule,
    tests: Vec<&'a RuleTest>,
}

/// What came of a rule's tests.
struct Outcome {
    /// Of each test: what is wrong. Nothing: it passed.
    wrong: Vec<Vec<String>>,
    took: Duration,
}

pub(super) fn run(args: &TestArgs) -> Result<Exit> {
    let rules = match load_or_complain(&args.paths) {
        Ok(rules) => rules,
        Err(exit) => return Ok(exit),
    };
    let jobs = jobs(&rules, args.filter.as_deref());
    let outcomes = run_all(&jobs, &rules)?;
    let (mut passed, mut failed) = (0, 0);
    for (job, outcome) in jobs.iter().zip(&outcomes) {
        for (test, wrong) in job.tests.iter().zip(&outcome.wrong) {
            if wrong.is_empty() {
                passed += 1;
            } else {
                failed += 1;
            }
            tell(job.rule, test, wrong, args.verbose);
        }
    }
    if args.verbose {
        tell_slowest(&jobs, &outcomes);
    }
    say(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}

fn jobs<'a>(rules: &'a RuleSet, filter: Option<&str>) -> Vec<Job<'a>> {
    let wanted = |rule: &Rule, test: &RuleTest| {
        filter.is_none_or(|filter| rule.id.contains(filter) || test.name.contains(filter))
    };
    let job = |rule: &'a Rule| Job {
        rule,
        tests: rule.tests.iter().filter(|test| wanted(rule, test)).collect(),
    };
    rules.rules().iter().map(|rule| job(rule)).collect()
}

/// Runs the jobs on every core. What came of them is in their order, whoever was first.
fn run_all(jobs: &[Job<'_>], rules: &RuleSet) -> Result<Vec<Outcome>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, job)) = take(jobs, &next) {
            done.push((index, run_one(job, rules)));
        }
        done
    };
    let mut done: Vec<(usize, Outcome)> = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            done.extend(worker.join().map_err(|_| anyhow!("a test of a rule panicked"))?);
        }
        anyhow::Ok(())
    })?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}

fn take<'j, 'a>(jobs: &'j [Job<'a>], next: &AtomicUsize) -> Option<(usize, &'j Job<'a>)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, jobs.get(index)?))
}

fn run_one(job: &Job<'_>, rules: &RuleSet) -> Outcome {
    let begun = Instant::now();
    let wrong = |test: &&RuleTest| match play::play(job.rule, rules, test) {
        Ok(alerts) => difference(&test.expect, &alerts),
        Err(error) => vec![format!("it cannot be run: {error:#}")],
    };
    Outcome {
        wrong: job.tests.iter().map(wrong).collect(),
        took: begun.elapsed(),
    }
}

fn tell(rule: &Rule, test: &RuleTest, wrong: &[String], verbose: bool) {
    let verdict = if wrong.is_empty() { "ok" } else { "FAILED" };
    if verbose || !wrong.is_empty() {
        say(&format!("{verdict} {}: {}: {}", rule.file, rule.id, test.name));
    }
    wrong.iter().for_each(|line| say(&format!("  {}", printable(line))));
}

fn tell_slowest(jobs: &[Job<'_>], outcomes: &[Outcome]) {
    let mut slowest: Vec<(Duration, &str)> = jobs
        .iter()
        .zip(outcomes)
        .map(|(job, outcome)| (outcome.took, job.rule.id.as_str()))
        .collect();
    slowest.sort_by(|a, b| b.cmp(a));
    say("slowest:");
    for (took, id) in slowest.iter().take(SLOWEST) {
        say(&format!("{:>6} ms  {id}", took.as_millis()));
    }
}
