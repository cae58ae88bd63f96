use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use broker::memory::{Log, MemberId};
use broker::{
    Chunk, Committed, Error, Offset, Output, Polled, Publisher as _, Reader, Session, TopicPartition, Transaction,
};
use event::{FactRecord, Timestamp, topic};

use crate::random::Random;
use crate::{Faults, Met, PlantedBug};

/// A session of the log in memory whose commits fail as those of a real one do, and which has one planted bug or none.
pub(crate) struct SimSession {
    inner: broker::memory::Session,
    log: Log,
    random: Rc<RefCell<Random>>,
    met: Rc<RefCell<Met>>,
    faults: Faults,
    bug: Option<PlantedBug>,
}

impl SimSession {
    /// Wraps a session of `log`.
    pub(crate) fn new(
        inner: broker::memory::Session,
        log: Log,
        random: Rc<RefCell<Random>>,
        met: Rc<RefCell<Met>>,
        faults: Faults,
        bug: Option<PlantedBug>,
    ) -> Self {
        Self {
            inner,
            log,
            random,
            met,
            faults,
            bug,
        }
    }

    /// Our name in the group.
    pub(crate) fn member(&self) -> MemberId {
        self.inner.member()
    }

    /// Ends it as a killed process does.
    pub(crate) fn crash(self) {
        self.inner.crash();
    }

    fn chance(&self, percent: u64) -> bool {
        self.random.borrow_mut().chance(percent)
    }

    fn publish(&self, outputs: Vec<Output>) {
        let done = Box::new(|result: Result<Vec<broker::Position>, Error>| assert!(result.is_ok(), "{result:?}"));
        self.log
            .publish(outputs, done)
            .expect("the log in memory takes everything");
    }

    /// Does with the transaction what the planted bug does.
    fn sabotage(&self, transaction: &mut Transaction) {
        match self.bug {
            Some(PlantedBug::EmitBeforeCommit) => {
                self.publish(std::mem::take(&mut transaction.outputs));
            }
            Some(PlantedBug::NoChangelog) => transaction.changes.clear(),
            Some(PlantedBug::WatermarksNotInChangelog) => transaction.changes.retain(|(_, change)| *change.key != [0]),
            Some(PlantedBug::TimersForgotten) => {
                for (_, change) in &mut transaction.changes {
                    // The wake-up time of a value lies in its bytes 1 to 8.
                    if let Some(value) = change.value.as_mut().filter(|value| value.len() > 9) {
                        value[1..9].fill(0xff);
                    }
                }
            }
            Some(PlantedBug::PositionSkipsARecord) if self.chance(5) => {
                transaction.positions.values_mut().for_each(|position| *position += 1);
            }
            Some(PlantedBug::DerivedFactsOutsideTheTransaction) => {
                self.publish(extract(
                    transaction,
                    |record| matches!(record, FactRecord::Fact(fact) if fact.level > 0),
                ));
            }
            Some(PlantedBug::LevelsToldBeforeTheirFacts) => self.publish(extract(transaction, is_of_a_level)),
            Some(PlantedBug::LevelsNotTold) => drop(extract(transaction, is_of_a_level)),
            Some(PlantedBug::TicksRunAhead) => transaction.outputs.iter_mut().for_each(run_ahead),
            Some(PlantedBug::FencingIgnored | PlantedBug::PositionsNotCommitted | PlantedBug::PositionSkipsARecord)
            | None => {}
        }
    }
}

fn is_of_a_level(record: &FactRecord) -> bool {
    matches!(record, FactRecord::Tick(tick) if tick.level > 0)
}

/// Takes the records of `facts` that are such out of a transaction.
fn extract(transaction: &mut Transaction, is_such: impl Fn(&FactRecord) -> bool) -> Vec<Output> {
    let decoded = |output: &Output| FactRecord::decode(output.value.as_deref().unwrap_or_default());
    let is_such =
        |output: &mut Output| *output.topic == *topic::FACTS && decoded(output).is_ok_and(|record| is_such(&record));
    transaction.outputs.extract_if(.., is_such).collect()
}

/// Makes a tick promise that everything until two hours from now has arrived.
fn run_ahead(output: &mut Output) {
    if let Some(Ok(FactRecord::Tick(mut tick))) = output.value.as_deref().map(FactRecord::decode) {
        let ahead = |watermark: Timestamp| watermark.plus(Duration::from_secs(2 * 60 * 60));
        tick.watermarks
            .iter_mut()
            .for_each(|(_, watermark)| *watermark = ahead(*watermark));
        output.value = Some(FactRecord::Tick(tick).encode().into());
    }
}

impl Reader for SimSession {
    fn partition_count(&mut self, topic: &str) -> Result<u32, Error> {
        self.inner.partition_count(topic)
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), Error> {
        self.inner.bounds(partition)
    }

    fn read(&mut self, partition: &TopicPartition, from: Offset) -> Result<Chunk, Error> {
        self.inner.read(partition, from)
    }
}

impl Session for SimSession {
    fn poll(&mut self, _: Duration) -> Result<Polled, Error> {
        let polled = self.inner.poll(Duration::ZERO)?;
        let mut met = self.met.borrow_mut();
        match &polled {
            Polled::Assigned(_) => met.assigned += 1,
            Polled::Revoked(_) => met.revoked += 1,
            Polled::Lost(_) => met.lost += 1,
            Polled::Records(_) | Polled::Idle => {}
        }
        Ok(polled)
    }

    fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), Error> {
        self.inner.start(partition, from)
    }

    fn commit(&mut self, mut transaction: Transaction) -> Result<Committed, Error> {
        self.met.borrow_mut().commits += 1;
        self.sabotage(&mut transaction);
        if self.chance(self.faults.commit_aborts) {
            self.met.borrow_mut().aborted += 1;
            return Err(self.inner.abort("the coordinator aborted it"));
        }
        let ignored = (self.bug == Some(PlantedBug::FencingIgnored)).then(|| copy(&transaction));
        if self.bug == Some(PlantedBug::PositionsNotCommitted) && self.chance(10) {
            self.publish(transaction.outputs.clone());
            return Err(self.inner.abort("outputs without positions"));
        }
        match self.inner.commit(transaction) {
            Ok(_) if self.chance(self.faults.reply_lost) => {
                self.met.borrow_mut().in_doubt += 1;
                Err(self.inner.abort("committed, but the answer was lost"))
            }
            Ok(committed) => Ok(committed),
            Err(error) => {
                self.met.borrow_mut().fenced += 1;
                if let Some(transaction) = ignored {
                    self.publish(transaction.outputs);
                }
                Err(error)
            }
        }
    }
}

fn copy(transaction: &Transaction) -> Transaction {
    Transaction {
        outputs: transaction.outputs.clone(),
        changes: transaction.changes.clone(),
        positions: transaction.positions.clone(),
    }
}

/// The topics of the simulated detector.
pub(crate) fn create_topics(log: &Log, sources: u32, facts: u32) {
    use broker::memory::Keep;
    for name in topic::EVENTS {
        log.create_topic(
            name,
            if name == topic::EVENTS_SECURITY { sources } else { 1 },
            Keep::All,
        );
    }
    log.create_topic(topic::FACTS, facts, Keep::All);
    log.create_topic(topic::CHANGELOG, facts, Keep::All);
    for name in [topic::ALERTS, topic::DEAD_LETTERS, topic::LATE_FACTS] {
        log.create_topic(name, 1, Keep::All);
    }
}
