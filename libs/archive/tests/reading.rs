//! What comes back from a store, what is found out about one that is damaged, and about one that cannot be trusted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use archive::memory::{Flaw, MemoryStore};
use archive::{
    FORMATS, Limits, LockMode, Manifest, ObjectStore, PutOutcome, ReadError, RecordError, Segment, SegmentBuilder,
    probe, read_segments, tier_of,
};
use broker::Record;
use common::{POLICY, odd_records, record, security, segment, time};
use event::Timestamp;

fn write(store: &MemoryStore, segment: &Segment) {
    let now = time("2026-01-01T00:15:00Z");
    for put in [segment.put(FORMATS[0], POLICY, now), segment.manifest.put(POLICY, now)] {
        assert_eq!(store.put_new(put), Ok(PutOutcome::Created { version: None }));
    }
}

/// Three segments of a partition, one after the other.
fn filled() -> (MemoryStore, Vec<Manifest>, Vec<Record>) {
    let store = MemoryStore::default();
    let mut records = odd_records();
    let mut manifests = Vec::new();
    write(&store, &segment(&security(), 98, &records));
    manifests.push(segment(&security(), 98, &records).manifest);
    for first in [106, 109] {
        let more = [record(first + 1, "x"), record(first + 2, "y")];
        let segment = segment(&security(), first, &more);
        write(&store, &segment);
        manifests.push(segment.manifest);
        records.extend(more);
    }
    (store, manifests, records)
}

fn read(store: &MemoryStore) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    for segment in read_segments(store, &security())? {
        records.extend(segment?.1);
    }
    Ok(records)
}

#[test]
fn everything_comes_back_in_order() {
    let (store, _, records) = filled();
    assert_eq!(read(&store).unwrap(), records);
    let other = broker::TopicPartition::new("events.security", 4);
    assert_eq!(read_segments(&store, &other).unwrap().count(), 0);
}

#[test]
fn damage_is_named() {
    let damage = |change: &dyn Fn(&MemoryStore, &[Manifest])| {
        let (store, manifests, _) = filled();
        change(&store, &manifests);
        read(&store).unwrap_err().to_string()
    };
    let flipped = damage(&|store, manifests| {
        let mut bytes = store.get(&manifests[1].key).unwrap().unwrap().to_vec();
        bytes[20] ^= 1;
        store.tamper(&manifests[1].key, Some(bytes.into()));
    });
    assert!(
        flipped.contains("000106.jsonl.zst is damaged: its size or digest"),
        "{flipped}"
    );
    let removed = damage(&|store, manifests| store.tamper(&manifests[2].key, None));
    assert!(removed.ends_with("109.jsonl.zst is missing"), "{removed}");
    let gap = damage(&|store, manifests| store.tamper(&manifests[1].name(), None));
    assert_eq!(gap, "events.security/3: a segment begins at 109 where 106 was expected");
    let swapped = damage(&|store, manifests| store.tamper(&manifests[1].name(), Some(manifests[2].encode().into())));
    assert!(swapped.contains("it is the manifest of another segment"), "{swapped}");
}

/// A manifest that fits its object in size and digest, but tells a story that the records do not bear out.
#[test]
fn a_manifest_that_lies_is_found_out() {
    let lies: [&dyn Fn(&mut Manifest); 5] = [
        &|manifest| manifest.count += 1,
        &|manifest| manifest.last_offset = u64::MAX,
        &|manifest| manifest.records_root = archive::Digest::of(b"x"),
        &|manifest| manifest.missing.clear(),
        &|manifest| manifest.first_offset -= 1,
    ];
    for (at, lie) in lies.iter().enumerate() {
        let (store, mut manifests, _) = filled();
        let name = manifests[0].name();
        lie(&mut manifests[0]);
        store.tamper(&name, Some(manifests[0].encode().into()));
        assert!(matches!(read(&store), Err(ReadError::Damaged { .. })), "lie {at}");
    }
}

#[test]
fn a_segment_is_due_by_size_count_and_age() {
    let begin = time("2026-01-01T00:00:00Z");
    let wide = Limits {
        bytes_max: 1 << 20,
        records_max: 10,
        age_max: Duration::from_secs(900),
    };
    let mut builder = SegmentBuilder::new(tier_of("facts").unwrap(), FORMATS[0], security(), 0);
    assert!(!builder.is_due(&wide, Timestamp::MAX), "nothing is never due");
    builder.add(&record(0, "x"), begin).unwrap();
    assert!(!builder.is_due(&wide, begin.plus(Duration::from_secs(899))));
    assert!(
        builder.is_due(&wide, begin.plus(Duration::from_secs(900))),
        "since it began"
    );
    assert!(builder.is_due(&Limits { records_max: 1, ..wide }, begin));
    assert!(builder.is_due(&Limits { bytes_max: 0, ..wide }, begin));
    let later = Record {
        timestamp: begin.plus(Duration::from_secs(900)),
        ..record(1, "y")
    };
    builder.add(&later, begin).unwrap();
    assert!(builder.is_due(&wide, begin), "between appends");
    let again = builder.add(&later, begin);
    assert_eq!(again, Err(RecordError::OutOfOrder { offset: 1, expected: 2 }));
}

#[test]
fn a_record_that_cannot_be_hashed_is_refused() {
    let headers = vec![(String::new(), bytes::Bytes::new()); 70_000];
    let mut builder = SegmentBuilder::new(tier_of("facts").unwrap(), FORMATS[0], security(), 0);
    let refused = builder
        .add(
            &Record {
                headers,
                ..record(0, "x")
            },
            Timestamp::MIN,
        )
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "record 0: its number of headers is too large to be archived"
    );
    let last = builder.add(&record(u64::MAX, "x"), Timestamp::MIN).unwrap_err();
    assert_eq!(
        last.to_string(),
        format!("record {}: its offset is too large to be archived", u64::MAX)
    );
    builder.add(&record(0, "x"), Timestamp::MIN).unwrap();
    assert_eq!(builder.summary().count(), 1);
}

#[test]
fn a_store_is_trusted_only_after_it_was_tried() {
    let now = time("2026-01-01T10:00:00Z");
    let good = MemoryStore::default();
    for lock in [None, Some(LockMode::Governance), Some(LockMode::Compliance)] {
        assert_eq!(probe(&good, lock, now), Ok(()));
        assert_eq!(
            probe(&good, lock, now.plus(Duration::from_secs(60))),
            Ok(()),
            "a second start on the same day"
        );
    }
    assert_eq!(good.list("probe/").unwrap().len(), 3);
    let overwrites = probe(&good.with_flaw(Flaw::Overwrites), None, now)
        .unwrap_err()
        .to_string();
    assert!(overwrites.contains("ignores `If-None-Match: *`"), "{overwrites}");
    let forgets = MemoryStore::default().with_flaw(Flaw::DropsLocks);
    let refused = probe(&forgets, Some(LockMode::Compliance), now)
        .unwrap_err()
        .to_string();
    assert!(
        refused.ends_with("asked for a COMPLIANCE lock until 2026-01-03T00:00:00.000Z, and the object carries none")
    );
    assert_eq!(probe(&forgets, None, now), Ok(()));
}
