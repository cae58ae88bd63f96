use event::Reason;
use proptest::prelude::*;

use super::{Framing, split};
use crate::Limits;

fn entries(body: &[u8]) -> Result<Vec<String>, (Reason, String)> {
    let list = split(body, Framing::of(body), &Limits::default());
    let list = list.map_err(|rejection| (rejection.reason, rejection.detail))?;
    Ok(list
        .into_iter()
        .map(|entry| String::from_utf8_lossy(entry).into_owned())
        .collect())
}

#[test]
fn every_form_of_a_body() {
    let cases: [(&str, &[&str]); 19] = [
        (r#"{"message":"a"}"#, &[r#"{"message":"a"}"#]),
        (" {\r\n \"message\": \"a\"\n}\n", &["{\r\n \"message\": \"a\"\n}"]),
        (
            r#"{"logs":[{"a":1},{"b":[2,{"c":"]"}]}]}"#,
            &[r#"{"a":1}"#, r#"{"b":[2,{"c":"]"}]}"#],
        ),
        (r#"{"logs": [ ] }"#, &[]),
        ("[]", &[]),
        (r#"[{"a":1} , {"b":2}]"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
        (
            r#"[{"logs":[{"a":1}]},{"logs":[{"b":2},{"c":3}]},{"d":4}]"#,
            &[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#, r#"{"d":4}"#],
        ),
        ("{\"a\":1}\r\n\n{\"b\":2}\n", &[r#"{"a":1}"#, r#"{"b":2}"#]),
        (
            "{\"a\":1}\nrubbish\n{\"b\":2}",
            &[r#"{"a":1}"#, "rubbish", r#"{"b":2}"#],
        ),
        ("{\"a\":\"cut\n{\"b\":2}\n", &["{\"a\":\"cut", r#"{"b":2}"#]),
        ("{\"a\":1}\n{\"b\":\"cut", &[r#"{"a":1}"#, "{\"b\":\"cut"]),
        ("{\"logs\":[{\"a\":1}]}\n[{\"b\":2}]\n", &[r#"{"a":1}"#, r#"{"b":2}"#]),
        (
            "[{\"a\":1}]\n[{\"b\":2} {\"c\":3}]\n",
            &[r#"{"a":1}"#, r#"[{"b":2} {"c":3}]"#],
        ),
        (r#"[{"a":1},nul l,{"b":2}]"#, &[r#"{"a":1}"#, "nul l", r#"{"b":2}"#]),
        (r#"[{"a":"x" "y"},{"b":2}]"#, &[r#"{"a":"x" "y"}"#, r#"{"b":2}"#]),
        (r#"{"logs":"none","a":1}"#, &[r#"{"logs":"none","a":1}"#]),
        (
            r#"{"message":"has logs","logs":[1,2]}"#,
            &[r#"{"message":"has logs","logs":[1,2]}"#],
        ),
        (
            "Mar 27 13:06:56 host sshd[1]: a\n\nMar 27 13:06:57 host sshd[1]: b",
            &["Mar 27 13:06:56 host sshd[1]: a", "Mar 27 13:06:57 host sshd[1]: b"],
        ),
        ("[::1] - - x\n[error] y\n", &["[::1] - - x", "[error] y"]),
    ];
    for (body, expected) in cases {
        assert_eq!(
            entries(body.as_bytes()),
            Ok(expected.iter().map(ToString::to_string).collect()),
            "{body}"
        );
        let marked = [b"\xef\xbb\xbf", body.as_bytes()].concat();
        let marked: Vec<String> = entries(&marked).expect("a byte order mark changes nothing");
        assert_eq!(marked.len(), expected.len(), "{body}");
    }
}

#[test]
fn a_body_that_cannot_be_taken_at_all() {
    let cases: [(&[u8], Reason, &str); 6] = [
        (b"", Reason::Empty, "the body is empty"),
        (b" \r\n\t", Reason::Empty, "the body is empty"),
        (
            b"{\"logs\":[\n{\"a\":1},\n{\"b\":2}\n",
            Reason::Malformed,
            "the JSON that begins at byte 0 is cut off",
        ),
        (
            b" [{\"a\":1},{\"b\"",
            Reason::Malformed,
            "the JSON that begins at byte 1 is cut off",
        ),
        (
            b"[{\"a\":1} {\"b\":2}]",
            Reason::Malformed,
            "the list that begins at byte 0: expected `,` or `]` 9 bytes later",
        ),
        (
            b"{\"logs\":[],\"logs\":[{}]}",
            Reason::Invalid,
            "the field `logs` is there twice",
        ),
    ];
    for (body, reason, detail) in cases {
        assert_eq!(
            entries(body),
            Err((reason, detail.to_owned())),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn bytes_that_are_not_text_spoil_one_entry_only() {
    let list = entries(b"{\"logs\":[{\"a\":\"\xff\"},{\"b\":2}]}").expect("the list is whole");
    assert_eq!(list.len(), 2);
    assert_eq!(list[1], r#"{"b":2}"#);
}

#[test]
fn too_many_entries_are_refused_in_every_form() {
    let body = |count: usize, open: &str, between: &str, close: &str| {
        format!("{open}{}{close}", vec!["{}"; count].join(between))
    };
    for (open, between, close) in [("[", ",", "]"), ("{\"logs\":[", ",", "]}"), ("", "\n", "")] {
        let full = body(10_000, open, between, close);
        assert_eq!(entries(full.as_bytes()).map(|list| list.len()), Ok(10_000));
        let more = body(10_001, open, between, close);
        assert_eq!(
            entries(more.as_bytes()),
            Err((Reason::TooLarge, "more than 10000 entries".to_owned()))
        );
    }
}

proptest! {
    #[test]
    fn entries_are_slices_in_order(body in prop::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b','), Just(b':'), Just(b'\n'), Just(b'\\'), Just(b' '), any::<u8>()
    ], 0..64)) {
        for framing in [Framing::Json, Framing::Lines] {
            let Ok(list) = split(&body, framing, &Limits::default()) else { continue };
            let mut at = body.as_ptr() as usize;
            for entry in list {
                let place = entry.as_ptr() as usize;
                prop_assert!(place >= at && !entry.trim_ascii().is_empty());
                at = place + entry.len();
            }
            prop_assert!(at <= body.as_ptr() as usize + body.len());
        }
    }
}
