//! One worker of a transactional stage, to be killed: reads a topic, writes each record to the same partition of another and to
//! the changelog, and commits after every batch.
//!
//! Usage: stage BROKERS PREFIX GROUP SLOT FROM TO

use std::time::Duration;

use anyhow::{Context, bail};
use broker::{Batch, Error, Output, Polled, Session, Transaction};
use event::StateChange;
use kafka::KafkaSettings;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [brokers, prefix, group, slot, from, to] = &arguments[..] else {
        bail!("expected six arguments")
    };
    // Small batches: a transaction is open most of the time, and a kill meets it.
    let settings = KafkaSettings {
        drain_records: 10,
        ..e2e::log::settings_of(brokers, prefix)
    };
    let mut session = e2e::log::session(&settings, group, slot, from).context("connect")?;
    loop {
        match session.poll(Duration::from_millis(100)) {
            Ok(Polled::Assigned(assignments)) => e2e::log::start(&mut session, &assignments)?,
            Ok(Polled::Records(batch)) => match session.commit(copy(&batch, to)) {
                // The next poll assigns again; what this batch held comes again.
                Ok(_) | Err(Error::Aborted(_)) => {}
                Err(error) => return Err(error).context("commit"),
            },
            Ok(Polled::Revoked(_) | Polled::Lost(_) | Polled::Idle) | Err(Error::Unavailable(_)) => {}
            Err(error) => return Err(error).context("poll"),
        }
    }
}

fn copy(batch: &Batch, to: &str) -> Transaction {
    let mut transaction = Transaction::default();
    let number = batch.partition.partition;
    for record in &batch.records {
        let value = record.value.clone();
        let key: Box<[u8]> = value.as_deref().unwrap_or_default().into();
        transaction.changes.push((
            number,
            StateChange {
                key,
                value: Some(b"seen"[..].into()),
            },
        ));
        transaction.outputs.push(Output {
            topic: to.into(),
            partition: number,
            key: None,
            value,
            headers: Vec::new(),
        });
        transaction.positions.insert(batch.partition.clone(), record.offset + 1);
    }
    transaction
}
