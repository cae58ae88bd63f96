//! The fields that formats say they write into metadata are those that they write.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use event::Timestamp;
use formats::{Choice, Context, Limits, metadata_fields};

/// Lines that between them have every field.
const LINES: &[&str] = &[
    "Mar 27 13:06:56 h sshd-session[17]: Failed password for invalid user a from 1.2.3.4 port 22 ssh2",
    "Mar 27 13:06:56 h sshd[17]: Accepted publickey for a from host.example port 22 ssh2: RSA SHA256:abc",
    "Mar 27 13:06:56 h sudo: u : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su",
    "Mar 27 13:06:56 h usermod[3]: add 'bob' to group 'sudo'",
    "Mar 27 13:06:56 h sshd[1]: PAM 5 more authentication failures; logname= rhost=1.2.3.4  user=root",
    r#"v:80 ::ffff:1.2.3.4 i u [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 429 5 "http://r" "curl" x"#,
];

fn written() -> BTreeSet<String> {
    let time = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let limits = Limits {
        string: 64,
        ..Limits::default()
    };
    let context = Context {
        limits,
        ..Context::new("acme", time)
    };
    let fields = |line: &&str| Choice::Auto.decode(line.as_bytes(), &context).unwrap().event.metadata;
    LINES.iter().flat_map(fields).map(|(name, _)| name).collect()
}

#[test]
fn every_field_that_is_declared_is_written_and_none_other() {
    let declared: BTreeSet<String> = metadata_fields().map(str::to_owned).collect();
    assert_eq!(written(), declared);
}
