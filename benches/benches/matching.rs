//! From the bytes of a record to what the first stage makes of it: nanoseconds per event.
//!
//! Beside it the same bytes checked to be JSON and nothing else, decoded as a whole event, and read into a tree for the peer.

use std::hint::black_box;
use std::time::Duration;

use benches::{Ours, Rsigma, Shape, guide, queries, records, sigma, six, varied};
use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkGroup, Criterion};
use detection::Matched;
use event::Event;
use serde::de::IgnoredAny;
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events of one pass; what came of them is dropped after each, as a batch is.
const EVENTS: usize = 1024;

/// The time that this thread has had a processor for: other work on the machine costs less of it than of the clock's.
struct ProcessorTime;

impl Measurement for ProcessorTime {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, start: ThreadTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(ProcessorTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for shape in Shape::ALL {
        let records = records(shape, EVENTS);
        let bytes: usize = records.iter().map(Vec::len).sum();
        println!("{}: {} bytes an event", shape.name(), bytes / EVENTS);
        let mut group = criterion.benchmark_group(shape.name());
        baselines(&mut group, &records);
        ours(&mut group, "6 rules of the guide", guide(), &records);
        let (six, hundred, thousand) = (six(), varied(100), varied(1000));
        for (name, specs) in [("6 rules", &six), ("100 rules", &hundred), ("1000 rules", &thousand)] {
            ours(&mut group, name, queries(specs), &records);
            peer(&mut group, name, &Rsigma::new(&sigma(specs)), &records);
        }
        group.finish();
    }
    criterion.final_summary();
}

/// One iteration is one event.
fn each(
    group: &mut BenchmarkGroup<ProcessorTime>,
    name: &str,
    records: &[Vec<u8>],
    mut take: impl FnMut(usize, &[u8]),
) {
    group.bench_function(name, |bencher| {
        let mut at = 0;
        bencher.iter(|| {
            take(at, black_box(&records[at]));
            at = (at + 1) % records.len();
        });
    });
}

fn baselines(group: &mut BenchmarkGroup<ProcessorTime>, records: &[Vec<u8>]) {
    each(group, "JSON checked", records, |_, record| {
        black_box(serde_json::from_slice::<IgnoredAny>(record).expect("it is JSON"));
    });
    each(group, "event decoded", records, |_, record| {
        black_box(Event::decode(record).expect("it is an event"));
    });
    each(group, "tree", records, |_, record| {
        black_box(serde_json::from_slice::<Value>(record).expect("it is JSON"));
    });
}

fn ours(group: &mut BenchmarkGroup<ProcessorTime>, name: &str, files: Vec<(String, String)>, records: &[Vec<u8>]) {
    let mut ours = Ours::new(files);
    each(group, &format!("ours, {name}"), records, |at, record| {
        if at == 0 {
            ours.matched = Matched::default();
        }
        ours.evaluate(record);
    });
}

fn peer(group: &mut BenchmarkGroup<ProcessorTime>, name: &str, peer: &Rsigma, records: &[Vec<u8>]) {
    each(group, &format!("rsigma, {name}, with tree"), records, |_, record| {
        let tree: Value = serde_json::from_slice(record).expect("it is JSON");
        black_box(peer.evaluate(&tree));
    });
    let trees: Vec<Value> = records
        .iter()
        .map(|record| serde_json::from_slice(record).expect("it is JSON"))
        .collect();
    each(group, &format!("rsigma, {name}, without"), records, |at, _| {
        black_box(peer.evaluate(&trees[at]));
    });
}
