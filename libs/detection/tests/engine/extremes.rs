//! Facts that no match stage would send: whatever a record holds, nothing panics and every entry is accounted for.

use event::{
    Event, Fact, FactEntry, FactRecord, FieldValue, Key, SemanticHash, Source, SourcePartition, SourceTopic, Timestamp,
};
use proptest::prelude::*;

use crate::driver::{Engine, MINUTE, event, rules, time};

const QUERIES: [&str; 4] = [
    "security_event:login_failed | window 5m | group by source_ip | count > 1",
    "security_event:login_failed | window 30d | group by source_ip | count > 2 | keep_alive 1ms | lateness 24h",
    "security_event:login_failed | join (security_event:password_reset) on user_id | within 1h",
    "security_event:login_failed | join (security_event:*) then on user_id | within 30d | keep_alive 30d",
];

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        2 => Just(i64::MIN),
        2 => Just(i64::MAX),
        2 => (0..3i64).prop_map(|n| i64::MIN + n * MINUTE),
        2 => (0..3i64).prop_map(|n| i64::MAX - n * MINUTE),
        2 => -MINUTE..MINUTE,
        1 => any::<i64>(),
    ]
    .prop_map(time)
}

fn source_partition() -> impl Strategy<Value = SourcePartition> {
    (prop::sample::select(&SourceTopic::ALL[..]), 0..2u32)
        .prop_map(|(topic, partition)| SourcePartition { topic, partition })
}

fn entry() -> impl Strategy<Value = FactEntry> {
    let weight = prop_oneof![Just(0), Just(1), Just(u32::MAX), any::<u32>()];
    let values = proptest::collection::vec(proptest::option::of(Just(FieldValue::from("value"))), 0..4);
    (moment(), source_partition(), 0..5u64, 0..6u8, weight, values).prop_map(
        |(time, partition, offset, id, weight, values)| FactEntry {
            time,
            source: Source { partition, offset },
            event_id: id.to_string(),
            weight,
            values,
        },
    )
}

fn fact() -> impl Strategy<Value = Fact> {
    let key = prop_oneof![
        3 => Just(Key::new("acme", ["a"])),
        1 => proptest::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| Key::from_bytes(&bytes)),
    ];
    let names = proptest::collection::vec(Just("user_id".to_owned()), 0..3);
    (
        0..QUERIES.len() + 1,
        any::<u8>(),
        prop_oneof![0..3u8, any::<u8>()],
        key,
        names,
        proptest::collection::vec(entry(), 0..6),
    )
        .prop_map(|(rule, level, side, key, names, entries)| Fact {
            rule: rules(&QUERIES)
                .rules()
                .get(rule)
                .map_or(SemanticHash::new("unknown"), |rule| rule.hash),
            level,
            side,
            key,
            names,
            entries,
        })
}

#[derive(Clone, Debug)]
enum Record {
    Fact(Fact),
    Tick(Vec<(SourcePartition, Timestamp)>),
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        3 => fact().prop_map(Record::Fact),
        1 => proptest::collection::vec((source_partition(), moment()), 0..7).prop_map(Record::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_record_is_too_strange(records in proptest::collection::vec(record(), 0..30)) {
        let mut engine = Engine::new(&QUERIES);
        let mut entries = 0;
        for record in records {
            match record {
                Record::Fact(fact) => {
                    entries += fact.entries.len() as u64;
                    engine.record(FactRecord::Fact(fact).encode());
                }
                Record::Tick(watermarks) => engine.tick_of(watermarks),
            }
        }
        let tally = engine.tally;
        prop_assert_eq!(tally.applied + tally.duplicate + tally.late + tally.unknown_rule, entries);
        let late: usize = engine.late.iter().map(|fact| fact.entries.len()).sum();
        prop_assert_eq!(tally.late, late as u64);
        engine.last_words();
    }

    #[test]
    fn no_time_of_an_event_is_too_strange(times in proptest::collection::vec((moment(), moment()), 1..20)) {
        let mut engine = Engine::new(&QUERIES);
        for (at, (happened, arrived)) in times.iter().enumerate() {
            let event = Event { time: *happened, ..event(&at.to_string(), "login_failed", 0) };
            engine.send_at(arrived.as_millis(), [event]);
        }
        prop_assert_eq!(engine.tally.applied, 6 * times.len() as u64 - times.len() as u64);
    }
}

#[test]
fn no_fact_can_reach_past_five_minutes_after_its_arrival() {
    let mut engine = Engine::new(&["security_event:login_failed"]);
    let future = Event {
        time: Timestamp::MAX,
        ..event("future", "login_failed", 0)
    };
    engine.send_at(7, [future]);
    assert_eq!(engine.alerts[0].first_event_at.as_millis(), 7 + 5 * MINUTE);
}
