//! How long a commit takes, with the client's default settings and with ours, and what it waits for.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use broker::{Assignment, Polled, Session, Transaction};
use e2e::log::{installation, output, poll_until, session, start};
use event::topic::{EVENTS_SECURITY, FACTS};
use kafka::{KafkaSession, KafkaSettings};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::sync::atomic::{AtomicUsize, Ordering};

const PARTITIONS: u32 = 4;
const INTERVAL: Duration = Duration::from_millis(100);
const RECORDS: [usize; 3] = [1, 10, 100];

/// How a transaction is committed without our adapter.
struct Variant {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// Whether to wait for the delivery reports before the commit, instead of leaving it to the wrapper's flush.
    waits: bool,
}

const VARIANTS: [Variant; 5] = [
    Variant {
        name: "client defaults",
        settings: &[],
        waits: false,
    },
    Variant {
        name: "linger.ms=0",
        settings: &[("linger.ms", "0")],
        waits: false,
    },
    Variant {
        name: "retry.backoff.ms=5",
        settings: &[("retry.backoff.ms", "5")],
        waits: false,
    },
    Variant {
        name: "own wait for deliveries",
        settings: &[],
        waits: true,
    },
    Variant {
        name: "own wait, retry.backoff.ms=5",
        settings: &[("retry.backoff.ms", "5")],
        waits: true,
    },
];

#[derive(Default)]
struct Delivered(AtomicUsize);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        result.as_ref().expect("delivered");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A group member and a transactional producer, as the client's documentation joins them.
struct Bare {
    consumer: BaseConsumer,
    producer: BaseProducer<Delivered>,
    input: String,
    output: String,
    waits: bool,
}

impl Bare {
    fn new(settings: &KafkaSettings, variant: &Variant, group: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &settings.brokers);
        let mut consuming = config.clone();
        consuming.set("group.id", group).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = consuming.create().unwrap();
        let input = format!("{}{EVENTS_SECURITY}", settings.prefix);
        consumer.subscribe(&[&input]).unwrap();
        let started = Instant::now();
        while consumer.assignment().unwrap().count() == 0 {
            assert!(started.elapsed() < e2e::log::PATIENCE);
            consumer.poll(Duration::from_millis(50));
        }
        config.set("transactional.id", group);
        for (name, value) in variant.settings {
            config.set(*name, *value);
        }
        let producer: BaseProducer<_> = config.create_with_context(Delivered::default()).unwrap();
        producer.init_transactions(Timeout::Never).unwrap();
        Self {
            consumer,
            producer,
            input,
            output: format!("{}{FACTS}", settings.prefix),
            waits: variant.waits,
        }
    }
}

trait Committer {
    fn commit(&mut self, records: usize, position: u64);
}

impl Committer for Bare {
    fn commit(&mut self, records: usize, position: u64) {
        let already = self.producer.context().0.load(Ordering::Relaxed);
        self.producer.begin_transaction().unwrap();
        for record in 0..records {
            let partition = i32::try_from(record % PARTITIONS as usize).unwrap();
            let record: BaseRecord<'_, (), str> = BaseRecord::to(&self.output).partition(partition).payload("a fact");
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        let mut positions = TopicPartitionList::new();
        let position = Offset::Offset(i64::try_from(position).unwrap());
        positions.add_partition_offset(&self.input, 0, position).unwrap();
        let group = self.consumer.group_metadata().unwrap();
        self.producer
            .send_offsets_to_transaction(&positions, &group, Timeout::Never)
            .unwrap();
        while self.waits && self.producer.context().0.load(Ordering::Relaxed) < already + records {
            self.producer.poll(Duration::ZERO);
            thread::sleep(Duration::from_micros(300));
        }
        self.producer.commit_transaction(Timeout::Never).unwrap();
    }
}

struct Ours {
    session: KafkaSession,
    assignment: Assignment,
}

impl Ours {
    fn new(settings: &KafkaSettings, group: &str) -> Self {
        let mut session = session(settings, group, "0", EVENTS_SECURITY).unwrap();
        let assignment = poll_until(&mut session, |session, polled| match polled {
            Polled::Assigned(assignments) => {
                start(session, &assignments).unwrap();
                assignments.into_iter().next()
            }
            Polled::Revoked(_) | Polled::Lost(_) | Polled::Records(_) | Polled::Idle => None,
        });
        Self { session, assignment }
    }
}

impl Committer for Ours {
    fn commit(&mut self, records: usize, position: u64) {
        let to = |record: usize| u32::try_from(record).unwrap() % PARTITIONS;
        let outputs = (0..records).map(|record| output(FACTS, to(record), "a fact")).collect();
        let positions = BTreeMap::from([(self.assignment.partition.clone(), position)]);
        self.session
            .commit(Transaction {
                outputs,
                changes: Vec::new(),
                positions,
            })
            .unwrap();
    }
}

struct Measured {
    p50: Duration,
    p99: Duration,
    /// Commits per second without a pause between them.
    rate: f64,
}

fn measure(committer: &mut dyn Committer, records: usize, commits: usize) -> Measured {
    let mut position = 0;
    let mut commit = || {
        position += 1;
        let started = Instant::now();
        committer.commit(records, position);
        started.elapsed()
    };
    commit();
    let mut took: Vec<_> = (0..commits)
        .map(|_| {
            let took = commit();
            thread::sleep(INTERVAL.saturating_sub(took));
            took
        })
        .collect();
    took.sort_unstable();
    let started = Instant::now();
    for _ in 0..commits {
        commit();
    }
    let rate = commits as f64 / started.elapsed().as_secs_f64();
    Measured {
        p50: took[commits / 2],
        p99: took[commits * 99 / 100],
        rate,
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The table in `docs/performance.md` is this one's, with `COMMITS=200` and nothing else running. Without, the defaults
/// and ours are compared on a few.
#[test]
fn our_commits_do_not_wait_for_the_clients_defaults() {
    let commits: Option<usize> = std::env::var("COMMITS")
        .ok()
        .map(|text| text.parse().expect("COMMITS is a number"));
    let variants = if commits.is_some() {
        &VARIANTS[..]
    } else {
        &VARIANTS[..1]
    };
    let commits = commits.unwrap_or(15);
    let settings = installation("latency", PARTITIONS);
    println!("| how | records | p50 ms | p99 ms | commits/s |\n|---|---|---|---|---|");
    let mut rates = BTreeMap::new();
    let mut show = |name: &'static str, committer: &mut dyn Committer| {
        for records in RECORDS {
            let Measured { p50, p99, rate } = measure(committer, records, commits);
            println!(
                "| {name} | {records} | {:.1} | {:.1} | {rate:.0} |",
                millis(p50),
                millis(p99)
            );
            rates.insert((name, records), (p50, rate));
        }
    };
    for (index, variant) in variants.iter().enumerate() {
        show(
            variant.name,
            &mut Bare::new(&settings, variant, &format!("bare-{index}")),
        );
    }
    show("KafkaSession", &mut Ours::new(&settings, "ours"));
    for records in RECORDS {
        let ((_, default_rate), (p50, rate)) = (rates[&(VARIANTS[0].name, records)], rates[&("KafkaSession", records)]);
        assert!(
            p50 < INTERVAL,
            "{records} records: a commit takes {p50:?}, longer than the interval"
        );
        assert!(
            rate > 2.0 * default_rate,
            "{records} records: {rate} commits/s, {default_rate} with the defaults"
        );
    }
}
