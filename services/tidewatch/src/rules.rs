//! Rule files on disk, the rules that are part of the program, and `tidewatch rules`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use event::{Alert, DEFAULT_TENANT, Event, Timestamp};
use ruleset::{Expectation, Loaded, Rule, RuleError, RuleSet, RuleTest};
use serde_json::{Map, Value};
use service::Exit;

use crate::offline::Offline;
use crate::output::{complain, say};

/// The rules of the guide: in force where nothing else is asked for.
const GUIDE: [(&str, &str); 6] = [
    (
        "rules/guide/account_takeover.yml",
        include_str!("../../../rules/guide/account_takeover.yml"),
    ),
    (
        "rules/guide/admin_off_hours.yml",
        include_str!("../../../rules/guide/admin_off_hours.yml"),
    ),
    (
        "rules/guide/api_abuse.yml",
        include_str!("../../../rules/guide/api_abuse.yml"),
    ),
    (
        "rules/guide/brute_force.yml",
        include_str!("../../../rules/guide/brute_force.yml"),
    ),
    (
        "rules/guide/impossible_travel.yml",
        include_str!("../../../rules/guide/impossible_travel.yml"),
    ),
    (
        "rules/guide/privilege_escalation.yml",
        include_str!("../../../rules/guide/privilege_escalation.yml"),
    ),
];

/// Reads, checks and tests rule files.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Reads rule files and names every mistake in them.
    Check {
        /// Directories or files; the guide's rules if none is given.
        paths: Vec<PathBuf>,
    },
    /// Runs the tests inside rule files through the detector.
    Test {
        /// Directories or files; the guide's rules if none is given.
        paths: Vec<PathBuf>,
    },
}

/// Why there are no rules.
#[derive(Debug)]
pub(crate) enum NoRules {
    /// A file cannot be read.
    Unreadable(anyhow::Error),
    /// Files can be read, but not all of them are rules.
    Wrong(Vec<RuleError>),
}

impl std::fmt::Display for NoRules {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(error) => write!(out, "{error:#}"),
            Self::Wrong(errors) => {
                errors.iter().try_for_each(|error| writeln!(out, "{error}"))?;
                write!(out, "{} mistakes: no rule is loaded", errors.len())
            }
        }
    }
}

impl std::error::Error for NoRules {}

/// The rules of these directories and files; the guide's if there are none.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Loaded, NoRules> {
    if paths.is_empty() {
        return ruleset::load(GUIDE).map_err(NoRules::Wrong);
    }
    let mut files = Vec::new();
    for path in paths {
        let listed = list(path).and_then(|found| {
            if found.is_empty() {
                Err(anyhow::anyhow!("{}: no rule files (*.yml, *.yaml)", path.display()))
            } else {
                Ok(found)
            }
        });
        for file in listed.map_err(NoRules::Unreadable)? {
            let text = fs::read_to_string(&file)
                .with_context(|| file.display().to_string())
                .map_err(NoRules::Unreadable)?;
            files.push((file.display().to_string(), text));
        }
    }
    ruleset::load(files).map_err(NoRules::Wrong)
}

/// A file, or the rule files below a directory in the order of their names. What is hidden is passed over: where Kubernetes
/// mounts a ConfigMap, the same files stand below `..data` once more.
fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let entry = entry.with_context(|| path.display().to_string())?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            files.extend(list(&entry)?);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml")
        {
            files.push(entry);
        }
    }
    Ok(files)
}

/// Runs `tidewatch rules …`.
pub(crate) fn run(command: RulesCommand) -> Result<Exit> {
    let (RulesCommand::Check { paths } | RulesCommand::Test { paths }) = &command;
    let loaded = match load(paths) {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(&error);
            return Ok(Exit::Configuration);
        }
    };
    loaded.warnings.iter().for_each(|warning| complain(warning));
    match command {
        RulesCommand::Check { .. } => {
            say(&format!(
                "{} rules, {} warnings",
                loaded.rule_set.rules().len(),
                loaded.warnings.len()
            ));
            Ok(Exit::Ok)
        }
        RulesCommand::Test { .. } => test(&loaded.rule_set),
    }
}

fn test(rules: &RuleSet) -> Result<Exit> {
    let (mut passed, mut failed) = (0, 0);
    for rule in rules.rules() {
        for test in &rule.tests {
            let alerts =
                play(rule, test).with_context(|| format!("{}: {}: test `{}`", rule.file, rule.id, test.name))?;
            let differences = compare(&test.expect, &alerts);
            if differences.is_empty() {
                passed += 1;
                continue;
            }
            failed += 1;
            say(&format!("{}: {}: test `{}`", rule.file, rule.id, test.name));
            differences
                .iter()
                .for_each(|difference| say(&format!("  {difference}")));
        }
    }
    say(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}

/// The alerts that the events of a test raise with this rule alone.
fn play(rule: &Rule, test: &RuleTest) -> Result<Vec<Alert>> {
    let mut offline = Offline::new(&RuleSet::new([rule.clone()]))?;
    let mut arrival = Timestamp::MIN;
    for (index, fields) in test.events.iter().enumerate() {
        let event = event(index, fields).with_context(|| format!("event {}", index + 1))?;
        arrival = arrival.max(event.time);
        offline.push(&event, arrival)?;
    }
    offline.finish()
}

/// An event as a producer would send it: through the format, with what is absent filled in.
fn event(index: usize, fields: &Map<String, Value>) -> Result<Event> {
    let bytes = serde_json::to_vec(fields)?;
    let format: formats::Choice = "json".parse()?;
    // A test stands in for the credential, which in production says whose an event is.
    let tenant = fields.get("tenant").and_then(Value::as_str).unwrap_or(DEFAULT_TENANT);
    let decoded = format.decode(&bytes, &formats::Context::new(tenant, Timestamp::from_millis(0)));
    let mut event = decoded
        .map_err(|rejection| anyhow::anyhow!("{}", rejection.detail))?
        .event;
    if event.event_id.is_empty() {
        event.event_id = format!("event-{}", index + 1);
    }
    Ok(event)
}

/// What is expected and not there, or there and not expected; alerts are compared in the order of opening.
fn compare(expected: &[Expectation], alerts: &[Alert]) -> Vec<String> {
    let mut differences = Vec::new();
    for (index, alert) in alerts.iter().enumerate() {
        match expected.get(index) {
            None => differences.push(format!("alert {} is not expected: {}", index + 1, alert.message)),
            Some(expected) => differences
                .extend(expected_of(expected, alert).map(|difference| format!("alert {}: {difference}", index + 1))),
        }
    }
    let missing = alerts.len()..expected.len();
    differences.extend(missing.map(|index| format!("alert {} is expected, and was not raised", index + 1)));
    differences
}

fn expected_of(expected: &Expectation, alert: &Alert) -> impl Iterator<Item = String> {
    let mut fields: Vec<(&str, Option<String>, String)> = vec![
        (
            "count",
            expected.count.map(|count| count.to_string()),
            alert.count.to_string(),
        ),
        ("message", expected.message.clone(), alert.message.clone()),
        (
            "first_event_at",
            expected.first_event_at.map(|time| time.to_string()),
            alert.first_event_at.to_string(),
        ),
        (
            "last_event_at",
            expected.last_event_at.map(|time| time.to_string()),
            alert.last_event_at.to_string(),
        ),
    ];
    for (name, value) in expected.key.iter().flatten() {
        let found = alert.key.get(name).map_or_else(|| "nothing".to_owned(), plain);
        fields.push((name, Some(plain(value)), found));
    }
    let wrong = fields.into_iter().filter_map(|(name, wanted, found)| {
        wanted
            .filter(|wanted| *wanted != found)
            .map(|wanted| format!("{name}: expected {wanted}, found {found}"))
    });
    wrong.collect::<Vec<_>>().into_iter()
}

/// A group value as keys hold it: text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
