//! `tidewatch scan`: rules over files, without a broker.

mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use event::{DEFAULT_TENANT, Event, Severity, Tier, Timestamp, position_id};
use formats::{Choice, Context, Rejection};
use report::Report;
use service::Exit;

use crate::arrival::{Arrivals, Dated};
use crate::lines::{self, Line, Lines};
use crate::offline::Offline;
use crate::output::complain;
use crate::rules;

/// Finds attacks in log files with the rules of a detector.
#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Log files, in the order in which they were written; `-` is standard input; `.gz` is unpacked.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The format of the lines: a format's name, or `auto` to tell by their content.
    #[arg(long, default_value = "auto")]
    format: Choice,
    /// A rule file or a directory of them, instead of the guide's rules.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// How alerts are printed.
    #[arg(long, value_enum, default_value_t = OutputForm::Table)]
    output: OutputForm,
    /// Exit with 1 if an alert is at least this severe.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// The year of times that are written without one.
    #[arg(long)]
    year: Option<i16>,
    /// A field that says when the event arrived, instead of the event's own time.
    #[arg(long, value_name = "FIELD")]
    arrival: Option<String>,
}

/// How alerts are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputForm {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
}

/// An event on its way into the detector, and where it was read.
struct Entry {
    event: Event,
    place: Place,
}

/// A line of a file, both counted from 0 and 1.
#[derive(Clone, Copy)]
struct Place {
    file: u32,
    line: u64,
}

/// The places of the events of each tier, by offset.
#[derive(Default)]
struct Places {
    of_tier: [Vec<Place>; 3],
}

impl Places {
    fn index(tier: Tier) -> usize {
        match tier {
            Tier::Security => 0,
            Tier::Audit => 1,
            Tier::Access => 2,
        }
    }
}

/// Runs the scan.
pub(crate) fn run(args: &ScanArgs) -> Result<Exit> {
    let paths: Vec<PathBuf> = args.rules.clone().into_iter().collect();
    let rules = match rules::load(&paths) {
        Ok(loaded) => loaded.rule_set,
        Err(error) => {
            complain(&error);
            return Ok(Exit::Configuration);
        }
    };
    let mut scan = Scan {
        args,
        offline: Offline::new(&rules)?,
        arrivals: Arrivals::default(),
        places: Places::default(),
        counts: Counts::default(),
    };
    for (index, path) in args.files.iter().enumerate() {
        let file = u32::try_from(index).context("too many files")?;
        scan.file(file, path).with_context(|| path.display().to_string())?;
    }
    let (alerts, report) = scan.finish()?;
    match args.output {
        OutputForm::Table => report.table(&alerts),
        OutputForm::Jsonl => report.json_lines(&alerts)?,
    }
    let failed = args
        .fail_on
        .is_some_and(|least| alerts.iter().any(|alert| alert.severity >= least));
    Ok(if failed { Exit::Failure } else { Exit::Ok })
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    lines: u64,
    events: u64,
    dead_letters: u64,
}

struct Scan<'a> {
    args: &'a ScanArgs,
    offline: Offline,
    arrivals: Arrivals<Entry>,
    places: Places,
    counts: Counts,
}

impl Scan<'_> {
    fn file(&mut self, file: u32, path: &Path) -> Result<()> {
        let mut lines = Lines::new(lines::open(path)?);
        while let Some((number, line)) = lines.next_line()? {
            self.counts.lines += 1;
            let place = Place { file, line: number };
            match line {
                Line::Whole(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => self.counts.lines -= 1,
                Line::Whole(bytes) => self.line(place, bytes)?,
                Line::TooLong(bytes) => self.reject(
                    place,
                    "too_large",
                    &format!("a line of {bytes} bytes; the limit is {}", lines::BYTES_MAX),
                ),
            }
        }
        Ok(())
    }

    fn line(&mut self, place: Place, bytes: &[u8]) -> Result<()> {
        match self.decode(place, bytes) {
            Ok(event) => {
                self.counts.events += 1;
                let arrival = self.arrival_of(&event, place)?;
                self.arrivals.push(Dated {
                    time: arrival,
                    what: Entry { event, place },
                });
                while let Some((read, arrival)) = self.arrivals.next_settled() {
                    self.push(read, arrival)?;
                }
                Ok(())
            }
            Err(rejection) => {
                self.reject(place, rejection.reason.as_str(), &rejection.detail);
                Ok(())
            }
        }
    }

    fn decode(&self, place: Place, bytes: &[u8]) -> Result<Event, Rejection> {
        let mut context = Context::new(DEFAULT_TENANT, service::clock::now());
        context.year = self.args.year;
        let mut event = self.args.format.decode(bytes, &context)?.event;
        if event.event_id.is_empty() {
            event.event_id = position_id(&self.name(place), 0, place.line);
        }
        Ok(event)
    }

    /// When an event arrived: what the field says, else the event's own time.
    fn arrival_of(&self, event: &Event, place: Place) -> Result<Timestamp> {
        let Some(field) = &self.args.arrival else {
            return Ok(event.time);
        };
        let value = event.field(field).map(|value| value.as_text().into_owned());
        match value.as_deref().map(|text| (Timestamp::parse(text), text)) {
            Some((Some(arrival), _)) => Ok(arrival),
            Some((None, text)) => bail!(
                "{}:{}: `{field}` is not an RFC 3339 time: {text}",
                self.name(place),
                place.line
            ),
            None => bail!("{}:{}: the event has no field `{field}`", self.name(place), place.line),
        }
    }

    fn push(&mut self, read: Entry, arrival: Timestamp) -> Result<()> {
        let (tier, offset) = self.offline.push(&read.event, arrival)?;
        let places = &mut self.places.of_tier[Places::index(tier)];
        // Heartbeats take offsets too.
        let offset = usize::try_from(offset).context("too many events")?;
        places.resize(offset, read.place);
        places.push(read.place);
        Ok(())
    }

    fn reject(&mut self, place: Place, reason: &str, detail: &str) {
        self.counts.dead_letters += 1;
        complain(&format!("{}:{}: {reason}: {detail}", self.name(place), place.line));
    }

    fn name(&self, place: Place) -> String {
        self.args
            .files
            .get(place.file as usize)
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }

    fn finish(mut self) -> Result<(Vec<event::Alert>, Report)> {
        while let Some((read, arrival)) = self.arrivals.next_left() {
            self.push(read, arrival)?;
        }
        let files = self.args.files.iter().map(|path| path.display().to_string()).collect();
        let report = Report {
            files,
            places: self.places,
            counts: self.counts,
        };
        Ok((self.offline.finish()?, report))
    }
}
