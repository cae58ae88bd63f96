//! The encodings, byte for byte. A golden file that must change means a new version of its form.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "golden files and vectors are files"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use archive::{
    Digest, FORMATS, Manifest, MerkleTree, Policy, Segment, SegmentBuilder, encode_record, leaf_hash, tier_of,
};
use broker::{Record, TopicPartition};
use common::{odd_records, record, security, segment, time, writer};
use event::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

/// Compares with the golden file; `GOLDEN=write` writes it, which is a decision and never automatic.
fn check(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&path, bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        golden == bytes,
        "{name} changed:\n{}\n{}",
        String::from_utf8_lossy(&golden),
        String::from_utf8_lossy(bytes)
    );
}

fn unpack(segment: &Segment) -> Vec<u8> {
    let mut lines = Vec::new();
    zstd::Decoder::with_buffer(&segment.bytes[..])
        .unwrap()
        .take(1 << 20)
        .read_to_end(&mut lines)
        .unwrap();
    lines
}

#[test]
fn a_segment_of_odd_records() {
    let place = security();
    let segment = segment(&place, 98, &odd_records());
    check("segment.jsonl", &unpack(&segment));
    let mut leaves = String::new();
    for record in odd_records() {
        let mut bytes = Vec::new();
        encode_record(&place, &record, &mut bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        leaves.push_str(&format!("{} {hex}\n", leaf_hash(&bytes)));
    }
    check("leaves.txt", leaves.as_bytes());
    // The size and digest of the object are the compressor's, and change with its version.
    let manifest = Manifest {
        size: 0,
        sha256: Digest::of(b""),
        ..segment.manifest.clone()
    };
    check("manifest.json", &manifest.encode());
    assert_eq!(segment.manifest.sha256, Digest::of(&segment.bytes));
    assert_eq!(segment.manifest.size, segment.bytes.len() as u64);
    assert_eq!(
        Manifest::decode("x", &segment.manifest.encode()).unwrap(),
        segment.manifest
    );
}

#[test]
fn a_manifest_is_canonical_json() {
    let bytes = segment(&security(), 98, &odd_records()).manifest.encode();
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), canonical(&value));
}

/// RFC 8785 for what a manifest is made of: sorted names, no spaces, integers.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort();
            let fields: Vec<_> = names
                .iter()
                .map(|name| format!("\"{name}\":{}", canonical(&fields[*name])))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Number(number) => number.as_i64().unwrap().to_string(),
        Value::String(_) | Value::Bool(_) | Value::Null => value.to_string(),
    }
}

#[test]
fn a_manifest_of_a_newer_version_is_refused() {
    let newer = br#"{"v":2,"whatever":true}"#;
    assert_eq!(
        Manifest::decode("m", newer).unwrap_err().to_string(),
        "m has version 2, which this build does not know"
    );
    assert!(
        Manifest::decode("m", b"{}")
            .unwrap_err()
            .to_string()
            .starts_with("m is damaged: missing field `v`")
    );
}

/// The vectors that were computed in Python, not by us; part of the project's data, not of the repository.
fn vectors() -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/archive_vectors.json");
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_independent_vectors() {
    let Some(vectors) = vectors() else {
        use std::io::Write as _;
        writeln!(std::io::stderr(), "skipped, data not present").unwrap();
        return;
    };
    let place = TopicPartition::new("security-events", 0);
    let mut records = Vec::new();
    for (hex, leaf) in texts(&vectors["record_hex"]).iter().zip(texts(&vectors["leaf"])) {
        let expected: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let record = parse(&expected);
        let mut bytes = Vec::new();
        encode_record(&place, &record, &mut bytes).unwrap();
        assert_eq!(bytes, expected);
        assert_eq!(leaf_hash(&bytes).to_string(), leaf);
        records.push(record);
    }
    assert_eq!(records.len(), 3);
    check_manifest(&place, &records, vectors["manifest_jcs"].as_str().unwrap());
    let mut log = MerkleTree::default();
    assert_eq!(log.root().to_string(), vectors["empty_root"].as_str().unwrap());
    for (manifest, leaf) in ["manifest_jcs", "manifest2_jcs"]
        .iter()
        .zip(texts(&vectors["manifest_leaf"]))
    {
        let hash = leaf_hash(vectors[*manifest].as_str().unwrap().as_bytes());
        assert_eq!(hash.to_string(), leaf);
        log.push(hash);
    }
    assert_eq!(log.root().to_string(), vectors["log_root"].as_str().unwrap());
}

/// The manifest that we make of the records is the expected one, but for the fields that the vectors do not have.
fn check_manifest(place: &TopicPartition, records: &[Record], expected: &str) {
    let tier = tier_of("events.security").unwrap();
    let mut builder = SegmentBuilder::new(tier, FORMATS[0], place.clone(), 100);
    records
        .iter()
        .for_each(|record| builder.add(record, Timestamp::MIN).unwrap());
    let manifest = builder
        .finish(
            Policy {
                retention_days: 365,
                lock: None,
            },
            &writer(),
        )
        .unwrap()
        .manifest;
    let mut ours: Value = serde_json::from_slice(&manifest.encode()).unwrap();
    let theirs: Value = serde_json::from_str(expected).unwrap();
    let fields = ours.as_object_mut().unwrap();
    let more: Vec<_> = fields
        .keys()
        .filter(|name| theirs.get(name).is_none())
        .cloned()
        .collect();
    assert_eq!(more, ["sha256", "size", "writer"]);
    fields.retain(|name, _| !more.contains(name));
    assert_eq!(ours.to_string(), expected);
}

/// Reads the form `sr1`.
fn parse(mut bytes: &[u8]) -> Record {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (head, tail) = bytes.split_at(count);
        *bytes = tail;
        head
    }
    fn number(bytes: &mut &[u8], width: usize) -> u64 {
        take(bytes, width)
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
    fn long(bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let length = number(bytes, 4);
        (length != 0xffff_ffff).then(|| take(bytes, usize::try_from(length).unwrap()).to_vec())
    }
    assert_eq!(take(&mut bytes, 4), b"sr1\0");
    let topic = number(&mut bytes, 2);
    take(&mut bytes, usize::try_from(topic).unwrap() + 4);
    let offset = number(&mut bytes, 8);
    let timestamp = Timestamp::from_millis(number(&mut bytes, 8).cast_signed());
    let key = long(&mut bytes).map(Into::into);
    let value = long(&mut bytes).map(Into::into);
    let headers = (0..number(&mut bytes, 2)).map(|_| {
        let name = number(&mut bytes, 2);
        let name = String::from_utf8(take(&mut bytes, usize::try_from(name).unwrap()).to_vec()).unwrap();
        (name, long(&mut bytes).unwrap().into())
    });
    Record {
        offset,
        timestamp,
        key,
        value,
        headers: headers.collect(),
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes)
    ]
}

/// A record, and the number of offsets without a record before it.
fn any_record() -> impl Strategy<Value = (u64, Record)> {
    let headers = proptest::collection::vec((any::<String>(), any_bytes().prop_map(Into::into)), 0..3);
    let part = || proptest::option::of(any_bytes().prop_map(Into::into));
    (0_u64..4, any::<i64>(), part(), part(), headers).prop_map(|(gap, timestamp, key, value, headers)| {
        (
            gap,
            Record {
                offset: 0,
                timestamp: Timestamp::from_millis(timestamp),
                key,
                value,
                headers,
            },
        )
    })
}

proptest! {
    /// Whatever the records are, every format gives them back, equal records make equal bytes, and the bytes of a
    /// record can be told from those of any other.
    #[test]
    fn records_come_back(start in 0_u64..1 << 60, drawn in proptest::collection::vec(any_record(), 1..20)) {
        let mut next = start;
        let records: Vec<_> = drawn.into_iter().map(|(gap, record)| {
            let offset = next + gap;
            next = offset + 1;
            Record { offset, ..record }
        }).collect();
        for format in FORMATS {
            let encode = || {
                let mut encoder = format.encoder();
                records.iter().for_each(|record| encoder.add(record));
                encoder.finish()
            };
            let bytes = encode();
            prop_assert_eq!(&bytes, &encode());
            let read: Vec<_> = format.decoder(&bytes).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read, &records);
        }
        for record in &records {
            let mut bytes = Vec::new();
            encode_record(&security(), record, &mut bytes).unwrap();
            prop_assert_eq!(&parse(&bytes), record);
        }
        let manifest = segment(&security(), start, &records).manifest;
        let missing: u64 = manifest.missing.iter().map(|(first, last)| last - first + 1).sum();
        prop_assert_eq!(manifest.count + missing, manifest.last_offset - manifest.first_offset + 1);
    }
}

#[test]
fn the_name_is_of_the_start_and_the_first_record_only() {
    let place = security();
    let late = Record {
        timestamp: time("2026-01-01T01:30:00Z"),
        ..record(8, "b")
    };
    let short = segment(&place, 5, &[record(7, "a")]);
    let long = segment(&place, 5, &[record(7, "a"), late]);
    assert_eq!(short.manifest.key, long.manifest.key);
    assert_eq!(
        short.manifest.key,
        "tier=security/date=2026-01-01/hour=00/events.security+00003+00000000000000000005.jsonl.zst"
    );
    assert_eq!(
        short.manifest.name(),
        "manifest/security/events.security+00003/00000000000000000005.json"
    );
    assert_eq!(
        (
            long.manifest.first_offset,
            long.manifest.last_offset,
            long.manifest.count
        ),
        (5, 8, 2)
    );
    assert_eq!(long.manifest.missing, [(5, 6)]);
    assert_eq!(
        long.manifest.retain_until,
        time("2027-01-02T02:00:00Z"),
        "counted from the last record"
    );
}
