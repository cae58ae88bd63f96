//! The topic door: records of `raw` and the operator's topics become events, in one transaction with the positions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::{Assignment, Effects, Error, Happened, Offset, Reader, Record, Stage, TopicPartition};
use event::{Reason, position_id};
use formats::{Context, Framing, Rejection, split};

use crate::heartbeat::Activity;
use crate::intake::{Intake, Tally, partitions_of};
use crate::metrics::gauge;
use crate::{Clocks, Ingest, Metrics, TopicSettings};

/// The stage that reads the operator's topics. It has no state: what follows from a record follows from it alone.
///
/// Neither the keys nor the headers of the records mean anything here, for producers write them.
pub struct TopicDoor {
    topics: BTreeMap<String, Arc<TopicSettings>>,
    intake: Arc<Intake>,
    activity: Arc<Activity>,
    metrics: Metrics,
    clocks: Clocks,
    owned: usize,
}

/// A partition of one of the topics.
pub struct TopicTask {
    place: TopicPartition,
    start: Offset,
    settings: Arc<TopicSettings>,
    /// What follows from the records since the last commit.
    tally: Tally,
    written: BTreeSet<TopicPartition>,
}

impl TopicDoor {
    pub(crate) fn new(ingest: &Ingest) -> Self {
        let topics = ingest.settings.topics.iter();
        Self {
            topics: topics
                .map(|settings| (settings.topic.clone(), Arc::new(settings.clone())))
                .collect(),
            intake: ingest.intake.clone(),
            activity: ingest.activity.clone(),
            metrics: ingest.metrics.clone(),
            clocks: ingest.clocks.clone(),
            owned: 0,
        }
    }

    fn own(&mut self, partitions: usize) {
        self.metrics.partitions.add(gauge(partitions) - gauge(self.owned));
        self.owned = partitions;
    }

    fn take(&self, task: &mut TopicTask, record: &Record, context: &Context, effects: &mut Effects) {
        let value = record.value.as_deref().unwrap_or_default();
        match entries(record, context) {
            Ok(entries) => {
                let is_alone = entries.len() == 1;
                for (index, entry) in entries.into_iter().enumerate() {
                    let index = (!is_alone).then_some(index);
                    self.take_entry(task, entry, (record.offset, index), context, effects);
                }
            }
            Err(rejection) => self.set_aside(task, value, (record.offset, None), &rejection, context, effects),
        }
    }

    fn take_entry(&self, task: &mut TopicTask, entry: &[u8], at: At, context: &Context, effects: &mut Effects) {
        let choice = task.settings.format;
        match self.intake.admit(choice, entry, context, |_| id(&task.place, at)) {
            Ok(admitted) => {
                effects.outputs.push(task.tally.admitted(entry, admitted));
            }
            Err(rejection) => self.set_aside(task, entry, at, &rejection, context, effects),
        }
    }

    fn set_aside(
        &self,
        task: &mut TopicTask,
        bytes: &[u8],
        at: At,
        rejection: &Rejection,
        context: &Context,
        effects: &mut Effects,
    ) {
        task.tally.rejected(bytes, rejection);
        let letter = self
            .intake
            .dead_letter(rejection, bytes, &origin(&task.place, at), context);
        effects.outputs.push(letter);
    }
}

/// An offset, and the place among the entries of a record that holds several.
type At = (Offset, Option<usize>);

/// The same on every replay.
fn id(place: &TopicPartition, (offset, index): At) -> String {
    let id = position_id(&place.topic, place.partition, offset);
    match index {
        Some(index) => format!("{id}-{index}"),
        None => id,
    }
}

fn origin(place: &TopicPartition, (offset, index): At) -> String {
    match index {
        Some(index) => format!("{place}@{offset} entry {index}"),
        None => format!("{place}@{offset}"),
    }
}

/// The entries of a record: at least one, for what leads to nothing would be gone without a trace.
fn entries<'a>(record: &'a Record, context: &Context) -> Result<Vec<&'a [u8]>, Rejection> {
    let empty = |detail: &str| Rejection {
        reason: Reason::Empty,
        detail: detail.to_owned(),
        format: None,
    };
    let value = record.value.as_deref().ok_or_else(|| empty("the value is null"))?;
    let entries = split(value, Framing::of(value), &context.limits)?;
    if entries.is_empty() {
        return Err(empty("it is an empty list"));
    }
    Ok(entries)
}

impl Stage for TopicDoor {
    type Task = TopicTask;

    fn open(&mut self, assignment: &Assignment, reader: &mut dyn Reader) -> Result<TopicTask, Error> {
        let place = &assignment.partition;
        let settings = self.topics.get(&*place.topic);
        let settings = settings.ok_or_else(|| Error::Misconfigured(format!("{place} is no topic of this door")))?;
        let start = match assignment.committed {
            Some(committed) => committed,
            None => reader.bounds(place)?.0,
        };
        Ok(TopicTask {
            place: place.clone(),
            start,
            settings: settings.clone(),
            tally: Tally::default(),
            written: BTreeSet::new(),
        })
    }

    fn restore(&mut self, task: &mut TopicTask, _: &mut dyn Reader) -> Result<Option<Offset>, Error> {
        Ok(Some(task.start))
    }

    fn process(&mut self, task: &mut TopicTask, records: Vec<Record>, effects: &mut Effects) -> Result<(), Error> {
        let settings = task.settings.clone();
        let context = Context {
            service: settings.service.as_deref(),
            zone: settings.zone.clone(),
            limits: self.intake.limits().clone(),
            ..Context::new(&settings.tenant, (self.clocks.wall)())
        };
        let before = effects.outputs.len();
        for record in &records {
            self.take(task, record, &context, effects);
        }
        task.written.extend(partitions_of(&effects.outputs[before..]));
        Ok(())
    }

    fn committed(&mut self, task: &mut TopicTask, _: Option<Offset>) -> Result<(), Error> {
        let TopicSettings { topic, tenant, .. } = &*task.settings;
        std::mem::take(&mut task.tally).written(&self.metrics, topic, tenant);
        let written = std::mem::take(&mut task.written);
        self.activity.written(&written, (self.clocks.stopwatch)());
        Ok(())
    }

    fn observe(&mut self, happened: &Happened) {
        self.metrics.happened(happened);
        if let Happened::Owned { partitions, .. } = happened {
            self.own(*partitions);
        }
    }
}

impl Drop for TopicDoor {
    fn drop(&mut self) {
        self.own(0);
    }
}
