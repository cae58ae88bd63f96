use std::time::Duration;

use broker::{Assignment, Effects, Error, Happened, Offset, Output, Reader, Record, Stage, Stopwatch, TopicPartition};
use detection::{Matched, Matcher, Progress};
use event::{Source, SourcePartition, SourceTopic, Tick, topic};
use ruleset::RuleSet;

use crate::facts::{records_of, tick_records};
use crate::metrics::Shown;
use crate::pulse::Pulse;
use crate::tally::Tally;
use crate::{Metrics, dead_letter};

/// What the stage has to know of its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct MatchSettings {
    /// Partitions of `facts`.
    pub facts_partitions: u32,
    /// Partitions of `alerts`.
    pub alerts_partitions: u32,
    /// How often the facts partitions are told how far the sources are.
    pub tick_interval: Duration,
}

/// The first stage: events in; facts, ticks and the alerts of stateless rules out.
pub struct MatchStage {
    matcher: Matcher,
    settings: MatchSettings,
    progress: Progress,
    now: Stopwatch,
    pulse: Pulse,
    metrics: Metrics,
    shown: Shown,
}

/// A source partition.
pub struct MatchTask {
    place: TopicPartition,
    source: SourcePartition,
    start: Offset,
    tally: Tally,
}

impl MatchStage {
    /// Evaluates `rules`.
    pub fn new(rules: &RuleSet, settings: MatchSettings, now: Stopwatch, metrics: Metrics) -> Self {
        metrics.begin_at_zero("match");
        rules.rules().iter().for_each(|rule| metrics.begin_rule(&rule.id));
        Self {
            matcher: Matcher::new(rules),
            settings,
            progress: Progress::default(),
            now,
            pulse: Pulse::new(settings.tick_interval),
            metrics,
            shown: Shown::default(),
        }
    }

    fn evaluate(&mut self, task: &mut MatchTask, record: &Record, matched: &mut Matched, effects: &mut Effects) {
        self.progress.arrived(task.source, record.timestamp);
        self.pulse.news();
        if record.header(topic::HEADER_HEARTBEAT).is_some() {
            task.tally.heartbeats += 1;
            return;
        }
        if record.header(topic::HEADER_DERIVED).is_some() {
            task.tally.derived += 1;
            return;
        }
        let value = record.value.as_deref().unwrap_or_default();
        let source = Source {
            partition: task.source,
            offset: record.offset,
        };
        match self.matcher.evaluate(value, source, record.timestamp, matched) {
            Ok(()) => task.tally.evaluated += 1,
            Err(error) => {
                effects
                    .outputs
                    .push(dead_letter(&task.place, record, error.to_string()));
                task.tally.dead_letters += 1;
            }
        }
    }

    fn send(&self, matched: &Matched, effects: &mut Effects) {
        for fact in matched.facts() {
            effects.outputs.extend(records_of(fact, self.settings.facts_partitions));
        }
        for alert in &matched.alerts {
            let partitions = self.settings.alerts_partitions;
            effects.outputs.push(Output::keyed(
                topic::ALERTS,
                partitions,
                alert.record_key().as_bytes(),
                alert.encode(),
            ));
        }
    }
}

impl Stage for MatchStage {
    type Task = MatchTask;

    fn open(&mut self, assignment: &Assignment, reader: &mut dyn Reader) -> Result<MatchTask, Error> {
        let place = &assignment.partition;
        let topic = SourceTopic::from_name(&place.topic);
        let topic = topic.ok_or_else(|| Error::Misconfigured(format!("{place} holds no events")))?;
        let source = SourcePartition {
            topic,
            partition: place.partition,
        };
        let start = match assignment.committed {
            Some(committed) => committed,
            None => reader.bounds(place)?.0,
        };
        Ok(MatchTask {
            place: place.clone(),
            source,
            start,
            tally: Tally::default(),
        })
    }

    /// The stage has no state: what it knows of a partition's progress comes back with the next record.
    fn restore(&mut self, task: &mut MatchTask, _: &mut dyn Reader) -> Result<Option<Offset>, Error> {
        Ok(Some(task.start))
    }

    fn process(&mut self, task: &mut MatchTask, records: Vec<Record>, effects: &mut Effects) -> Result<(), Error> {
        let mut matched = Matched::default();
        for record in &records {
            self.evaluate(task, record, &mut matched, effects);
        }
        self.send(&matched, effects);
        task.tally.matched(&matched);
        Ok(())
    }

    fn wants_commit(&mut self) -> bool {
        self.pulse.is_due((self.now)())
    }

    /// After the facts of the transaction: how far the sources of this worker are, to every facts partition.
    fn complete(&mut self, effects: &mut Effects) {
        if !self.wants_commit() {
            return;
        }
        self.pulse.told((self.now)());
        let watermarks = self.progress.watermarks();
        self.metrics.watermarks(&watermarks);
        let tick = Tick {
            level: 0,
            rule_set: self.matcher.rule_set(),
            watermarks,
        };
        effects
            .outputs
            .extend(tick_records(tick, self.settings.facts_partitions));
    }

    fn committed(&mut self, task: &mut MatchTask, _: Option<Offset>) -> Result<(), Error> {
        self.metrics.committed(std::mem::take(&mut task.tally));
        Ok(())
    }

    fn close(&mut self, _: &TopicPartition, task: MatchTask) {
        self.progress.forget(task.source);
    }

    fn observe(&mut self, happened: &Happened) {
        self.metrics.happened("match", happened, &mut self.shown);
    }
}
