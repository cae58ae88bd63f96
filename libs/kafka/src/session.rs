//! A place in a consumer group, joined to a transactional producer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use broker::{
    Assignment, Batch, Chunk, Committed, Error, Offset, Polled, Reader, Session, TopicPartition, Transaction,
};
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::client::{self, ANSWER};
use crate::commit::TransactionalProducer;
use crate::drain::Drain;
use crate::failure;
use crate::listener::{Listening as _, ask};
use crate::names::{Names, known_offset};
use crate::rebalance::{GroupConsumer, GroupContext, Rebalance};
use crate::settings::Start;
use crate::watchdog::Watchdog;
use crate::{KafkaReader, KafkaSettings, Observer};

/// How long dropping a session may take. Closing a consumer can hang for ever (librdkafka 4884).
const CLOSING: Duration = Duration::from_secs(5);

/// How long a seek may wait for the partition to be taken up: that happens in the client's own thread.
const TAKING_UP: Duration = Duration::from_secs(5);

/// The place of one worker in a group. Belongs to one thread.
///
/// Dropping it leaves the group, within 5 s; what was not committed is evaluated by others.
pub struct KafkaSession {
    settings: KafkaSettings,
    names: Names,
    group: String,
    transactional_id: String,
    changelog: String,
    observer: Arc<dyn Observer>,
    watchdog: Watchdog,
    /// `None` only while it is dropped.
    consumer: Option<GroupConsumer>,
    /// `None` after a failure, until the next poll has renewed it.
    producer: Option<TransactionalProducer>,
    /// Once another process has our transactional id we do not take it back: the two would fence each other for ever.
    fenced: Option<Error>,
    assigned: BTreeSet<TopicPartition>,
    /// Announced as revoked, and given up with the next poll.
    giving_up: Option<Vec<TopicPartition>>,
    /// Taken from the client and not yet returned.
    batches: VecDeque<Batch>,
    reader: Option<KafkaReader>,
}

impl KafkaSession {
    /// Takes over `<prefix><group>-<slot>` as transactional id, and then joins `<prefix><group>` to read `topics`: another
    /// Tidewatch on the same cluster neither fences us nor shares our partitions.
    ///
    /// `slot` is stable: the same worker of the same instance has the same after a restart, and nobody else has it at
    /// the same time. State changes go to the topic `changelog`.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if a topic does not exist or the brokers refuse us; [`Error::Unavailable`] if nobody
    /// answers.
    pub fn connect(
        settings: &KafkaSettings,
        group: &str,
        slot: &str,
        topics: &[&str],
        changelog: &str,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        settings.require()?;
        let names = Names::new(&settings.prefix);
        let group = format!("{}{group}", settings.prefix);
        let context = GroupContext::new(names.clone(), Arc::clone(&observer));
        let consumer: GroupConsumer = settings
            .group_consumer(&group)
            .create_with_context(context)
            .map_err(|error| Error::Misconfigured(format!("consumer of {group}: {error}")))?;
        let topics: Vec<_> = topics.iter().map(|topic| names.full(topic)).collect();
        for topic in &topics {
            ask(&consumer, |client| client::partition_count(client, topic))?;
        }
        let mut session = Self {
            settings: settings.clone(),
            transactional_id: format!("{group}-{slot}"),
            group,
            changelog: changelog.to_owned(),
            observer,
            watchdog: Watchdog::new(settings.watchdog_timeout()),
            consumer: Some(consumer),
            producer: None,
            fenced: None,
            assigned: BTreeSet::new(),
            giving_up: None,
            batches: VecDeque::new(),
            reader: None,
            names: names.clone(),
        };
        session.producer = Some(session.new_producer()?);
        session
            .consumer()
            .subscribe(&topics)
            .map_err(|error| failure::of_question("subscribe", &error))?;
        Ok(session)
    }

    fn consumer(&self) -> &GroupConsumer {
        self.consumer.as_ref().expect("only dropping takes it away")
    }

    fn new_producer(&self) -> Result<TransactionalProducer, Error> {
        let (id, observer) = (&self.transactional_id, Arc::clone(&self.observer));
        TransactionalProducer::connect(
            &self.settings,
            &self.names,
            id,
            &self.changelog,
            observer,
            &self.watchdog,
        )
    }

    /// The one way back after any failure: a new producer, which fences the old one, and only then the positions.
    fn recover(&mut self) -> Result<Vec<Assignment>, Error> {
        let held = self.names.list(self.assigned.iter().map(|it| (it, None)));
        let paused = held.and_then(|list| self.consumer().pause(&list));
        paused.map_err(|error| failure::of_question("pause", &error))?;
        self.batches.clear();
        let producer = self.new_producer()?;
        let held: Vec<_> = self.assigned.iter().cloned().collect();
        let assignments = self.committed(&held)?;
        // Last: until all of it has succeeded, the next poll begins again.
        self.producer = Some(producer);
        Ok(assignments)
    }

    /// The positions that the group has committed. Waits for transactions that are being decided.
    fn committed(&self, partitions: &[TopicPartition]) -> Result<Vec<Assignment>, Error> {
        let list = self.names.list(partitions.iter().map(|it| (it, None)));
        let list = list.and_then(|list| self.consumer().committed_offsets(list, ANSWER));
        let list = list.map_err(|error| failure::of_question("committed positions", &error))?;
        let mut assignments = Vec::with_capacity(partitions.len());
        for (element, partition) in list.elements().iter().zip(self.names.partitions(&list)) {
            element
                .error()
                .map_err(|error| failure::of_question(&partition.to_string(), &error))?;
            let committed = element.offset().to_raw().and_then(known_offset);
            if committed.is_none() && self.settings.start == Start::Fail {
                return Err(Error::Misconfigured(format!(
                    "the group has no position in {partition}"
                )));
            }
            assignments.push(Assignment { partition, committed });
        }
        Ok(assignments)
    }

    /// Takes partitions up without reading from them, and where the group is in them.
    fn take_up(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Assignment>, Error> {
        let assignments = self.committed(partitions)?;
        let mut places = BTreeMap::new();
        for Assignment { partition, committed } in &assignments {
            // A place where something is kept: until the pause takes effect it may be read from.
            let (first, end) = client::bounds(self.consumer().client(), &self.names, partition)?;
            places.insert(partition.clone(), committed.unwrap_or(first).clamp(first, end));
        }
        let list = self
            .names
            .list(places.iter().map(|(partition, offset)| (partition, Some(*offset))));
        let taken = list.and_then(|list| {
            self.consumer().incremental_assign(&list)?;
            self.consumer().pause(&list)
        });
        taken.map_err(|error| failure::of_question("assign", &error))?;
        self.assigned.extend(partitions.iter().cloned());
        Ok(assignments)
    }

    /// Hands partitions back to the group.
    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        let list = self.names.list(partitions.iter().map(|it| (it, None)));
        let given = list.and_then(|list| self.consumer().incremental_unassign(&list));
        given.map_err(|error| failure::of_question("unassign", &error))?;
        for partition in partitions {
            self.assigned.remove(partition);
            self.observer.released(partition);
        }
        Ok(())
    }

    /// Answers rebalances up to one that the worker must know of. What is to be handed over stays ours until the next poll.
    fn rebalance(&mut self) -> Result<Option<Polled>, Error> {
        while let Some(rebalance) = self.consumer().context().next() {
            let polled = match rebalance {
                Rebalance::Assign(partitions) => Polled::Assigned(self.take_up(&partitions)?),
                Rebalance::Revoke(partitions) => {
                    self.batches.retain(|batch| !partitions.contains(&batch.partition));
                    self.giving_up = Some(partitions.clone());
                    Polled::Revoked(partitions)
                }
                Rebalance::Lose(partitions) => {
                    self.batches.retain(|batch| !partitions.contains(&batch.partition));
                    self.give_up(&partitions)?;
                    Polled::Lost(partitions)
                }
            };
            self.consumer().context().answered();
            // A member that comes last is at first assigned nothing: the group wants an answer, the worker has no use for it.
            if !is_empty(&polled) {
                return Ok(Some(polled));
            }
            self.hand_over()?;
        }
        Ok(None)
    }

    /// Gives up what was announced as revoked.
    fn hand_over(&mut self) -> Result<(), Error> {
        self.giving_up
            .take()
            .map_or(Ok(()), |partitions| self.give_up(&partitions))
    }

    /// Takes what the client has: waits for the first record, then goes on for a moment.
    fn drain(&mut self, wait: Duration) -> Result<(), Error> {
        let mut drain = Drain::default();
        let mut until = Instant::now() + wait;
        let mut result = Ok(());
        while result.is_ok() && drain.records < self.settings.drain_records && !self.consumer().context().has_news() {
            let left = until.saturating_duration_since(Instant::now());
            match self
                .consumer()
                .poll(if drain.records == 0 { left } else { Duration::ZERO })
            {
                Some(Ok(message)) => {
                    if drain.records == 0 {
                        until = Instant::now() + self.settings.drain_time;
                    }
                    drain.push(&message, &self.names, &*self.observer);
                }
                Some(Err(error)) => result = self.check(&error),
                None if drain.records > 0 => break,
                None => {}
            }
            if left.is_zero() {
                break;
            }
        }
        // Also after an error: the client does not deliver a second time what was taken from it.
        self.batches.extend(drain.into_batches());
        result
    }

    /// Which errors of the consumer end the worker. The others pass, and are counted where they are reported.
    fn check(&self, error: &KafkaError) -> Result<(), Error> {
        let code = error.rdkafka_error_code();
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            return Err(code.map_or_else(
                || Error::Misconfigured(error.to_string()),
                |code| failure::of_fatal(code, &error.to_string()),
            ));
        }
        match code {
            Some(RDKafkaErrorCode::AutoOffsetReset) => Err(self.no_longer_kept()),
            Some(code) if failure::is_misconfiguration(code) => {
                let listener = self.consumer().context().listener();
                Err(Error::Misconfigured(listener.with_reason(error.to_string())))
            }
            _ => Ok(()),
        }
    }

    /// The client does not say of which partition it found the position gone.
    fn no_longer_kept(&self) -> Error {
        let position = self.consumer().position().map(|list| {
            let at = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
                format!("{}/{}@{:?}", element.topic(), element.partition(), element.offset())
            };
            list.elements().iter().map(at).collect::<Vec<_>>().join(" ")
        });
        let position = position.unwrap_or_else(|error| error.to_string());
        Error::Misconfigured(format!(
            "a position is no longer kept by the brokers; positions: {position}"
        ))
    }

    fn check_fence(&self) -> Result<(), Error> {
        self.fenced.clone().map_or(Ok(()), Err)
    }

    fn check_positions(&self, transaction: &Transaction) -> Result<(), Error> {
        if transaction.positions.is_empty() {
            return Err(Error::Misconfigured(
                "a transaction without positions is not fenced by the group".into(),
            ));
        }
        // The group fences members, not partitions: it would take this position from us although another works there.
        match transaction
            .positions
            .keys()
            .find(|partition| !self.assigned.contains(*partition))
        {
            Some(partition) => Err(Error::Aborted(format!("{partition} is not ours"))),
            None => Ok(()),
        }
    }

    fn try_commit(&mut self, transaction: &Transaction) -> Result<Committed, Error> {
        self.check_fence()?;
        self.check_positions(transaction)?;
        let producer = self
            .producer
            .as_ref()
            .ok_or_else(|| Error::Aborted("a failure has not been polled over".into()))?;
        let positions = self.names.list(
            transaction
                .positions
                .iter()
                .map(|(partition, offset)| (partition, Some(*offset))),
        );
        let positions = positions.map_err(|error| Error::Misconfigured(error.to_string()))?;
        producer.commit(transaction, &positions, || self.membership(), &self.watchdog)
    }

    /// What the brokers fence a commit by. In this order: what the client says of itself once it is out of the group may
    /// look like a consumer without a group, and that the brokers do not fence.
    fn membership(&self) -> Option<ConsumerGroupMetadata> {
        let metadata = self.consumer().group_metadata()?;
        (!self.consumer().assignment_lost()).then_some(metadata)
    }

    fn reader(&mut self) -> Result<&mut KafkaReader, Error> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => KafkaReader::of_group(&self.settings, self.group.clone(), Arc::clone(&self.observer))?,
        };
        Ok(self.reader.insert(reader))
    }
}

impl Session for KafkaSession {
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        self.check_fence()?;
        self.hand_over()?;
        if self.producer.is_none() {
            let assignments = self.recover()?;
            if !assignments.is_empty() {
                return Ok(Polled::Assigned(assignments));
            }
        }
        if let Some(producer) = &self.producer {
            producer.serve();
        }
        if let Some(polled) = self.rebalance()? {
            return Ok(polled);
        }
        if self.batches.is_empty() {
            self.drain(wait)?;
            if let Some(polled) = self.rebalance()? {
                return Ok(polled);
            }
        }
        Ok(self.batches.pop_front().map_or(Polled::Idle, Polled::Records))
    }

    fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), Error> {
        if !self.assigned.contains(partition) {
            return Err(Error::Misconfigured(format!("{partition} is not ours")));
        }
        let bounds = client::bounds(self.consumer().client(), &self.names, partition)?;
        client::check_kept(partition, from, bounds)?;
        // What was polled before the seek is of the old position.
        self.batches.retain(|batch| batch.partition != *partition);
        let until = Instant::now() + TAKING_UP;
        while let Err(error) = self.seek(partition, from) {
            // The client's thread has not taken the partition up yet.
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::State) || Instant::now() > until {
                return Err(failure::of_question(&partition.to_string(), &error));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let list = self.names.list([(partition, None)]);
        let resumed = list.and_then(|list| self.consumer().resume(&list));
        resumed.map_err(|error| failure::of_question(&partition.to_string(), &error))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Committed, Error> {
        let started = Instant::now();
        let result = self.try_commit(&transaction);
        match &result {
            Ok(_) => {
                let records = transaction.outputs.len() + transaction.changes.len();
                self.observer.committed(started.elapsed(), records);
            }
            Err(error) => {
                tracing::warn!(%error, "transaction not committed");
                self.observer.failed(error);
                if let Error::Fenced(_) = error {
                    self.fenced = Some(error.clone());
                }
                let _watched = self.watchdog.watch("drop producer");
                self.producer = None;
            }
        }
        result
    }
}

impl KafkaSession {
    fn seek(&self, partition: &TopicPartition, from: Offset) -> Result<(), KafkaError> {
        let list = self.names.list([(partition, Some(from))])?;
        let list = self.consumer().seek_partitions(list, ANSWER)?;
        list.elements()
            .iter()
            .try_for_each(rdkafka::topic_partition_list::TopicPartitionListElem::error)
    }

    /// Answers everything that the group waits for: closing with an unanswered rebalance hangs.
    fn settle(&mut self) -> Result<(), Error> {
        self.hand_over()?;
        while let Some(rebalance) = self.consumer().context().next() {
            match rebalance {
                Rebalance::Assign(partitions) => drop(self.take_up(&partitions)?),
                Rebalance::Revoke(partitions) | Rebalance::Lose(partitions) => self.give_up(&partitions)?,
            }
            self.consumer().context().answered();
        }
        Ok(())
    }
}

/// Whether it is news of no partition.
fn is_empty(polled: &Polled) -> bool {
    match polled {
        Polled::Assigned(assignments) => assignments.is_empty(),
        Polled::Revoked(partitions) | Polled::Lost(partitions) => partitions.is_empty(),
        Polled::Records(_) | Polled::Idle => false,
    }
}

impl Drop for KafkaSession {
    fn drop(&mut self) {
        self.producer = None;
        if let Err(error) = self.settle() {
            tracing::warn!(%error, "the last rebalance could not be answered");
        }
        let Some(consumer) = self.consumer.take() else { return };
        consumer.context().close();
        let (tell, told) = sync_channel(1);
        thread::spawn(move || {
            drop(consumer);
            tell.send(())
        });
        if told.recv_timeout(CLOSING).is_err() {
            tracing::warn!(
                id = self.transactional_id,
                "leaving the group takes too long: not waiting for it"
            );
        }
    }
}

impl Reader for KafkaSession {
    fn partition_count(&mut self, topic: &str) -> Result<u32, Error> {
        client::partition_count(self.consumer().client(), self.names.full(topic))
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        self.reader()?.bounds(partition)
    }

    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error> {
        self.reader()?.read(partition, from)
    }
}
