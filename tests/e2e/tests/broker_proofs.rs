//! What the design rests on, shown on a real broker.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::print_stdout, reason = "what was measured belongs to the result")]

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use broker::{Polled, Session, Transaction};
use e2e::log::{PATIENCE, installation, output, poll_until, publish, session, start, values};
use event::topic::{CHANGELOG, EVENTS_SECURITY, FACTS};
use kafka::{KafkaSession, KafkaSettings};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

const PARTITIONS: u32 = 4;

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    let mut numbers: Vec<_> = range.map(|number| format!("{number:06}")).collect();
    numbers.sort_unstable();
    numbers
}

/// Evaluates what is polled, until `transaction` holds `count` outputs more.
fn evaluate(session: &mut KafkaSession, transaction: &mut Transaction, count: usize) {
    let wanted = transaction.outputs.len() + count;
    poll_until(session, |session, polled| {
        match polled {
            Polled::Assigned(assignments) => start(session, &assignments).unwrap(),
            Polled::Records(batch) => {
                for record in batch.records {
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    transaction
                        .outputs
                        .push(output(FACTS, batch.partition.partition, value));
                    transaction.positions.insert(batch.partition.clone(), record.offset + 1);
                }
            }
            Polled::Revoked(_) | Polled::Lost(_) => panic!("nobody else is here"),
            Polled::Idle => {}
        }
        (transaction.outputs.len() >= wanted).then_some(())
    });
}

/// A second member joins; the first, on `Revoked`, commits what it has evaluated of the partitions that go. The commit
/// counts, and the second goes on exactly behind it.
#[test]
fn what_is_revoked_is_ours_until_the_next_poll() {
    let settings = installation("revoked", PARTITIONS);
    publish(&settings, EVENTS_SECURITY, PARTITIONS, numbers(0..400));
    let mut first = session(&settings, "match", "0", EVENTS_SECURITY).unwrap();
    let mut transaction = Transaction::default();
    evaluate(&mut first, &mut transaction, 400);

    let joining = settings.clone();
    let second = thread::spawn(move || {
        let mut second = session(&joining, "match", "1", EVENTS_SECURITY).unwrap();
        let assigned = poll_until(&mut second, |_, polled| match polled {
            Polled::Assigned(assignments) => Some((Instant::now(), assignments)),
            Polled::Idle => None,
            other @ (Polled::Revoked(_) | Polled::Lost(_) | Polled::Records(_)) => panic!("unexpected {other:?}"),
        });
        (second, assigned)
    });

    let revoked = poll_until(&mut first, |_, polled| match polled {
        Polled::Revoked(partitions) => Some(partitions),
        Polled::Idle => None,
        other @ (Polled::Assigned(_) | Polled::Lost(_) | Polled::Records(_)) => panic!("unexpected {other:?}"),
    });
    assert_eq!(
        revoked.len(),
        2,
        "cooperative: half of them go, the others are not touched"
    );
    // Longer than any network delay, shorter than the session timeout: nobody takes them from us meanwhile.
    thread::sleep(Duration::from_millis(1_500));
    first.commit(transaction).expect("they are still ours");
    let committed_at = Instant::now();

    let waited = Instant::now();
    while !second.is_finished() && waited.elapsed() < PATIENCE {
        assert!(matches!(
            first.poll(Duration::from_millis(50)).unwrap(),
            Polled::Idle | Polled::Assigned(_)
        ));
    }
    let (mut second, (assigned_at, assignments)) = second.join().unwrap();
    assert!(
        assigned_at > committed_at,
        "the new owner has them only after we have given them up"
    );
    let taken: BTreeSet<_> = assignments.iter().map(|it| it.partition.clone()).collect();
    assert_eq!(taken, revoked.into_iter().collect());
    assert!(
        assignments.iter().all(|it| it.committed == Some(100)),
        "it goes on behind our commit: {assignments:?}"
    );
    start(&mut second, &assignments).unwrap();

    publish(&settings, EVENTS_SECURITY, PARTITIONS, numbers(400..800));
    for member in [&mut first, &mut second] {
        let mut transaction = Transaction::default();
        evaluate(member, &mut transaction, 200);
        member.commit(transaction).unwrap();
    }
    assert_eq!(values(&settings, FACTS), numbers(0..800), "everything once");
}

/// The stages of the second proof: group, topic read, topic written.
const CHAIN: [[&str; 3]; 2] = [["match", EVENTS_SECURITY, FACTS], ["correlate", FACTS, "alerts"]];

struct Killed(Child);

impl Killed {
    fn start(settings: &KafkaSettings, stage: usize, slot: &str) -> Self {
        let [group, from, to] = CHAIN[stage];
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage"));
        command.args([&*settings.brokers, &settings.prefix, group, slot, from, to]);
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Killed {
    /// `kill -9`, and nothing else: there is no good moment.
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Records of a topic whether committed or not.
fn count_uncommitted(settings: &KafkaSettings, topic: &str) -> usize {
    let topic = format!("{}{topic}", settings.prefix);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", "count")
        .set("enable.auto.commit", "false");
    config
        .set("isolation.level", "read_uncommitted")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_range(&topic, 0, i32::try_from(PARTITIONS).unwrap() - 1);
    list.set_all_offsets(rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let (mut count, mut ends) = (0, 0);
    while ends < PARTITIONS {
        match consumer.poll(PATIENCE) {
            Some(Ok(_)) => count += 1,
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ends += 1,
            other => panic!("unexpected {:?}", other.map(|it| it.map(|_| ()))),
        }
    }
    count
}

/// A sequence that differs from run to run; what it was is printed, so that a failure can be looked at again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Waits until a topic has as many records as it should, and then a while for those that it should not have.
fn await_values(settings: &KafkaSettings, topic: &str, count: u32) {
    let waited = Instant::now();
    while values(settings, topic).len() < usize::try_from(count).unwrap() && waited.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(500));
    }
    thread::sleep(Duration::from_secs(3));
}

/// That the topic has each number once. Names the first that it has not, or has more than once: there are many.
fn assert_once(settings: &KafkaSettings, topic: &str, count: u32) {
    let got = values(settings, topic);
    let distinct: BTreeSet<_> = got.iter().collect();
    println!(
        "{topic}: {} records, {} distinct, of {count}",
        got.len(),
        distinct.len()
    );
    let repeated = got.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(repeated, None, "{topic}: this came more than once");
    let missing = numbers(0..count).into_iter().find(|number| !distinct.contains(number));
    assert_eq!(missing, None, "{topic}: this did not come");
}

/// Two chained stages, killed at random moments: what goes in comes out once, and at least one transaction died.
#[test]
fn two_chained_stages_are_exactly_once_through_kills() {
    const KILLS: usize = 16;
    const RECORDS: u32 = 40_000;
    let settings = installation("kills", PARTITIONS);
    let seed = u64::from(std::process::id()) * 2_654_435_761 + 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    for start in (0..RECORDS).step_by(10_000) {
        publish(&settings, EVENTS_SECURITY, PARTITIONS, numbers(start..start + 10_000));
    }
    let mut stages = [0, 1].map(|stage| Some(Killed::start(&settings, stage, "0")));
    for kill in 0..KILLS {
        // Longer than a member that was killed is missed (2 s), so that most kills meet a stage at work.
        thread::sleep(Duration::from_millis(2_300 + random.below(1_000)));
        let stage = kill % 2;
        stages[stage] = None;
        stages[stage] = Some(Killed::start(&settings, stage, "0"));
    }
    await_values(&settings, "alerts", RECORDS);
    drop(stages);
    for topic in [FACTS, "alerts"] {
        assert_once(&settings, topic, RECORDS);
    }
    let wanted = usize::try_from(RECORDS).unwrap();
    let changes = e2e::log::read_all(&settings, CHANGELOG);
    assert_eq!(changes.len(), 2 * wanted, "each stage wrote one change for each record");
    let aborted: Vec<_> = [FACTS, "alerts"]
        .map(|topic| count_uncommitted(&settings, topic) - wanted)
        .into();
    println!("records of aborted transactions by stage: {aborted:?}");
    assert!(
        aborted.iter().sum::<usize>() > 0,
        "void: no kill met an open transaction"
    );
}

/// A worker that is stopped for longer than its session, in the middle of its work, is a zombie when it goes on: another
/// has its partitions. What it had evaluated does not become visible.
#[test]
fn a_worker_that_slept_commits_nothing_of_what_it_lost() {
    const SLEEPS: usize = 8;
    const RECORDS: u32 = 40_000;
    let settings = installation("zombies", PARTITIONS);
    for start in (0..RECORDS).step_by(10_000) {
        publish(&settings, EVENTS_SECURITY, PARTITIONS, numbers(start..start + 10_000));
    }
    let mut workers = ["0", "1"].map(|slot| (slot, Killed::start(&settings, 0, slot)));
    let mut random = Random(u64::from(std::process::id()) * 2_654_435_761 + 7);
    for sleep in 0..SLEEPS {
        thread::sleep(Duration::from_millis(1_000 + random.below(500)));
        let (slot, worker) = &mut workers[sleep % 2];
        worker.signal("-STOP");
        thread::sleep(Duration::from_secs(3));
        worker.signal("-CONT");
        thread::sleep(Duration::from_millis(200));
        // One that finds itself fenced ends; its supervisor starts it again.
        if worker.ended() {
            println!("slot {slot} ended");
            *worker = Killed::start(&settings, 0, slot);
        }
    }
    await_values(&settings, FACTS, RECORDS);
    drop(workers);
    assert_once(&settings, FACTS, RECORDS);
    let aborted = count_uncommitted(&settings, FACTS) - usize::try_from(RECORDS).unwrap();
    println!("records of aborted transactions: {aborted}");
    assert!(aborted > 0, "void: no worker slept in an open transaction");
}
