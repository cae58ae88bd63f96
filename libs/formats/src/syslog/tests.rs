#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Level, Reason, Timestamp};

use super::{Line, recognises};
use crate::time::Moment;
use crate::{Context, Rejection};

fn context() -> Context<'static> {
    Context {
        year: Some(2017),
        ..Context::new("t", Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
    }
}

/// The parts of a line, in its order, on one line.
fn parts(text: &str) -> String {
    let line = Line::of(text, &context()).unwrap();
    let level = line.level.map_or("-", Level::as_str);
    let pid = line.pid.map_or("-".to_owned(), |pid| pid.to_string());
    let Moment::At { time, fine } = line.moment else {
        panic!("{text} has no time")
    };
    let time = if fine {
        time.to_string()
    } else {
        time.to_string().replace(".000Z", "Z")
    };
    format!(
        "{level} {time} {} [{}] {pid} x{} [{}]",
        line.host, line.program, line.repeat, line.message
    )
}

#[test]
fn lines_are_cut_into_their_parts() {
    let cases = [
        (
            "Mar  7 13:06:56 web-1 sshd[17]: a: b",
            "- 2017-03-07T13:06:56Z web-1 [sshd] 17 x1 [a: b]",
        ),
        (
            "Mar 07 13:06:56 h sshd(pam_unix)[17]: a",
            "- 2017-03-07T13:06:56Z h [sshd(pam_unix)] 17 x1 [a]",
        ),
        (
            "<38>Mar 7 13:06:56 h sudo:   u : TTY=x",
            "info 2017-03-07T13:06:56Z h [sudo] - x1 [  u : TTY=x]",
        ),
        (
            "<0>Mar 7 13:06:56 h k: m",
            "critical 2017-03-07T13:06:56Z h [k] - x1 [m]",
        ),
        (
            "2024-05-01T12:00:00.123456+02:00 h a/b[1]: m",
            "- 2024-05-01T10:00:00.123Z h [a/b] 1 x1 [m]",
        ),
        (
            "2024-05-01T12:00:00 h a/b[1]: m",
            "- 2024-05-01T12:00:00Z h [a/b] 1 x1 [m]",
        ),
        (
            "Mar 7 13:06:56 h s[1]: message repeated 5 times: [ F [x]]",
            "- 2017-03-07T13:06:56Z h [s] 1 x5 [F [x]]",
        ),
        (
            "Mar 7 13:06:56 h s[1]: message repeated 2 times: [ cut o",
            "- 2017-03-07T13:06:56Z h [s] 1 x2 [cut o]",
        ),
        (
            "Mar 7 13:06:56 h last message repeated 2 times",
            "- 2017-03-07T13:06:56Z h [] - x1 [last message repeated 2 times]",
        ),
        (
            "Mar 7 13:06:56 h -- MARK --",
            "- 2017-03-07T13:06:56Z h [] - x1 [-- MARK --]",
        ),
        (
            "Mar 7 13:06:56 h two words: m",
            "- 2017-03-07T13:06:56Z h [] - x1 [two words: m]",
        ),
        ("Mar 7 13:06:56 h sshd[1]:", "- 2017-03-07T13:06:56Z h [sshd] 1 x1 []"),
        ("Mar 7 13:06:56 h x[y]: m", "- 2017-03-07T13:06:56Z h [x[y]] - x1 [m]"),
    ];
    for (text, expected) in cases {
        assert_eq!(parts(text), expected, "{text}");
        assert!(recognises(text.as_bytes()), "{text}");
    }
}

#[test]
fn refusals_name_their_column() {
    let cases = [
        (
            "<999>Mar 7 13:06:56 h p: m",
            Reason::Malformed,
            "column 1: expected a priority between <0> and <191>",
        ),
        (
            "<>Mar 7 13:06:56 h p: m",
            Reason::Malformed,
            "column 1: expected a priority between <0> and <191>",
        ),
        (
            "<38>Mrz 7 13:06:56 h p: m",
            Reason::Malformed,
            "column 5: expected a time such as Mar 27 13:06:56 or RFC 3339",
        ),
        (
            "Mar 7 25:06:56 h p: m",
            Reason::Malformed,
            "column 1: expected a time such as Mar 27 13:06:56 or RFC 3339",
        ),
        (
            "Mar 32 13:06:56 h p: m",
            Reason::Malformed,
            "column 1: expected a time such as Mar 27 13:06:56 or RFC 3339",
        ),
        (
            "2024-05-01 12:00:00 h p: m",
            Reason::Malformed,
            "column 1: expected a time such as Mar 27 13:06:56 or RFC 3339",
        ),
        (
            "Feb 29 13:06:56 h p: m",
            Reason::Invalid,
            "`Feb 29 13:06:56` is no day of the year",
        ),
        (
            "Mar 7 13:06:56",
            Reason::Malformed,
            "column 15: expected a host name and a message",
        ),
        (
            "Mar 7 13:06:56 host",
            Reason::Malformed,
            "column 15: expected a host name and a message",
        ),
        (
            "Mar 7 13:06:56 h p: message repeated 0 times: [ m]",
            Reason::Malformed,
            "column 21: expected how often the message was repeated",
        ),
        (
            "Mar 7 13:06:56 h p: message repeated 4294967296 times: [ m]",
            Reason::Malformed,
            "column 21: expected how often the message was repeated",
        ),
    ];
    for (text, reason, detail) in cases {
        let rejection = Line::of(text, &context()).err().unwrap();
        assert_eq!(rejection, Rejection::new(reason, detail), "{text}");
    }
}

#[test]
fn other_bytes_are_not_taken_for_syslog() {
    for record in [
        &b""[..],
        b"{}",
        b"Mar",
        b"Mar 7",
        b"Mar 7 13:06:56",
        b"March 7 13:06:56 h p: m",
        b"\xff",
        b"<38>",
        b"1767225600 h p: m",
    ] {
        assert!(!recognises(record), "{}", String::from_utf8_lossy(record));
    }
    let cut_in_a_character = format!("Mar 7 13:06:56 {}", "é".repeat(40));
    assert!(recognises(cut_in_a_character.as_bytes()));
}
