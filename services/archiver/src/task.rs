use archive::{ArchiveTier, FORMATS, Limits, Policy, RecordError, SegmentBuilder};
use broker::{Offset, Record, TopicPartition};
use event::Timestamp;

/// The archiving of one partition.
pub(crate) struct Task {
    pub(crate) tier: &'static ArchiveTier,
    pub(crate) policy: Policy,
    /// Where the next segment begins: everything before is archived and committed.
    pub(crate) position: Offset,
    pub(crate) stage: Stage,
}

/// What is being done with a partition.
pub(crate) enum Stage {
    /// Its records are gathered.
    Gathering(Box<SegmentBuilder>),
    /// Nothing is gathered until then. What comes meanwhile is passed over, so that memory does not grow; the log
    /// gives it again.
    Waiting {
        /// When to begin again.
        until: Timestamp,
        /// The append of the oldest record that is not archived.
        since: Timestamp,
    },
    /// A person must look at it.
    Stopped {
        /// The append of the oldest record that is not archived.
        since: Timestamp,
        /// What the person will see.
        reason: String,
    },
}

impl Stage {
    fn gathering(tier: &'static ArchiveTier, partition: &TopicPartition, from: Offset) -> Self {
        Self::Gathering(Box::new(SegmentBuilder::new(tier, FORMATS[0], partition.clone(), from)))
    }
}

impl Task {
    pub(crate) fn new(
        tier: &'static ArchiveTier,
        policy: Policy,
        partition: &TopicPartition,
        position: Offset,
    ) -> Self {
        Self {
            tier,
            policy,
            position,
            stage: Stage::gathering(tier, partition, position),
        }
    }

    /// Begins an empty segment where the last one ended.
    pub(crate) fn begin(&mut self, partition: &TopicPartition) {
        self.stage = Stage::gathering(self.tier, partition, self.position);
    }

    /// Adds the records that come after what is gathered.
    pub(crate) fn gather(&mut self, records: Vec<Record>, now: Timestamp) -> Result<(), RecordError> {
        let Stage::Gathering(builder) = &mut self.stage else {
            return Ok(());
        };
        records.iter().try_for_each(|record| builder.add(record, now))
    }

    pub(crate) fn is_due(&self, limits: &Limits, now: Timestamp) -> bool {
        match &self.stage {
            Stage::Gathering(builder) => builder.is_due(limits, now),
            Stage::Waiting { .. } | Stage::Stopped { .. } => false,
        }
    }

    /// The segment, if there is a record in it. Nothing is gathered until the task begins again.
    pub(crate) fn take(&mut self) -> Option<SegmentBuilder> {
        let Stage::Gathering(builder) = &mut self.stage else {
            return None;
        };
        let since = builder.summary().oldest_append()?;
        let waiting = Stage::Waiting {
            until: Timestamp::MAX,
            since,
        };
        match std::mem::replace(&mut self.stage, waiting) {
            Stage::Gathering(builder) => Some(*builder),
            Stage::Waiting { .. } | Stage::Stopped { .. } => None,
        }
    }

    pub(crate) fn has_waited(&self, now: Timestamp) -> bool {
        matches!(self.stage, Stage::Waiting { until, .. } if until <= now)
    }

    /// What keeps its records from being archived, to a person.
    pub(crate) fn obstacle(&self) -> Option<&str> {
        match &self.stage {
            Stage::Gathering(_) => None,
            Stage::Waiting { .. } => Some("waiting for the object store"),
            Stage::Stopped { reason, .. } => Some(reason),
        }
    }

    /// The memory that its segment takes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.stage {
            Stage::Gathering(builder) => builder.bytes(),
            Stage::Waiting { .. } | Stage::Stopped { .. } => 0,
        }
    }

    /// The append of the oldest record that is not archived, as far as it is known.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Gathering(builder) => builder.summary().oldest_append(),
            Stage::Waiting { since, .. } | Stage::Stopped { since, .. } => Some(*since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_not_gathered_into() {
        let tier = archive::tier_of("facts").expect("archived");
        let place = TopicPartition::new("facts", 0);
        let mut task = Task::new(tier, tier.policy(None), &place, 5);
        assert!(task.take().is_none(), "there is nothing in it");
        let record = |offset| {
            let timestamp = Timestamp::from_millis(7);
            Record {
                offset,
                timestamp,
                key: None,
                value: None,
                headers: Vec::new(),
            }
        };
        task.gather(vec![record(5)], Timestamp::from_millis(8))
            .expect("in order");
        assert_eq!(task.take().map(|segment| segment.summary().next_offset()), Some(6));
        task.gather(vec![record(6)], Timestamp::from_millis(8))
            .expect("passed over");
        assert_eq!((task.bytes(), task.oldest()), (0, Some(Timestamp::from_millis(7))));
        assert!(task.take().is_none());
    }
}
