use std::time::Duration;

use broker::{Assignment, Effects, Error, Happened, Offset, Output, Reader, Record, Stage, Stopwatch, TopicPartition};
use detection::{Correlator, SourceCounts, Step};
use event::{FactRecord, SemanticHash, Source, SourcePartition, SourceTopic, StateChange, topic};
use ruleset::RuleSet;
use state::{Image, ImageError, StateStore};

use crate::facts::{records_of, tick_records};
use crate::levels::Levels;
use crate::metrics::Shown;
use crate::tally::Tally;
use crate::{Metrics, dead_letter};

/// What the stage has to know of its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct CorrelateSettings {
    /// The sources whose progress counts.
    pub sources: SourceCounts,
    /// Partitions of `alerts`.
    pub alerts_partitions: u32,
    /// How often the facts partitions are told how far ours are done with the facts that are derived in them.
    pub tick_interval: Duration,
    /// How often what is committed goes to the image.
    pub flush_interval: Duration,
    /// How many bytes of keys and values one partition may hold in memory after a flush.
    pub memory_bytes_max: usize,
}

/// Opens and discards the images of facts partitions.
pub trait Images {
    /// The kind of image.
    type Image: Image;

    /// The image of a partition; a new one if there is none that can be used.
    ///
    /// # Errors
    /// If the disk cannot be used.
    fn open(&mut self, partition: u32) -> Result<Self::Image, ImageError>;

    /// A new image in place of the one that is there.
    ///
    /// # Errors
    /// If the disk cannot be used.
    fn discard(&mut self, partition: u32, image: Self::Image) -> Result<Self::Image, ImageError>;
}

/// The second stage: facts and ticks in; alerts and state changes out.
pub struct CorrelateStage<M: Images> {
    rules: RuleSet,
    rule_set: SemanticHash,
    settings: CorrelateSettings,
    images: M,
    levels: Levels,
    now: Stopwatch,
    metrics: Metrics,
    shown: Shown,
}

/// A facts partition: its state, and what evaluates it.
pub struct CorrelateTask<I> {
    place: TopicPartition,
    /// The position the group has committed.
    committed: Option<Offset>,
    /// Somebody has committed state of it, whoever that was.
    has_state: bool,
    store: StateStore<I>,
    /// There once the state is restored.
    correlator: Option<Correlator>,
    flushed: Duration,
    tally: Tally,
}

impl<I: Image> CorrelateTask<I> {
    /// The state of the partition.
    pub fn store(&self) -> &StateStore<I> {
        &self.store
    }
}

impl<M: Images> CorrelateStage<M> {
    /// Evaluates `rules`, with the images that `images` gives.
    pub fn new(rules: RuleSet, settings: CorrelateSettings, images: M, now: Stopwatch, metrics: Metrics) -> Self {
        metrics.begin_at_zero("correlate");
        metrics.state_limit(settings.memory_bytes_max);
        Self {
            rule_set: rules.hash(),
            rules,
            settings,
            images,
            levels: Levels::new(settings.tick_interval),
            now,
            metrics,
            shown: Shown::default(),
        }
    }

    fn evaluate(
        &self,
        task: &mut CorrelateTask<M::Image>,
        record: &Record,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let Some(correlator) = &mut task.correlator else {
            return Err(Error::Aborted(format!("{} is not restored", task.place)));
        };
        let at = Source {
            partition: SourcePartition {
                topic: SourceTopic::Facts,
                partition: task.place.partition,
            },
            offset: record.offset,
        };
        let step = match FactRecord::decode(record.value.as_deref().unwrap_or_default()) {
            Ok(FactRecord::Fact(fact)) => correlator.on_fact(&fact, at, &mut task.store),
            Ok(FactRecord::Tick(tick)) => correlator.on_tick(&tick, at, &mut task.store),
            Err(error) => {
                effects
                    .outputs
                    .push(dead_letter(&task.place, record, error.to_string()));
                task.tally.dead_letters += 1;
                return Ok(());
            }
        };
        let step = step.map_err(image_failed)?;
        task.tally.correlated(&step);
        self.send(step, effects);
        Ok(())
    }

    fn send(&self, step: Step, effects: &mut Effects) {
        effects.changes.extend(step.changes);
        for fact in step.facts.iter() {
            effects.outputs.extend(records_of(fact, self.settings.sources.facts));
        }
        for alert in step.alerts {
            let key = alert.record_key();
            let partitions = self.settings.alerts_partitions;
            effects
                .outputs
                .push(Output::keyed(topic::ALERTS, partitions, key.as_bytes(), alert.encode()));
        }
        if let Some(late) = step.late {
            let key = late.key.as_bytes().to_vec().into();
            let value = Some(FactRecord::Fact(late).encode().into());
            let topic = topic::LATE_FACTS.into();
            effects.outputs.push(Output {
                topic,
                partition: 0,
                key: Some(key),
                value,
                headers: Vec::new(),
            });
        }
    }

    fn changelog(task: &CorrelateTask<M::Image>) -> TopicPartition {
        TopicPartition::new(topic::CHANGELOG, task.place.partition)
    }
}

fn image_failed(error: ImageError) -> Error {
    Error::Unavailable(error.to_string())
}

impl<M: Images> Stage for CorrelateStage<M> {
    type Task = CorrelateTask<M::Image>;

    fn open(&mut self, assignment: &Assignment, reader: &mut dyn Reader) -> Result<Self::Task, Error> {
        let partition = assignment.partition.partition;
        let changelog = TopicPartition::new(topic::CHANGELOG, partition);
        let (first, end) = reader.bounds(&changelog)?;
        let mut image = self.images.open(partition).map_err(image_failed)?;
        // An image that ends before the changelog begins cannot be completed; one that is ahead of it is of another log.
        if (image.covers() < first && image.covers() > 0) || image.covers() > end {
            tracing::warn!(
                partition,
                covers = image.covers(),
                first,
                end,
                "state image does not fit the changelog: rebuilding it"
            );
            image = self.images.discard(partition, image).map_err(image_failed)?;
        }
        Ok(CorrelateTask {
            place: assignment.partition.clone(),
            committed: assignment.committed,
            has_state: image.covers() > 0,
            store: StateStore::open(image),
            correlator: None,
            flushed: (self.now)(),
            tally: Tally::default(),
        })
    }

    fn restore(&mut self, task: &mut Self::Task, reader: &mut dyn Reader) -> Result<Option<Offset>, Error> {
        let changelog = Self::changelog(task);
        let from = task.store.covers().max(reader.bounds(&changelog)?.0);
        let chunk = reader.read(&changelog, from)?;
        for record in &chunk.records {
            let key = record.key.as_deref().unwrap_or_default();
            let change = StateChange::decode(key, record.value.as_deref());
            let change =
                change.map_err(|error| Error::Misconfigured(format!("{changelog}@{}: {error}", record.offset)))?;
            task.store.restore(change, record.offset + 1).map_err(image_failed)?;
        }
        self.metrics.restored.inc_by(chunk.records.len() as u64);
        task.has_state |= !chunk.records.is_empty();
        // What lies between the last record and here was aborted or compacted.
        task.store.commit(chunk.next);
        if !chunk.at_end {
            return Ok(None);
        }
        let correlator = Correlator::open(&self.rules, self.settings.sources, &task.store).map_err(image_failed)?;
        self.levels.update(task.place.partition, correlator.done());
        task.correlator = Some(correlator);
        match task.committed {
            Some(committed) => Ok(Some(committed)),
            // What was committed was committed with a position. A first transaction that was aborted leaves neither.
            None if task.has_state => Err(Error::Misconfigured(format!(
                "{} has state, but the group has no position in it: its offsets were deleted or have expired",
                task.place
            ))),
            None => Ok(Some(reader.bounds(&task.place)?.0)),
        }
    }

    fn process(&mut self, task: &mut Self::Task, records: Vec<Record>, effects: &mut Effects) -> Result<(), Error> {
        for record in &records {
            self.evaluate(task, record, effects)?;
        }
        if let Some(correlator) = &task.correlator {
            self.levels.update(task.place.partition, correlator.done());
        }
        Ok(())
    }

    fn wants_commit(&mut self) -> bool {
        self.levels.is_due((self.now)())
    }

    /// After the facts of the transaction: how far our partitions are done with them, to every facts partition.
    fn complete(&mut self, effects: &mut Effects) {
        for tick in self.levels.ticks((self.now)(), self.rule_set) {
            effects.outputs.extend(tick_records(tick, self.settings.sources.facts));
        }
    }

    fn committed(&mut self, task: &mut Self::Task, changelog: Option<Offset>) -> Result<(), Error> {
        self.metrics.committed(std::mem::take(&mut task.tally));
        task.has_state |= changelog.is_some();
        task.store.commit(changelog.unwrap_or(task.store.covers()));
        let now = (self.now)();
        let size = task.store.size();
        if now.saturating_sub(task.flushed) >= self.settings.flush_interval
            || size.bytes > self.settings.memory_bytes_max
        {
            task.flushed = now;
            task.store.flush().map_err(image_failed)?;
            task.store.evict(self.settings.memory_bytes_max);
        }
        self.metrics.state(task.place.partition, task.store.size());
        if let Some(correlator) = &task.correlator {
            self.metrics
                .rule_watermark(task.place.partition, correlator.watermark());
        }
        Ok(())
    }

    fn close(&mut self, _: &TopicPartition, mut task: Self::Task) {
        // Only a shorter replay next time: what the image lacks is in the changelog. An image of no state that covers
        // what was aborted would be taken for state.
        if task.has_state
            && let Err(error) = task.store.flush()
        {
            tracing::warn!(partition = task.place.partition, %error, "state image was not brought up to date");
        }
        self.levels.forget(task.place.partition);
        self.metrics.forget_state(task.place.partition);
    }

    fn observe(&mut self, happened: &Happened) {
        self.metrics.happened("correlate", happened, &mut self.shown);
    }
}
