//! `tidewatch rules explain`: why a rule fires on the events of a file, or does not.

mod json;
mod stages;
mod summary;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use detection::Explained;
use event::{Alert, DEFAULT_TENANT, Event, Key, Timestamp, position_id};
use formats::{Choice, Rejection};
use ruleset::{Rule, RuleSet};
use service::Exit;

use super::{load_or_complain, play};
use crate::arrival::{Arrivals, Dated};
use crate::lines::{self, Line, Lines};
use crate::output::{complain, say};
use stages::{Became, Stages};
use summary::Summary;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The id of the rule.
    rule: String,
    /// Events, a line each, in the order in which they arrived; `-` is standard input; `.gz` is unpacked.
    #[arg(long, value_name = "FILE", required = true)]
    events: Vec<PathBuf>,
    /// Only events of this key: its values, with commas between them.
    #[arg(long, value_name = "VALUES")]
    key: Option<String>,
    /// Directories or files with the rule and those that it refers to, instead of the guide's.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// The format of the lines: a format's name, or `auto` to tell by their content.
    #[arg(long, default_value = "auto")]
    format: Choice,
    /// The year of times that are written without one.
    #[arg(long)]
    year: Option<i16>,
    /// How many events are shown; all of them are evaluated and counted.
    #[arg(long, value_name = "EVENTS", default_value_t = 50)]
    limit: u64,
    /// An event a line, as JSON.
    #[arg(long)]
    json: bool,
}

/// How many ids are named where one was not found.
const IDS_NAMED: usize = 20;

/// An event, and where it was read.
struct Entry {
    event: Event,
    place: String,
}

/// What became of one event.
struct Told<'a> {
    rule: &'a Rule,
    place: &'a str,
    event: &'a Event,
    sides: Vec<Explained>,
    became: Vec<Became>,
    alerts: Vec<Alert>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Exit> {
    let rules = match load_or_complain(&args.rules) {
        Ok(rules) => rules,
        Err(exit) => return Ok(exit),
    };
    let Some(rule) = rules.rules().iter().find(|rule| rule.id == args.rule) else {
        complain(&unknown_rule(&args.rule, &rules));
        return Ok(Exit::Usage);
    };
    let run = play::with_what_it_reads(rule, &rules);
    let rule = run
        .rules()
        .iter()
        .find(|known| known.id == rule.id)
        .context("the rule is in its own set")?;
    let mut explanation = Explanation {
        args,
        rule: Arc::clone(rule),
        stages: Stages::new(rule, &run)?,
        summary: Summary::default(),
        shown: 0,
    };
    if !args.json {
        say(&tree::head(rule));
    }
    let mut arrivals = Arrivals::default();
    for path in &args.events {
        explanation
            .file(path, &mut arrivals)
            .with_context(|| path.display().to_string())?;
    }
    while let Some((entry, arrival)) = arrivals.next_left() {
        explanation.take(&entry, arrival)?;
    }
    explanation.finish()?;
    Ok(Exit::Ok)
}

fn unknown_rule(id: &str, rules: &RuleSet) -> String {
    let ids: Vec<&str> = rules.rules().iter().map(|rule| rule.id.as_str()).collect();
    let more = if ids.len() > IDS_NAMED { ", …" } else { "" };
    let named = &ids[..ids.len().min(IDS_NAMED)];
    format!("there is no rule `{id}`; there are {}{more}", named.join(", "))
}

struct Explanation<'a> {
    args: &'a ExplainArgs,
    rule: Arc<Rule>,
    stages: Stages,
    summary: Summary,
    shown: u64,
}

impl Explanation<'_> {
    fn file(&mut self, path: &Path, arrivals: &mut Arrivals<Entry>) -> Result<()> {
        let mut lines = Lines::new(lines::open(path)?);
        while let Some((number, line)) = lines.next_line()? {
            let place = format!("{}:{number}", path.display());
            let read = match line {
                Line::Whole(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole(bytes) => self.decode(bytes, &path.display().to_string(), number),
                Line::TooLong(bytes) => {
                    self.summary.unread += 1;
                    complain(&format!(
                        "{place}: a line of {bytes} bytes; the limit is {}",
                        lines::BYTES_MAX
                    ));
                    continue;
                }
            };
            match read {
                Ok(event) => arrivals.push(Dated {
                    time: event.time,
                    what: Entry { event, place },
                }),
                Err(rejection) => {
                    self.summary.unread += 1;
                    complain(&format!("{place}: {}: {}", rejection.reason.as_str(), rejection.detail));
                }
            }
            while let Some((entry, arrival)) = arrivals.next_settled() {
                self.take(&entry, arrival)?;
            }
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8], file: &str, number: u64) -> Result<Event, Rejection> {
        let mut context = formats::Context::new(DEFAULT_TENANT, service::clock::now());
        context.year = self.args.year;
        let mut event = self.args.format.decode(bytes, &context)?.event;
        if event.event_id.is_empty() {
            event.event_id = position_id(file, 0, number);
        }
        Ok(event)
    }

    fn take(&mut self, entry: &Entry, arrival: Timestamp) -> Result<()> {
        let Entry { event, place } = entry;
        let (sides, became, alerts) = self.stages.push(event, arrival).with_context(|| place.clone())?;
        self.summary.add(&sides, &became, &alerts);
        let told = Told {
            rule: &self.rule,
            place,
            event,
            sides,
            became,
            alerts,
        };
        if !self.is_wanted(&told) {
            return Ok(());
        }
        self.shown += 1;
        if self.shown <= self.args.limit {
            say(&if self.args.json {
                json::event(&told).to_string()
            } else {
                tree::event(&told)
            });
        }
        Ok(())
    }

    fn is_wanted(&self, told: &Told<'_>) -> bool {
        let Some(wanted) = &self.args.key else {
            return true;
        };
        let is_it = |key: &Key| key.values().collect::<Vec<_>>().join(",") == *wanted;
        let of_event = told.sides.iter().filter_map(|side| side.found.as_ref());
        let of_alerts = told.became.iter().map(|became| &became.key);
        of_event.chain(of_alerts).any(is_it)
    }

    /// What is decided when nothing more can come, and the sums.
    fn finish(mut self) -> Result<()> {
        let alerts = self.stages.end()?;
        self.summary.alerts(&alerts);
        let hidden = self.shown.saturating_sub(self.args.limit);
        if self.args.json {
            say(&json::end(&alerts, &self.summary, hidden).to_string());
        } else {
            say(&tree::end(&alerts, &self.summary, hidden));
        }
        Ok(())
    }
}
