use event::Reason;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::parse;
use crate::Limits;

fn read(text: &str) -> Result<Value, (Reason, String)> {
    parse(text, 0, &Limits::default()).map_err(|rejection| (rejection.reason, rejection.detail))
}

#[test]
fn refusals_name_their_byte() {
    for (text, detail) in [
        ("", "byte 0: expected a value, but it is cut off"),
        (r#"{"a":1"#, "byte 6: expected `,` or `}`, but it is cut off"),
        (r#"{"a" 1}"#, "byte 5: expected `:`, found '1'"),
        (r#"{a:1}"#, "byte 1: expected a field's name in quotes, found 'a'"),
        (r#"{"a":1,}"#, "byte 7: expected a field's name in quotes, found '}'"),
        ("[1,]", "byte 3: expected a value, found ']'"),
        ("[1] x", "byte 4: expected the end, found 'x'"),
        ("nul", "byte 0: expected a value, found 'n'"),
        ("NaN", "byte 0: expected a value, found 'N'"),
        ("01", "byte 1: expected the end, found '1'"),
        ("1.", "byte 2: expected a digit, but it is cut off"),
        ("-", "byte 1: expected a digit, but it is cut off"),
        ("1e+", "byte 3: expected a digit, but it is cut off"),
        (r#""a"#, "byte 2: expected `\"`, but it is cut off"),
        (
            "\"a\nb\"",
            "byte 2: expected no control character in a text, found '\\n'",
        ),
        (r#""\q""#, "byte 1: expected an escape that JSON knows, found '\\\\'"),
        (r#""\"#, "byte 1: expected an escape that JSON knows, found '\\\\'"),
        (
            r#""\u12g4""#,
            "byte 1: expected `\\u` and four hexadecimal digits, found '\\\\'",
        ),
    ] {
        assert_eq!(read(text), Err((Reason::Malformed, detail.to_owned())), "{text}");
    }
}

#[test]
fn a_name_that_is_there_twice_is_an_evasion() {
    for (text, name) in [
        (r#"{"user":"a","user":"b"}"#, "user"),
        (r#"{"x":{"a":1,"\u0061":2}}"#, "a"),
    ] {
        let detail = format!("byte 12: the field `{name}` is there twice");
        assert_eq!(read(text), Err((Reason::Invalid, detail)), "{text}");
    }
}

#[test]
fn half_a_surrogate_pair_is_no_text() {
    for text in [r#""\ud800""#, r#""\ud800\u0041""#, r#""\udc00""#, r#""\ud800x""#] {
        let detail = "byte 1: half of a surrogate pair is not a character".to_owned();
        assert_eq!(read(text), Err((Reason::NotText, detail)), "{text}");
    }
    assert_eq!(read(r#""\ud83d\ude00\u0041\u0000""#), Ok(json!("😀A\0")));
}

#[test]
fn limits_hold_at_their_edge() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(64)).is_ok());
    assert_eq!(
        read(&nested(65)),
        Err((Reason::TooComplex, "byte 64: nested deeper than 64".to_owned()))
    );
    assert!(read(&nested(1_000_000)).is_err());
    let fields = |count: usize| {
        let fields: Vec<String> = (0..count).map(|number| format!("\"{number}\":0")).collect();
        format!("{{{}}}", fields.join(","))
    };
    assert!(read(&fields(512)).is_ok());
    let (reason, detail) = read(&fields(513)).expect_err("one more than the limit");
    assert_eq!(reason, Reason::TooComplex);
    assert!(detail.ends_with("more than 512 fields in one object"), "{detail}");
    let key = |length: usize| format!("{{\"{}\":0}}", "k".repeat(length));
    assert!(read(&key(256)).is_ok());
    assert_eq!(
        read(&key(257)),
        Err((
            Reason::TooLarge,
            "byte 1: a field's name is longer than 256 bytes".to_owned()
        ))
    );
    let values = |count: usize| format!("[{}]", vec!["0"; count].join(","));
    assert!(read(&values(16_383)).is_ok());
    assert!(matches!(read(&values(16_384)), Err((Reason::TooComplex, _))));
}

#[test]
fn numbers_stay_what_they_are() {
    let cases = [
        ("0", json!(0)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("9223372036854775808", json!(1_u64 << 63)),
        ("18446744073709551616", json!("18446744073709551616")),
        ("1e22", json!(1e22)),
        (
            "1234567890123456789012345678901234567890",
            json!("1234567890123456789012345678901234567890"),
        ),
        ("1e400", json!("1e400")),
        ("-1e99999999999999999999", json!("-1e99999999999999999999")),
        ("1e-400", json!("1e-400")),
        ("0.1", json!(0.1)),
        ("0.10", json!(0.1)),
        ("1161016328276775.2", json!(1161016328276775.2)),
        ("1.50E+2", json!(150.0)),
        ("0e5", json!(0.0)),
        ("0.1000000000000000055", json!("0.1000000000000000055")),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
    assert_eq!(read("-0").map(|value| value.to_string()), Ok("-0.0".to_owned()));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,8}", inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        prop_assert_eq!(read(&text.expect("it is JSON")), Ok(value));
    }

    #[test]
    fn what_is_taken_is_json(value in any_json(), put in r#"[]\[{}":,0-9eE.+\\ud \ntruefalsn"-]{1,3}"#, at: prop::sample::Index) {
        let mut text = value.to_string();
        text.insert_str(text.floor_char_boundary(at.index(text.len() + 1)), &put);
        let strict = read(&text);
        let loose = serde_json::from_str::<Value>(&text);
        if let Ok(strict) = strict {
            let loose = loose.ok().map(|value| shape(&value));
            // Numbers that serde_json refuses are kept as text.
            prop_assert!(loose.is_none_or(|loose| loose == shape(&strict)), "{}", text);
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }
    }

    #[test]
    fn what_is_json_is_taken_but_for_repeated_names(value in any_json(), cut in any::<prop::sample::Index>()) {
        let text = value.to_string();
        let length = text.floor_char_boundary(cut.index(text.len() + 1));
        let cut = &text[..length];
        prop_assert_eq!(read(cut).is_ok(), serde_json::from_str::<Value>(cut).is_ok(), "{}", cut);
    }
}

/// The value without its numbers, for which the two readers differ on purpose.
fn shape(value: &Value) -> Value {
    match value {
        Value::Number(_) => Value::Null,
        Value::String(text) if text.parse::<f64>().is_ok() => Value::Null,
        Value::Array(list) => list.iter().map(shape).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}
