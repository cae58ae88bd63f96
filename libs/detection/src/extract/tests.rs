#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use event::Raw;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use super::*;
use crate::oracle::random::{self, NAMES};

fn full() -> Event {
    let text = || Some("x".to_owned());
    Event {
        event_id: "e-1".to_owned(),
        time_suspect: true,
        tenant: "acme".to_owned(),
        service: "app".to_owned(),
        message: "m".to_owned(),
        security_event: text(),
        user_id: text(),
        user_email: text(),
        user_role: text(),
        session_id: text(),
        source_ip: text(),
        user_agent: text(),
        audit: true,
        action: text(),
        resource_type: text(),
        resource_id: text(),
        success: Some(true),
        error_message: text(),
        metadata: json!({"a": 1}).as_object().unwrap().clone(),
        trace_id: text(),
        span_id: text(),
        tags: vec!["t".to_owned()],
        repeat: 2,
        format: "test".to_owned(),
        raw: Raw::new(b"raw"),
        ..Event::default()
    }
}

/// All that can be read of an event.
fn slots_of(names: &[&str]) -> Slots {
    let mut slots = Slots::default();
    for name in names {
        slots.slot(name);
    }
    slots
}

fn read_all(record: &[u8]) -> Result<(), DecodeError> {
    let mut slots = slots_of(&NAMES);
    slots.reads_tags = true;
    let extractor = Extractor::new(&mut slots);
    extractor.read(record, Timestamp::MAX, Vec::new()).map(|_| ())
}

fn read_nothing(record: &[u8]) -> Result<(), DecodeError> {
    let extractor = Extractor::new(&mut Slots::default());
    extractor.read(record, Timestamp::MAX, Vec::new()).map(|_| ())
}

#[test]
fn the_fields_are_those_of_an_event_in_the_order_of_its_bytes() {
    let json: Value = serde_json::from_slice(&full().encode()).unwrap();
    let written: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(written, FIELDS.map(|(name, ..)| name));
    // Of what is required nothing may be left out, and of the rest everything.
    for (name, _, is_required) in FIELDS {
        let mut less = json.clone();
        less.as_object_mut().unwrap().remove(name);
        let record = serde_json::to_vec(&less).unwrap();
        assert_eq!(Event::decode(&record).is_err(), is_required, "{name}");
        assert_eq!(read_nothing(&record).is_err(), is_required, "{name}");
    }
}

fn refused(record: &[u8], reason: &str) {
    let shown = String::from_utf8_lossy(record);
    let error = read_all(record).map(|()| shown.to_string()).unwrap_err().to_string();
    assert!(error.contains(reason), "{shown}: {error}");
    assert!(Event::decode(record).is_err(), "an event to others: {shown}");
}

#[test]
fn what_is_no_canonical_event_is_refused_with_its_reason() {
    let good = String::from_utf8(full().encode()).unwrap();
    read_all(good.as_bytes()).unwrap();
    refused(b"", "EOF while parsing");
    refused(b"null", "invalid type: null");
    refused(b"[]", "invalid type: sequence");
    refused(b"{}", "missing field `schema_version`");
    refused(&good.as_bytes()[..good.len() - 1], "EOF while parsing");
    refused(format!("{good}x").as_bytes(), "trailing characters");
    let no_text = [&good.as_bytes()[..good.len() - 3], b"\xff\"}"].concat();
    refused(&no_text, "invalid utf-8");
    let cases = [
        (r#""raw":"#, r#""raw""#, "expected `:`"),
        (r#""raw":"#, r#""raw":[1,"#, "expected `,` or `]`"),
        (r#""tenant":"acme","#, "", "missing field `tenant`"),
        (r#""tenant""#, r#""event_id""#, "duplicate field `event_id`"),
        (
            r#""schema_version":1"#,
            r#""schema_version":2"#,
            "event of unknown version 2",
        ),
        (
            r#""schema_version":1"#,
            r#""schema_version":"1""#,
            "invalid type: string",
        ),
        (
            r#""event_id":"e-1""#,
            r#""event_id":1"#,
            "integer `1`, expected a string",
        ),
        (r#""event_id":"e-1""#, r#""event_id":null"#, "null, expected a string"),
        (r#""time":""#, r#""time":"x"#, "is not an RFC 3339 time"),
        (r#""repeat":2"#, r#""repeat":-2"#, "invalid value: integer `-2`"),
        // What a rule reads has to be of its type.
        (r#""user_id":"x""#, r#""user_id":1"#, "integer `1`, expected a string"),
        (r#""service":"app""#, r#""service":null"#, "null, expected a string"),
        (r#""level":"info""#, r#""level":"loud""#, "unknown variant `loud`"),
        (r#""severity":"low""#, r#""severity":"HIGH""#, "unknown variant `HIGH`"),
        (r#""audit":true"#, r#""audit":null"#, "null, expected a boolean"),
        (r#""success":true"#, r#""success":1"#, "integer `1`, expected a boolean"),
        (r#""metadata":{"a":1}"#, r#""metadata":[1]"#, "invalid type: sequence"),
        (r#""metadata":{"a":1}"#, r#""metadata":null"#, "invalid type: null"),
        (r#""tags":["t"]"#, r#""tags":"t""#, "string \"t\", expected a sequence"),
        (r#""tags":["t"]"#, r#""tags":[1]"#, "invalid type: integer `1`"),
    ];
    for (from, to, reason) in cases {
        assert!(good.contains(from), "{from}");
        refused(good.replacen(from, to, 1).as_bytes(), reason);
    }
}

/// What nobody reads is checked to be JSON and no more, so that it costs no more.
#[test]
fn what_no_rule_reads_may_be_of_any_type() {
    let good = String::from_utf8(full().encode()).unwrap();
    for (from, to) in [
        (r#""user_id":"x""#, r#""user_id":[1]"#),
        (r#""level":"info""#, r#""level":5"#),
        (r#""metadata":{"a":1}"#, r#""metadata":null"#),
        (r#""tags":["t"]"#, r#""tags":{}"#),
        (r#""ingest_time":""#, r#""ingest_time":"x"#),
    ] {
        assert!(good.contains(from), "{from}");
        let record = good.replacen(from, to, 1);
        assert!(Event::decode(record.as_bytes()).is_err(), "{to}");
        read_nothing(record.as_bytes()).unwrap();
    }
    let broken = good.replacen(r#""a":1"#, r#""a":01"#, 1);
    assert!(read_nothing(broken.as_bytes()).is_err());
}

fn texts(values: &[FieldValue<'_>]) -> BTreeSet<String> {
    values.iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_read_is_what_the_decoded_event_says(
        event in random::event(),
        metadata in random::metadata(),
        turned in 0_usize..40,
        is_foreign: bool,
        names in subsequence(&NAMES[..], 0..=NAMES.len()),
        reads_tags: bool,
        reads_texts: bool,
    ) {
        let record = random::record(&event, &metadata, turned, is_foreign && turned != 0);
        let decoded = Event::decode(&record).unwrap();
        let mut slots = slots_of(&names);
        (slots.reads_tags, slots.reads_texts) = (reads_tags, reads_texts);
        let extractor = Extractor::new(&mut slots);
        let reading = extractor.read(&record, Timestamp::MAX, Vec::new()).unwrap();
        let expected = Subject::of_event(&decoded, decoded.time, &slots);
        for (slot, name) in slots.names() {
            prop_assert_eq!(reading.subject.value(slot), expected.value(slot), "{}", name);
        }
        prop_assert_eq!(&reading.event_id, &decoded.event_id);
        prop_assert_eq!(&reading.tenant, &decoded.tenant);
        prop_assert_eq!(reading.repeat, decoded.repeat);
        prop_assert_eq!(reading.subject.time, decoded.time);
        prop_assert_eq!(&reading.subject.tags, &expected.tags);
        let (found, expected) = (texts(&reading.subject.texts), texts(&expected.texts));
        // Of a name that stands twice a tree keeps one value.
        prop_assert!(found.is_superset(&expected), "{:?} {:?}", found, expected);
        prop_assert!(!metadata.is_canonical() || found == expected, "{:?} {:?}", found, expected);
    }
}
