//! Lines of several logs in one order: that of their arrival, as `scan` settles it for each file.

use std::io::{self, BufRead};
use std::time::Duration;

use event::{DEFAULT_TENANT, Timestamp};
use formats::{Choice, Context};

use crate::arrival::{Arrivals, Dated};
use crate::lines::{self, Line, Lines};

/// The most lines that are published at once: less than a worker takes as one batch, so that they stay together.
const LINES_MAX: usize = 2000;

/// So many bytes are enough to publish at once.
const BYTES_MAX: usize = 16 << 20;

/// The longest time that lines which are published at once span. All of them arrive when the last does.
const SPAN_MAX: Duration = Duration::from_secs(10 * 60);

/// A log to replay.
pub(super) struct Log {
    /// What people know it by.
    pub(super) name: String,
    pub(super) reader: Box<dyn BufRead>,
    pub(super) format: Choice,
    /// The year of times that are written without one.
    pub(super) year: Option<i16>,
}

/// Lines of logs that are read as they are asked for.
pub(super) struct Replay {
    sources: Vec<Source>,
    unread: Vec<String>,
}

/// A line on its way.
pub(super) struct Entry {
    pub(super) bytes: Vec<u8>,
    /// The id that its producer gave it.
    pub(super) event_id: Option<String>,
    /// Where it is, as `auth.log:17`.
    pub(super) place: String,
    /// Why it is no event.
    pub(super) problem: Option<String>,
}

/// One log, and its next line.
struct Source {
    name: String,
    format: Choice,
    year: Option<i16>,
    lines: Lines<Box<dyn BufRead>>,
    is_read: bool,
    arrivals: Arrivals<Entry>,
    /// The time of the last line that had one: that of the lines after it that have none.
    time: Option<Timestamp>,
    earliest: Option<Timestamp>,
    next: Option<(Entry, Timestamp)>,
}

impl Replay {
    pub(super) fn new(logs: Vec<Log>) -> io::Result<Self> {
        let sources = logs.into_iter().map(Source::new).collect();
        let mut replay = Self {
            sources,
            unread: Vec::new(),
        };
        for source in &mut replay.sources {
            source.advance(&mut replay.unread)?;
        }
        Ok(replay)
    }

    /// The earliest time among the first lines: no line arrives before it.
    pub(super) fn begins_at(&self) -> Timestamp {
        let earliest = self.sources.iter().filter_map(|source| source.earliest).min();
        earliest.unwrap_or_default()
    }

    /// The next lines, and when the last of them arrives. None at the end.
    pub(super) fn next_lines(&mut self) -> io::Result<(Vec<Entry>, Timestamp)> {
        let mut entries = Vec::new();
        let mut arrived = Timestamp::MIN;
        let mut limit = Timestamp::MAX;
        let mut bytes = 0;
        while entries.len() < LINES_MAX && bytes < BYTES_MAX {
            let waiting = self.sources.iter_mut().filter(|source| source.next.is_some());
            let Some(source) = waiting.min_by_key(|source| source.next.as_ref().map(|(_, arrival)| *arrival)) else {
                break;
            };
            let Some((entry, arrival)) = source.next.take_if(|(_, arrival)| *arrival <= limit) else {
                break;
            };
            if entries.is_empty() {
                limit = arrival.plus(SPAN_MAX);
            }
            bytes += entry.bytes.len();
            entries.push(entry);
            arrived = arrived.max(arrival);
            source.advance(&mut self.unread)?;
        }
        Ok((entries, arrived))
    }

    /// Lines so long that they were passed over.
    pub(super) fn unread(&self) -> &[String] {
        &self.unread
    }
}

impl Source {
    fn new(log: Log) -> Self {
        Self {
            name: log.name,
            format: log.format,
            year: log.year,
            lines: Lines::new(log.reader),
            is_read: false,
            arrivals: Arrivals::default(),
            time: None,
            earliest: None,
            next: None,
        }
    }

    /// Reads on until the arrival of the next line is settled.
    fn advance(&mut self, unread: &mut Vec<String>) -> io::Result<()> {
        while !self.is_read {
            self.next = self.arrivals.next_settled();
            if self.next.is_some() {
                return Ok(());
            }
            self.read(unread)?;
        }
        self.next = self.arrivals.next_left();
        Ok(())
    }

    fn read(&mut self, unread: &mut Vec<String>) -> io::Result<()> {
        let Some((number, line)) = self.lines.next_line()? else {
            self.is_read = true;
            return Ok(());
        };
        let place = format!("{}:{number}", self.name);
        let bytes = match line {
            Line::Whole(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Whole(bytes) => bytes.to_owned(),
            Line::TooLong(bytes) => {
                unread.push(format!("{place}: {bytes} bytes; the limit is {}", lines::BYTES_MAX));
                return Ok(());
            }
        };
        let mut context = Context::new(DEFAULT_TENANT, service::clock::now());
        context.year = self.year;
        let (event_id, problem) = match self.format.decode(&bytes, &context) {
            Ok(decoded) => {
                let event = decoded.event;
                self.time = Some(event.time);
                self.earliest = Some(self.earliest.map_or(event.time, |earliest| earliest.min(event.time)));
                (Some(event.event_id).filter(|id| !id.is_empty()), None)
            }
            Err(rejection) => (
                None,
                Some(format!("{}: {}", rejection.reason.as_str(), rejection.detail)),
            ),
        };
        let what = Entry {
            bytes,
            event_id,
            place,
            problem,
        };
        let time = self.time.unwrap_or(Timestamp::MIN);
        self.arrivals.push(Dated { time, what });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Cursor;

    use super::*;

    fn log(name: &str, text: &str) -> Log {
        Log {
            name: name.to_owned(),
            reader: Box::new(Cursor::new(text.to_owned().into_bytes())),
            format: Choice::Auto,
            year: Some(2026),
        }
    }

    fn places(replay: &mut Replay) -> Vec<(Vec<String>, String)> {
        let mut batches = Vec::new();
        loop {
            let (entries, arrived) = replay.next_lines().unwrap();
            if entries.is_empty() {
                return batches;
            }
            let places = entries.into_iter().map(|entry| entry.place).collect();
            batches.push((places, arrived.to_string()));
        }
    }

    #[test]
    fn logs_are_merged_by_time_and_cut_by_time() {
        let auth = "Jan  5 00:00:10 h sshd[1]: a\nJan  5 00:00:30 h sshd[1]: b\nJan  5 00:20:00 h sshd[1]: c\n";
        let json = "{\"time\":\"2026-01-05T00:00:20Z\",\"message\":\"x\"}\nno event\n\n";
        let mut replay = Replay::new(vec![log("a", auth), log("j", json)]).unwrap();
        assert_eq!(replay.begins_at().to_string(), "2026-01-05T00:00:10.000Z");
        let batches = places(&mut replay);
        let first = ["a:1", "j:1", "j:2", "a:2"].map(str::to_owned).to_vec();
        assert_eq!(
            batches,
            [
                (first, "2026-01-05T00:00:30.000Z".to_owned()),
                (vec!["a:3".to_owned()], "2026-01-05T00:20:00.000Z".to_owned()),
            ]
        );
    }

    #[test]
    fn no_batch_is_larger_than_a_worker_takes_at_once() {
        let line = "Jan  5 00:00:10 h sshd[1]: a\n";
        let mut replay = Replay::new(vec![log("a", &line.repeat(LINES_MAX + 1))]).unwrap();
        let sizes: Vec<usize> = places(&mut replay).iter().map(|(places, _)| places.len()).collect();
        assert_eq!(sizes, [LINES_MAX, 1]);
    }
}
