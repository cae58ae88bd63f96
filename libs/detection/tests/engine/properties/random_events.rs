//! Random events in three partitions, and the orders in which they may be read.

use std::collections::BTreeMap;
use std::fmt;

use event::{Event, Source, SourcePartition, SourceTopic};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::driver::{DISORDER, MINUTE, SECOND, Sent, event, time};

/// Where the events lie; all of them are of topics that every random rule reads.
pub(crate) const PARTITIONS: [SourcePartition; 3] = [
    SourcePartition {
        topic: SourceTopic::Security,
        partition: 0,
    },
    SourcePartition {
        topic: SourceTopic::Security,
        partition: 1,
    },
    SourcePartition {
        topic: SourceTopic::Audit,
        partition: 0,
    },
];

/// An event to come.
#[derive(Clone)]
pub(crate) struct Plan {
    kind: &'static str,
    tenant: &'static str,
    /// `k`, `j`, `v` and `w`; null is absence.
    values: [Value; 4],
    partition: usize,
    /// How long after the one before it arrives.
    step: i64,
    /// How much earlier than its arrival it happened.
    delay: i64,
    repeat: u32,
    /// It comes again in its partition, right after the event that is so much further on.
    again: Option<Again>,
}

#[derive(Clone, Copy, Debug)]
struct Again {
    events_later: usize,
    /// As a record of its own, written twice; else it is the same record, read twice.
    is_record: bool,
}

impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [k, j, v, w] = &self.values;
        let Self {
            kind,
            tenant,
            partition,
            step,
            delay,
            repeat,
            again,
            ..
        } = self;
        write!(
            out,
            "+{step}-{delay} {kind} {tenant} k={k} j={j} v={v} w={w} x{repeat} in {partition} again {again:?}"
        )
    }
}

impl Plan {
    /// Makes it so that no reading finds it too late for a rule that takes what is so much older than the watermark.
    pub(crate) fn is_in_time(&mut self, allowance: i64) {
        self.delay = self.delay.min(allowance + DISORDER);
    }

    pub(crate) fn is_once(&mut self) {
        self.again = None;
    }
}

pub(crate) fn plans() -> impl Strategy<Value = Vec<Plan>> {
    vec(plan(), 0..40)
}

fn plan() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        4 => Just(0i64),
        1 => 1..7i64,
        4 => select(vec![SECOND, 2 * SECOND, 5 * SECOND]),
        1 => select(vec![SECOND - 1, SECOND + 1, 10 * SECOND, 60 * SECOND]),
    ];
    // What a watermark stays behind, the allowances, and a millisecond beside; and the future.
    let delay = prop_oneof![
        6 => Just(0i64),
        4 => (0..6i64).prop_map(|seconds| seconds * SECOND),
        2 => select(vec![10_000, 13_000, 15_000, 40_000i64]),
        1 => (select(vec![10_000, 13_000, 15_000, 40_000i64]), -1..=1i64).prop_map(|(delay, beside)| delay + beside),
        1 => select(vec![-SECOND, -5 * SECOND, -5 * MINUTE, -6 * MINUTE, -60 * MINUTE]),
    ];
    let number = prop_oneof![
        6 => (0..4i64).prop_map(Value::from),
        2 => select(vec![json!(-2), json!(5.5), json!("2"), json!("3.0"), json!(0.5)]),
        1 => select(vec![json!("text"), json!(""), json!(true), json!([1, 2]), Value::Null]),
    ];
    let key = |values: Vec<Value>| {
        let strange = select(vec![json!(""), json!(["x", "y"]), json!(7), Value::Null]);
        prop_oneof![12 => select(values), 1 => strange]
    };
    let values = (
        key(vec![json!("x"), json!("y")]),
        key(vec![json!("x"), json!("y")]),
        number.clone(),
        number,
    );
    let kind = prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just("c")];
    let tenant = prop_oneof![9 => Just("acme"), 1 => Just("globex")];
    let repeat = prop_oneof![5 => Just(1u32), 1 => 2..4u32];
    let again = (0..6usize, any::<bool>()).prop_map(|(events_later, is_record)| Again {
        events_later,
        is_record,
    });
    (
        kind,
        tenant,
        values,
        0..PARTITIONS.len(),
        step,
        delay,
        repeat,
        weighted(0.15, again),
    )
        .prop_map(
            |(kind, tenant, (k, j, v, w), partition, step, delay, repeat, again)| Plan {
                kind,
                tenant,
                values: [k, j, v, w],
                partition,
                step,
                delay,
                repeat,
                again,
            },
        )
}

/// The events as they lie in their partitions.
pub(crate) fn records(plans: &[Plan]) -> [Vec<Sent>; 3] {
    let mut partitions = [Vec::new(), Vec::new(), Vec::new()];
    let mut again: BTreeMap<usize, Vec<(Sent, Again, usize)>> = BTreeMap::new();
    let mut now = 1000 * SECOND;
    let times = times(plans);
    for (at, plan) in plans.iter().enumerate() {
        now += plan.step;
        let sent = Sent {
            event: planned(at, plan, now),
            source: next(&partitions, plan.partition),
            arrival: time(now),
        };
        partitions[plan.partition].push(sent.clone());
        if let Some(repeated) = plan.again {
            // A second record of a future event would be of another effective time, and one of several of a time would
            // stand at another place among them.
            let is_alone = times.iter().filter(|time| **time == times[at]).count() == 1;
            let is_record = repeated.is_record && plan.delay >= 0 && is_alone;
            let due = again.entry(at + repeated.events_later).or_default();
            due.push((sent, Again { is_record, ..repeated }, plan.partition));
        }
        for (mut sent, repeated, partition) in again.remove(&at).unwrap_or_default() {
            if repeated.is_record {
                sent.source = next(&partitions, partition);
                sent.arrival = time(now);
            }
            partitions[partition].push(sent);
        }
    }
    partitions
}

/// The effective times of the planned events.
fn times(plans: &[Plan]) -> Vec<i64> {
    let arrivals = plans.iter().scan(1000 * SECOND, |now, plan| {
        *now += plan.step;
        Some(*now - plan.delay.max(-5 * MINUTE))
    });
    arrivals.collect()
}

fn next(partitions: &[Vec<Sent>; 3], partition: usize) -> Source {
    let last = partitions[partition].iter().map(|sent| sent.source.offset).max();
    Source {
        partition: PARTITIONS[partition],
        offset: last.map_or(0, |last| last + 1),
    }
}

fn planned(at: usize, plan: &Plan, now: i64) -> Event {
    let mut event = Event {
        tenant: plan.tenant.to_owned(),
        repeat: plan.repeat,
        audit: PARTITIONS[plan.partition].topic == SourceTopic::Audit,
        ..event(&format!("e-{at:02}"), plan.kind, now - plan.delay)
    };
    for (name, value) in ["k", "j", "v", "w"].into_iter().zip(&plan.values) {
        if !value.is_null() {
            event.metadata.insert(name.to_owned(), value.clone());
        }
    }
    event
}

/// In which partition an event lies, and by which share of what is allowed it comes late.
pub(crate) type Arrangement = Vec<(usize, i64)>;

pub(crate) fn arrangement() -> impl Strategy<Value = Arrangement> {
    let share = prop_oneof![1 => Just(0i64), 1 => Just(100i64), 2 => 0..=100i64];
    vec((0..PARTITIONS.len(), share), 40)
}

/// The planned events, each once and no two of one time, as late as the arrangement says.
pub(crate) fn arranged(plans: &[Plan], arrangement: &Arrangement, allowance: i64) -> [Vec<Sent>; 3] {
    let mut events: BTreeMap<i64, Event> = BTreeMap::new();
    let mut now = 1000 * SECOND;
    for (at, plan) in plans.iter().enumerate() {
        now += plan.step;
        let event = planned(at, plan, now);
        events.entry(event.time.as_millis()).or_insert(event);
    }
    let mut arrivals: Vec<(i64, usize, Event)> = Vec::new();
    for ((happened, event), (partition, share)) in events.into_iter().zip(arrangement) {
        arrivals.push((happened + (allowance + DISORDER) * share / 100, *partition, event));
    }
    arrivals.sort_by_key(|(arrival, ..)| *arrival);
    let mut partitions = [Vec::new(), Vec::new(), Vec::new()];
    for (arrival, partition, mut event) in arrivals {
        event.audit = PARTITIONS[partition].topic == SourceTopic::Audit;
        let source = next(&partitions, partition);
        partitions[partition].push(Sent {
            event,
            source,
            arrival: time(arrival),
        });
    }
    partitions
}

/// A step of reading: so many records of a partition in one batch, and then perhaps a tick, and a loss of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) partition: usize,
    pub(crate) records: usize,
    pub(crate) is_ticked: bool,
    pub(crate) is_lost: bool,
}

pub(crate) fn schedule() -> impl Strategy<Value = Vec<Read>> {
    let read = (0..PARTITIONS.len(), 1..6usize, any::<bool>(), prop::bool::weighted(0.1));
    let read = read.prop_map(|(partition, records, is_ticked, is_lost)| Read {
        partition,
        records,
        is_ticked,
        is_lost,
    });
    vec(read, 0..40).prop_map(|mut reads| {
        let to_the_end = |partition| Read {
            partition,
            records: usize::MAX,
            is_ticked: true,
            is_lost: false,
        };
        reads.extend((0..PARTITIONS.len()).map(to_the_end));
        reads
    })
}
