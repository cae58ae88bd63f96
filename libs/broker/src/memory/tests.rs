#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use event::Timestamp;

use super::{Keep, Log, Session};
use crate::{
    Assignment, Error, Output, Polled, Publisher as _, Reader as _, Session as _, TopicPartition, Transaction,
};

fn log(partitions: u32) -> Log {
    let log = Log::new(|| Timestamp::from_millis(7));
    log.create_topic("in", partitions, Keep::UntilRead);
    log.create_topic("out", 1, Keep::All);
    log
}

fn output(topic: &str, partition: u32, value: &'static str) -> Output {
    Output {
        topic: topic.into(),
        partition,
        key: None,
        value: Some(value.into()),
        headers: Vec::new(),
    }
}

fn publish(log: &Log, partition: u32, value: &'static str) {
    log.publish(
        vec![output("in", partition, value)],
        Box::new(|done| assert!(done.is_ok())),
    )
    .unwrap();
}

fn poll(session: &mut Session) -> Polled {
    session.poll(Duration::ZERO).unwrap()
}

/// Polls until records come, and starts whatever is assigned at its committed position.
fn values(session: &mut Session) -> Vec<(u32, String)> {
    let mut values = Vec::new();
    loop {
        match poll(session) {
            Polled::Assigned(assigned) => start(session, &assigned),
            Polled::Revoked(_) | Polled::Lost(_) => {}
            Polled::Records(batch) => values.extend(batch.records.iter().map(|record| {
                (
                    batch.partition.partition,
                    String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap(),
                )
            })),
            Polled::Idle => return values,
        }
    }
}

fn start(session: &mut Session, assigned: &[Assignment]) {
    for assignment in assigned {
        session
            .start(&assignment.partition, assignment.committed.unwrap_or(0))
            .unwrap();
    }
}

fn transaction(partition: u32, next: u64, outputs: Vec<Output>) -> Transaction {
    Transaction {
        outputs,
        changes: Vec::new(),
        positions: [(TopicPartition::new("in", partition), next)].into(),
    }
}

fn written(log: &Log) -> usize {
    let mut reader = log.session("nobody", "nobody", &[]).unwrap();
    reader.read(&TopicPartition::new("out", 0), 0).unwrap().records.len()
}

#[test]
fn a_commit_is_all_or_nothing_and_survives_the_session() {
    let log = log(1);
    let mut one = log.session("g", "t", &["in"]).unwrap();
    publish(&log, 0, "a");
    publish(&log, 0, "b");
    assert_eq!(values(&mut one).len(), 2);
    let bad = transaction(0, 1, vec![output("out", 0, "x"), output("nowhere", 0, "y")]);
    assert!(one.commit(bad).is_err());
    assert_eq!(written(&log), 0);
    assert_eq!(
        values(&mut one).len(),
        2,
        "after a failed commit everything is delivered again"
    );
    one.commit(transaction(0, 1, vec![output("out", 0, "x")])).unwrap();
    drop(one);
    assert_eq!(written(&log), 1);
    let mut two = log.session("g", "t", &["in"]).unwrap();
    assert_eq!(values(&mut two), [(0, "b".to_owned())]);
}

#[test]
fn a_second_holder_of_the_transactional_id_fences_the_first() {
    let log = log(1);
    let mut one = log.session("g", "t", &["in"]).unwrap();
    values(&mut one);
    let _two = log.session("g", "t", &["in"]).unwrap();
    assert!(matches!(one.commit(transaction(0, 0, vec![])), Err(Error::Fenced(_))));
    assert!(matches!(one.poll(Duration::ZERO), Err(Error::Fenced(_))));
}

#[test]
fn revoked_partitions_are_ours_until_the_next_poll() {
    let log = log(2);
    let mut one = log.session("g", "one", &["in"]).unwrap();
    publish(&log, 0, "a");
    publish(&log, 1, "b");
    assert_eq!(values(&mut one).len(), 2);
    let mut two = log.session("g", "two", &["in"]).unwrap();
    let Polled::Revoked(leaving) = poll(&mut one) else {
        panic!("half of the partitions must go")
    };
    assert_eq!(leaving.len(), 1);
    assert!(matches!(poll(&mut two), Polled::Idle), "nobody else may have it yet");
    let next = leaving[0].partition;
    one.commit(transaction(next, 1, vec![output("out", 0, "x")])).unwrap();
    assert!(matches!(poll(&mut one), Polled::Idle));
    assert!(one.commit(transaction(next, 1, vec![])).is_err(), "now it is given up");
    let Polled::Assigned(got) = poll(&mut two) else {
        panic!("the free partition must come")
    };
    assert_eq!(
        got,
        [Assignment {
            partition: leaving[0].clone(),
            committed: Some(1)
        }]
    );
}

#[test]
fn a_zombie_cannot_commit_and_learns_that_it_lost() {
    let log = log(1);
    let mut one = log.session("g", "one", &["in"]).unwrap();
    publish(&log, 0, "a");
    values(&mut one);
    log.evict("g", one.member());
    let mut two = log.session("g", "two", &["in"]).unwrap();
    assert_eq!(values(&mut two).len(), 1);
    assert!(matches!(
        one.commit(transaction(0, 1, vec![output("out", 0, "x")])),
        Err(Error::Aborted(_))
    ));
    assert_eq!(written(&log), 0);
    assert!(matches!(poll(&mut one), Polled::Lost(lost) if lost.len() == 1));
    two.commit(transaction(0, 1, vec![output("out", 0, "x")])).unwrap();
    assert_eq!(written(&log), 1);
}

#[test]
fn a_crashed_session_holds_its_partitions_until_it_is_evicted() {
    let log = log(1);
    let mut one = log.session("g", "one", &["in"]).unwrap();
    values(&mut one);
    let member = one.member();
    one.crash();
    publish(&log, 0, "a");
    let mut two = log.session("g", "two", &["in"]).unwrap();
    assert_eq!(values(&mut two).len(), 0);
    log.evict("g", member);
    assert_eq!(values(&mut two).len(), 1);
}

#[test]
fn what_every_group_has_read_is_forgotten() {
    let log = log(1);
    let mut one = log.session("g", "one", &["in"]).unwrap();
    publish(&log, 0, "a");
    publish(&log, 0, "b");
    values(&mut one);
    one.commit(transaction(0, 1, vec![])).unwrap();
    assert_eq!(log.bounds(&TopicPartition::new("in", 0)).unwrap(), (1, 2));
}

#[test]
fn a_transaction_without_positions_is_refused() {
    let log = log(1);
    let mut one = log.session("g", "one", &["in"]).unwrap();
    assert!(matches!(one.commit(Transaction::default()), Err(Error::Refused(_))));
}
