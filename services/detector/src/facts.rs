//! How facts and ticks become records of the topic `facts`.

use broker::Output;
use event::{Fact, FactRecord, Tick, topic};

/// The most entries of one record of `facts`, so that it stays far below the record limit of the topic.
const FACT_ENTRIES_MAX: usize = 500;

/// A fact, to the partition of its key; in several records if it is a long one.
pub(crate) fn records_of(fact: &Fact, partitions: u32) -> impl Iterator<Item = Output> {
    fact.entries.chunks(FACT_ENTRIES_MAX).map(move |entries| {
        let part = FactRecord::Fact(Fact {
            entries: entries.to_vec(),
            ..head(fact)
        });
        Output::keyed(topic::FACTS, partitions, fact.key.as_bytes(), part.encode())
    })
}

/// A tick, to every partition.
pub(crate) fn tick_records(tick: Tick, partitions: u32) -> impl Iterator<Item = Output> {
    let value = FactRecord::Tick(tick).encode();
    (0..partitions).map(move |partition| Output {
        topic: topic::FACTS.into(),
        partition,
        key: None,
        value: Some(value.clone().into()),
        headers: Vec::new(),
    })
}

/// A fact without its entries.
fn head(fact: &Fact) -> Fact {
    let Fact {
        rule,
        level,
        side,
        key,
        names,
        ..
    } = fact;
    Fact {
        rule: *rule,
        level: *level,
        side: *side,
        key: key.clone(),
        names: names.clone(),
        entries: Vec::new(),
    }
}
