//! What holds for every format and every input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Event, Level, Raw, Reason, Severity, Timestamp};
use formats::{Choice, Context, FORMATS, Framing, Limits, Note, metadata_fields, split};
use proptest::prelude::*;
use serde_json::Value;

fn context(limits: Limits) -> Context<'static> {
    let ingest_time = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    Context {
        limits,
        ..Context::new("acme", ingest_time)
    }
}

fn choices() -> impl Iterator<Item = Choice> {
    FORMATS
        .iter()
        .map(|format| Choice::Named(*format))
        .chain([Choice::Auto])
}

const LINES: [&str; 10] = [
    r#"{"time":"2026-01-01T00:00:00.5Z","service":"api","level":"warn","message":"m","metadata":{"user_id":"u","n":[1,{"x":"\u00e9\n"}]}}"#,
    r#"{"service":"SECURITY: login_failed","level":"warn","message":{"source_ip":"::ffff:1.2.3.4"},"metadata":{"service":"security"}}"#,
    r#"{"schema_version":1,"event_id":"e","tags":["a"],"repeat":2,"audit":true,"userId":7,"ip":"1.2.3.4","time":1767225600}"#,
    r##"{"Event":{"System":{"Provider":{"#attributes":{"Name":"p"}},"EventID":4625,"Channel":"Security"},"EventData":{"IpAddress":"1.2.3.4","Data":{"#text":["a"]}}}}"##,
    r#"{"@timestamp":"2026-01-01T00:00:00.5Z","winlog":{"channel":"c","event_id":1,"event_data":{"User":"u"},"process":{"pid":4}},"log":{"level":"error"}}"#,
    "Mar 27 13:06:56 web-1 sshd[17]: message repeated 5 times: [ Failed password for invalid user a from 1.2.3.4 port 22 ssh2]",
    "<38>2024-05-01T12:00:00.1+02:00 h sshd[1]: Invalid user  from host.example port 1",
    "Feb 29 13:06:56 h sudo:  u : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su",
    "Mar 7 13:06:56 h sshd[1]: PAM 5 more authentication failures; logname= rhost=1.2.3.4  user=root",
    r#"v:80 1.2.3.4 - u [17/May/2015:10:05:03 +0000] "GET /a?b=\x22 HTTP/1.1" 429 5 "-" "curl \"8\"" x"#,
];

/// A line of each kind with a few bytes changed, put in or cut off, or bytes at random.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0..4_u8,
        prop_oneof![any::<u8>(), prop::sample::select(&br#"{}[]",:\ -0n"#[..])],
    );
    let edited = (prop::sample::select(&LINES[..]), prop::collection::vec(edit, 0..4)).prop_map(|(line, edits)| {
        let mut bytes = line.as_bytes().to_vec();
        for (at, kind, byte) in edits {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    });
    prop_oneof![4 => edited, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn longest_text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(longest_text).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn check(record: &[u8], limits: &Limits) -> Result<(), TestCaseError> {
    let context = context(limits.clone());
    for choice in choices() {
        match choice.decode(record, &context) {
            Ok(decoded) => {
                let mut event = decoded.event;
                prop_assert!(record.len() <= limits.record);
                prop_assert_eq!(
                    (event.tenant.as_str(), event.ingest_time),
                    ("acme", context.ingest_time)
                );
                let raw = std::mem::take(&mut event.raw);
                prop_assert_eq!(&raw, &Raw::new(record), "the event keeps the bytes as they came");
                prop_assert!(event.repeat >= 1);
                prop_assert!(event.event_id.len() <= limits.key);
                prop_assert!(!event.event_id.is_empty() <= decoded.identifiable);
                let written = serde_json::to_value(&event).unwrap();
                // The longest name of a field that a cut can report is "metadata." and a key.
                let bound = limits.string.max(limits.key + "metadata.".len());
                prop_assert!(longest_text(&written) <= bound, "{}", written);
                let is_of_object = matches!(event.format.as_str(), "json" | "logtide" | "windows");
                let undeclared = event
                    .metadata
                    .keys()
                    .find(|name| !metadata_fields().any(|known| known == *name));
                prop_assert!(is_of_object || undeclared.is_none(), "{undeclared:?}");
                let marked = event.metadata.contains_key("_truncated");
                prop_assert_eq!(marked, decoded.notes.contains(&Note::Truncated));
            }
            Err(rejection) => {
                prop_assert!(!rejection.detail.is_empty());
                let letter = rejection.dead_letter(record, "test", &context);
                prop_assert_eq!(&letter.raw, &Raw::new(record), "nothing vanishes");
                let unread = matches!(
                    rejection.reason,
                    Reason::Empty | Reason::TooLarge | Reason::UnknownFormat
                );
                prop_assert!(rejection.format.is_some() || unread);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_input_panics_and_no_limit_is_passed(record in any_record(), string in 64..100_usize, tight: bool) {
        let tight = Limits { record: 150, depth: 2, fields: 4, values: 8, key: 8, string, entries: 2 };
        let wide = Limits::default();
        check(&record, &tight)?;
        check(&record, &wide)?;
    }

    #[test]
    fn a_body_is_cut_into_entries_that_are_read_or_refused(records in prop::collection::vec(any_record(), 0..4), list: bool) {
        let body = if list { [b"[", &records.join(&b',')[..], b"]"].concat() } else { records.join(&b'\n') };
        for framing in [Framing::of(&body), Framing::Json, Framing::Lines] {
            for entry in split(&body, framing, &Limits::default()).unwrap_or_default() {
                check(entry, &Limits::default())?;
            }
        }
    }
}

fn name() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-zA-Z0-9@. äß\"\\\\-]{1,12}")
}

prop_compose! {
    fn person()(user_id in name(), user_email in name(), user_role in name(), session_id in name(), user_agent in name(),
        source_ip in prop::option::of(any::<std::net::IpAddr>())) -> Event
    {
        let source_ip = source_ip.map(|address| address.to_canonical().to_string());
        Event { user_id, user_email, user_role, session_id, user_agent, source_ip, ..blank() }
    }
}

prop_compose! {
    fn any_event()(person in person(), event_id in "[a-z0-9-]{1,36}", millis in 0..1_767_225_600_000_i64, service in "[a-z]{1,9}",
        level in prop::sample::select(&Level::ALL[..]), severity in prop::sample::select(&Severity::ALL[..]), message in ".{1,20}",
        what in name(), audit: bool, success in any::<Option<bool>>(), (action, kind, id, error) in (name(), name(), name(), name()),
        trace_id in name(), span_id in prop::option::of("[0-9a-f]{16}"), tags in prop::collection::vec("[a-z_]{1,9}", 0..3),
        repeat in 1..u32::MAX, metadata in prop::collection::btree_map("x[a-z.]{0,6}", any::<i64>(), 0..5)) -> Event
    {
        Event {
            event_id, time: Timestamp::from_millis(millis), service, level, severity, message, security_event: what, audit, success,
            action, resource_type: kind, resource_id: id, error_message: error, trace_id, span_id, tags, repeat,
            metadata: metadata.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
            ..person
        }
    }
}

fn blank() -> Event {
    let moment = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    Event {
        time: moment,
        ingest_time: moment,
        tenant: "acme".into(),
        format: "json".into(),
        ..Event::default()
    }
}

proptest! {
    #[test]
    fn a_canonical_event_read_again_is_the_same(event in any_event()) {
        let bytes = event.encode();
        let decoded = Choice::Auto.decode(&bytes, &context(Limits::default())).unwrap();
        prop_assert_eq!(decoded.notes, []);
        prop_assert!(decoded.identifiable);
        prop_assert_eq!(&decoded.event.raw, &Raw::new(&bytes));
        prop_assert_eq!(Event { raw: Raw::default(), ..decoded.event }, event);
    }
}

#[test]
fn auto_finds_the_format_of_each_line() {
    let expected = [
        "logtide", "logtide", "json", "windows", "windows", "sshd", "sshd", "sshd", "sshd", "combined",
    ];
    for (line, expected) in LINES.iter().zip(expected) {
        let found = Choice::Auto.format(line.as_bytes()).map(formats::Format::name);
        assert_eq!(found, Some(expected), "{line}");
        assert!(
            Choice::Auto
                .decode(line.as_bytes(), &context(Limits::default()))
                .is_ok(),
            "{line}"
        );
        let others = FORMATS
            .iter()
            .filter(|format| !["json", "logtide"].contains(&format.name()));
        assert!(
            others.filter(|format| format.recognises(line.as_bytes())).count() <= 1,
            "{line}"
        );
    }
}

#[test]
fn what_no_format_can_read_is_refused_with_its_reason() {
    let context = context(Limits::default());
    let large = vec![b'{'; 1024 * 1024 + 1];
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(&[u8], Reason, &str, Option<&str>); 9] = [
        (b"", Reason::Empty, "there are no bytes", None),
        (b" \r\n", Reason::Empty, "there are no bytes", None),
        (
            &large,
            Reason::TooLarge,
            "1048577 bytes are more than the limit of 1048576",
            None,
        ),
        (b"rubbish", Reason::UnknownFormat, "no format recognises it", None),
        (
            b"\x00\x00\x00\x00\x2a",
            Reason::UnknownFormat,
            "no format recognises it",
            None,
        ),
        (
            b"{\"a\":\"\xff\"}",
            Reason::NotText,
            "byte 6 is not UTF-8",
            Some("json"),
        ),
        (
            b"{\"a\":\"\xc0\xaf\"}",
            Reason::NotText,
            "byte 6 is not UTF-8",
            Some("json"),
        ),
        (
            b"{\"a\":1",
            Reason::Malformed,
            "byte 6: expected `,` or `}`, but it is cut off",
            Some("json"),
        ),
        (
            deep.as_bytes(),
            Reason::TooComplex,
            "byte 68: nested deeper than 64",
            Some("json"),
        ),
    ];
    for (record, reason, detail, format) in cases {
        let rejection = Choice::Auto.decode(record, &context).unwrap_err();
        assert_eq!(
            (rejection.reason, rejection.detail.as_str(), rejection.format),
            (reason, detail, format)
        );
    }
    let list = "json".parse::<Choice>().unwrap().decode(b"[1]", &context).unwrap_err();
    assert_eq!(list.detail, "an event is a JSON object, and this is another value");
}

#[test]
fn logtide_demands_what_its_contract_demands() {
    let choice: Choice = "logtide".parse().unwrap();
    let context = context(Limits::default());
    let entry = br#"{"service":"api","level":"info","message":"m"}"#;
    assert_eq!(choice.decode(entry, &context).unwrap().event.format, "logtide");
    let rejection = choice
        .decode(br#"{"service":"api","level":"info"}"#, &context)
        .unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (Reason::Invalid, "the field `message` is missing")
    );
}

#[test]
fn names_of_formats() {
    for choice in choices() {
        assert_eq!(choice.name().parse::<Choice>().unwrap().name(), choice.name());
    }
    let unknown = "ssh".parse::<Choice>().unwrap_err().to_string();
    assert_eq!(
        unknown,
        "`ssh` is not a format; the formats are auto, logtide, windows, json, sshd, combined"
    );
}
