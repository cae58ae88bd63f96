//! What the demo did: counted by the services, and read back from the archive.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use archive::{Manifest, ObjectStore as _, TIERS};
use indicatif::HumanBytes;
use objects::Directory;
use service::metrics::Metrics;

use super::console::Console;
use crate::output::{counted, printable, say};

/// The most lines that are named because they are no events; the others are counted.
const PROBLEMS_MAX: usize = 10;

/// What the summary is made of.
pub(super) struct Summary<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) console: &'a Console,
    pub(super) archive: &'a Path,
    pub(super) endpoint: SocketAddr,
}

/// What was replayed.
#[derive(Default)]
pub(super) struct Replayed {
    /// Lines that were published.
    pub(super) lines: u64,
    /// How long it took.
    pub(super) took: Duration,
    /// The first of the lines that are no events.
    problems: Vec<String>,
    unnamed: u64,
}

/// What is in the archive of one tier.
#[derive(Default)]
struct Kept {
    segments: u64,
    records: u64,
    bytes: u64,
}

impl Replayed {
    /// A line that is no event, and why.
    pub(super) fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.unnamed += 1;
        }
    }
}

impl Summary<'_> {
    pub(super) fn print(&self, replayed: &Replayed) -> Result<()> {
        say("");
        let seconds = replayed.took.as_secs_f64();
        line(
            "replayed",
            &format!("{} in {seconds:.1} s", counted(replayed.lines, "line")),
        );
        self.events();
        self.dead_letters(replayed);
        let late = self.count("tidewatch_detector_fact_entries_total", "outcome");
        line("late", &late.get("late").unwrap_or(&0).to_string());
        self.alerts();
        self.segments()?;
        line("metrics", &format!("http://{}/metrics while this runs", self.endpoint));
        Ok(())
    }

    fn events(&self) {
        let formats = self.count_if("tidewatch_ingest_events_total", "format", ("outcome", "accepted"));
        let listed: Vec<String> = formats.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let total: u64 = formats.values().sum();
        line("events", &format!("{total}: {}", none_if_empty(&listed)));
    }

    fn dead_letters(&self, replayed: &Replayed) {
        let mut reasons = self.count("tidewatch_ingest_dead_letters_total", "reason");
        let later = self.count("tidewatch_detector_dead_letters_total", "");
        reasons.extend([("unreadable for the detector".to_owned(), later.values().sum())]);
        reasons.retain(|_, count| *count > 0);
        let listed: Vec<String> = reasons.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let total: u64 = reasons.values().sum();
        line("dead letters", &format!("{total}: {}", none_if_empty(&listed)));
        replayed
            .problems
            .iter()
            .for_each(|problem| line("", &printable(problem)));
        if replayed.unnamed > 0 {
            line("", &format!("and {}", counted(replayed.unnamed, "more line")));
        }
    }

    fn alerts(&self) {
        let alerts = self.console.alerts();
        let mut rules = BTreeMap::new();
        for alert in &alerts {
            let (count, open) = rules
                .entry((std::cmp::Reverse(alert.severity), &alert.rule_id))
                .or_insert((0, 0));
            *count += 1;
            *open += u64::from(alert.is_open);
        }
        line("alerts", &alerts.len().to_string());
        for ((severity, rule), (count, open)) in rules {
            let word = format!("{:<8}", severity.0.as_str());
            let word = self.console.coloured(severity.0, &word);
            let open = if open > 0 {
                format!(", {open} not over")
            } else {
                String::new()
            };
            line("", &format!("{word} {count} {}{open}", printable(rule)));
        }
    }

    /// Reads the manifests: what counts is what is there.
    fn segments(&self) -> Result<()> {
        let store = Directory::open(self.archive)?;
        let place = self.archive.display();
        line("archive", &format!("{place} (a directory: nothing in it is locked)"));
        for tier in TIERS {
            let mut kept = Kept::default();
            for listed in store.list(&format!("manifest/{}/", tier.name))? {
                let Some(bytes) = store.get(&listed.name)? else {
                    continue;
                };
                let manifest = Manifest::decode(&listed.name, &bytes)?;
                kept.segments += 1;
                kept.records += manifest.count - manifest.heartbeats;
                kept.bytes += manifest.size;
            }
            let (segments, records) = (counted(kept.segments, "segment"), counted(kept.records, "record"));
            let (name, size, days) = (tier.name, HumanBytes(kept.bytes), tier.retention_days);
            line(
                "",
                &format!("{name:<8} {segments}, {records}, {size}, to be kept {days} days"),
            );
        }
        Ok(())
    }

    fn count(&self, family: &str, label: &str) -> BTreeMap<String, u64> {
        self.count_if(family, label, ("", ""))
    }

    /// The sums of a counter by one of its labels, of the series that have that other label.
    fn count_if(&self, family: &str, label: &str, only: (&str, &str)) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        let families = self.metrics.registry().gather();
        for series in families
            .iter()
            .filter(|known| known.name() == family)
            .flat_map(|family| family.get_metric())
        {
            let value = |name: &str| {
                series
                    .get_label()
                    .iter()
                    .find(|pair| pair.name() == name)
                    .map(|pair| pair.value())
            };
            if only.0.is_empty() || value(only.0) == Some(only.1) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters count")]
                let counted = series.get_counter().get_value() as u64;
                *sums.entry(value(label).unwrap_or_default().to_owned()).or_default() += counted;
            }
        }
        sums
    }
}

fn none_if_empty(listed: &[String]) -> String {
    if listed.is_empty() {
        "none".to_owned()
    } else {
        listed.join(", ")
    }
}

fn line(name: &str, text: &str) {
    say(&format!("{name:<13} {text}"));
}
