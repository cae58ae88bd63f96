//! What the Sigma specification says of values, modifiers and conditions, as rule snippets, events and verdicts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use detection::{Matched, Matcher};
use event::{Source, SourcePartition, SourceTopic, Timestamp};
use formats::{Choice, Context};
use serde_json::{Value, json};

/// Whether a rule with this detection fires on this event.
fn fires(detection: &str, event: &Value) -> bool {
    let lines: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    let rule = format!("title: t\nid: t\nlogsource: {{product: tidewatch}}\ndetection:\n{lines}");
    let values = "placeholders: {admins: ['adm*', root], tld: [com, org]}\n";
    let loaded = ruleset::load([("r.yml", rule.as_str()), ("p.yml", values)]);
    let loaded = loaded.unwrap_or_else(|errors| panic!("{detection}\n{}", errors[0]));
    let now = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    let record = event.to_string();
    let decoded = Choice::Auto
        .decode(record.as_bytes(), &Context::new("acme", now))
        .unwrap();
    let partition = SourcePartition {
        topic: SourceTopic::from(decoded.event.tier()),
        partition: 0,
    };
    let mut matched = Matched::default();
    let source = Source { partition, offset: 0 };
    let mut matcher = Matcher::new(&loaded.rule_set);
    matcher
        .evaluate(&decoded.event.encode(), source, now, &mut matched)
        .unwrap();
    !matched.alerts.is_empty()
}

/// Of one selection, the events that it takes and those it does not.
fn check(selection: &str, takes: &[Value], leaves: &[Value]) {
    let detection = format!("s:\n  {selection}\ncondition: s");
    for event in takes {
        assert!(fires(&detection, event), "{selection} takes {event}");
    }
    for event in leaves {
        assert!(!fires(&detection, event), "{selection} leaves {event}");
    }
}

fn f(value: impl Into<Value>) -> Value {
    json!({"f": value.into()})
}

#[test]
fn values() {
    check(
        "f: Admin",
        &[f("admin"), f("ADMIN"), f(json!(["x", "admin"]))],
        &[f("admins"), f(""), json!({})],
    );
    check("f: 'a*c'", &[f("abc"), f("AC"), f("a\nc")], &[f("abcd")]);
    check("f: 'a?c'", &[f("abc")], &[f("ac"), f("abbc")]);
    check(r"f: 'a\*c'", &[f("a*c")], &[f("abc")]);
    check(r"f: 'a\?c'", &[f("a?c")], &[f("abc")]);
    check(r"f: 'C:\\*'", &[f(r"C:\Windows"), f(r"C:\")], &[f("C:*")]);
    check(r"f: 'a\\\*c'", &[f(r"a\*c")], &[f(r"a\bc")]);
    check(r"f: 'C:\Temp\x'", &[f(r"C:\Temp\x")], &[f(r"C:Tempx")]);
    check(r"f: '\\\\srv\share'", &[f(r"\\srv\share")], &[f(r"\srv\share")]);
    check("f: 4625", &[f(4625), f("4625")], &[f(46250), f("x4625"), json!({})]);
    check("f: [1, 2, x]", &[f(1), f("2"), f("X")], &[f(3)]);
    check("f: true", &[f(true), f("true"), f("TRUE")], &[f(false), json!({})]);
    check("f: null", &[f(Value::Null), json!({"g": 1})], &[f("x"), f("")]);
    check("f: ''", &[f("")], &[f("x"), json!({})]);
    check("f: ['', '-', null]", &[f(""), f("-"), json!({})], &[f("x")]);
    check(
        "f: 9007199254740993",
        &[f("9007199254740993")],
        &[f("9007199254740992")],
    );
}

#[test]
fn places_in_a_value() {
    check("f|contains: bc", &[f("abcd"), f("BC")], &[f("b c"), json!({})]);
    check("f|contains: ['a', 'b']", &[f("xa"), f("xb")], &[f("xc")]);
    check("f|contains|all: ['a', 'b']", &[f("ab"), f("b-a")], &[f("a"), f("b")]);
    check("f|all: ['*a*', '*b*']", &[f("ab")], &[f("a")]);
    check("f|startswith: ab", &[f("ABc")], &[f("xab")]);
    check("f|endswith: 'ab'", &[f("xab")], &[f("abx")]);
    check(
        r"f|endswith: '\cmd.exe'",
        &[f(r"C:\CMD.exe")],
        &[f("cmd.exe"), f(r"\cmdXexe")],
    );
    check("f|contains: 'a*c'", &[f("xabcx")], &[f("xabx")]);
    check("f|contains|cased: Ab", &[f("xAbx")], &[f("xabx")]);
    check("f|cased: Ab", &[f("Ab")], &[f("ab")]);
    check("f|contains: 12", &[f(3124), f("x12")], &[f(21)]);
}

#[test]
fn presence_and_difference() {
    check("f|exists: true", &[f("x"), f(""), f(0)], &[json!({}), f(Value::Null)]);
    check("f|exists: false", &[json!({})], &[f("x")]);
    check("f|neq: x", &[f("y"), json!({})], &[f("x"), f("X")]);
    check("f|neq: [1, 2]", &[f(3)], &[f(1), f("2")]);
    check("f|contains|neq: x", &[f("abc")], &[f("axc")]);
}

#[test]
fn encodings() {
    check(
        "f|base64: /bin/bash",
        &[f("L2Jpbi9iYXNo")],
        &[f("/bin/bash"), f("xL2Jpbi9iYXNo")],
    );
    check(
        "f|base64|contains: /bin/bash",
        &[f("echo L2Jpbi9iYXNo | x")],
        &[f("/bin/bash")],
    );
    // "xx" and "xxx" before it: base64 of "xx/bin/bashx" and "xxx/bin/bash".
    let offset = "f|base64offset|contains: /bin/bash";
    check(
        offset,
        &[f("eHgvYmluL2Jhc2h4"), f("eHh4L2Jpbi9iYXNo"), f("eC9iaW4vYmFzaHg=")],
        &[f("/bin/bash")],
    );
    check(
        "f|wide|base64offset|contains: ping",
        &[f("cABpAG4AZwA="), f("eABwAGkAbgBnAA==")],
        &[f("cGluZw==")],
    );
    check("f|utf16le|base64: ping", &[f("cABpAG4AZwA=")], &[f("AHAAaQBuAGc=")]);
    check("f|utf16be|base64: ping", &[f("AHAAaQBuAGc=")], &[f("cABpAG4AZwA=")]);
    check("f|utf16|base64: ping", &[f("//5wAGkAbgBnAA==")], &[f("cABpAG4AZwA=")]);
    check("f|wide: hi", &[f("h\u{0}i\u{0}")], &[f("hi")]);
}

#[test]
fn dashes() {
    let takes: Vec<_> = [
        "x -enc y",
        "x /enc y",
        "x \u{2013}enc y",
        "x \u{2014}enc y",
        "x \u{2015}enc y",
    ]
    .map(f)
    .into();
    check("f|windash|contains: ' -enc '", &takes, &[f("x +enc y")]);
    check("f|contains|windash: ' /enc '", &takes, &[f("x enc y")]);
    check("f|contains|windash: 'a-b'", &[f("a-b")], &[f("a/b")]);
    check(
        "f|windash|contains|all: [' -a ', ' -b ']",
        &[f("x /a -b y")],
        &[f("x -a y")],
    );
    // More dashes than are written out.
    let many = "f|windash|contains: ' --a -b *c'";
    check(
        many,
        &[f("X /-A \u{2013}b 1c"), f(" --a -b c")],
        &[f(" --a b c"), f("+-a -b c")],
    );
    check(
        "f|windash: '-a -b -c'",
        &[f("/a /b -C")],
        &[f("/a /b -c "), f("x/a /b -c")],
    );
}

#[test]
fn expressions() {
    check("f|re: 'a.c'", &[f("xabcx")], &[f("aBC"), f("ABC"), f("a\nc")]);
    check("f|re|i: 'a.c'", &[f("ABC")], &[f("ab")]);
    check("f|re|s: 'a.c'", &[f("a\nc")], &[f("ac")]);
    check("f|re|m: '^b$'", &[f("a\nb\nc")], &[f("abc")]);
    check("f|re|i|s: '^a.c$'", &[f("A\nC")], &[f("xac")]);
    check(r"f|re: '\d{3}\\x'", &[f(r"123\x")], &[f("123x")]);
    check("f|re|all: ['a', 'b']", &[f("ab")], &[f("a")]);
}

#[test]
fn networks_and_numbers_and_times() {
    check(
        "f|cidr: 10.0.0.0/8",
        &[f("10.1.2.3"), f("::ffff:10.1.2.3")],
        &[f("11.1.2.3"), f("10.0.0.0/8"), f("x")],
    );
    check(
        "f|cidr: ['fd00::/8', 192.0.2.1]",
        &[f("fd12::1"), f("192.0.2.1")],
        &[f("fe80::1"), f("192.0.2.2")],
    );
    check("f|gt: 5", &[f(6), f("5.5")], &[f(5), f("x"), json!({})]);
    check("f|gte: 5", &[f(5)], &[f(4)]);
    check("f|lt: 5", &[f(4), f(-1)], &[f(5)]);
    check("f|lte: 5", &[f(5)], &[f(6)]);
    let time = f("2026-02-28T22:05:59Z");
    for (takes, leaves) in [
        ("minute: 5", "minute: 59"),
        ("hour: 22", "hour: 23"),
        ("day: 28", "day: 1"),
        ("week: 9", "week: 8"),
        ("month: 2", "month: 3"),
        ("year: 2026", "year: 26"),
        ("hour|gte: 22", "hour|gt: 22"),
    ] {
        let at = std::slice::from_ref(&time);
        check(&format!("f|{takes}"), at, &[f("no time"), json!({})]);
        check(&format!("f|{leaves}"), &[], at);
    }
}

#[test]
fn references_and_placeholders() {
    let pair = |a: &str, b: &str| json!({"f": a, "g": b});
    check("f|fieldref: g", &[pair("x", "X")], &[pair("x", "y"), json!({"f": "x"})]);
    check("f|fieldref|neq: g", &[pair("x", "y")], &[pair("x", "x")]);
    check("f|fieldref|startswith: g", &[pair("xyz", "xy")], &[pair("xyz", "yz")]);
    check("f|fieldref|endswith: g", &[pair("xyz", "yz")], &[pair("xyz", "xy")]);
    check("f|fieldref|contains: g", &[pair("xyz", "y")], &[pair("xz", "y")]);
    check(
        "f|expand: '%admins%'",
        &[f("root"), f("admiral")],
        &[f("%admins%"), f("user")],
    );
    check("f|expand: 'a.%tld%'", &[f("a.com"), f("a.org")], &[f("a.net")]);
    check(r"f|expand: '\%admins%'", &[f("%admins%")], &[f("root")]);
    check("f: '%admins%'", &[f("%admins%")], &[f("root")]);
    check("f|expand|endswith: '.%tld%'", &[f("a.org")], &[f("a.orgs")]);
    check("f|re|expand: '^a.%tld%$'", &[f("a-com")], &[f("a-net")]);
}

#[test]
fn selections_and_keywords() {
    check("a: 1\n  b: 2", &[json!({"a": 1, "b": 2})], &[json!({"a": 1})]);
    check(
        "- a: 1\n  - b: 2",
        &[json!({"a": 1}), json!({"b": 2})],
        &[json!({"a": 2})],
    );
    let said = |text: &str| json!({"message": text, "service": "app"});
    check(
        "- evil\n  - 'bad thing'",
        &[
            said("an EVIL plan"),
            said("a bad thing"),
            json!({"deep": {"down": ["evil"]}}),
        ],
        &[said("ev il")],
    );
    check("'|all': [one, two]", &[said("two one")], &[said("one")]);
    check("- 'ev*l'\n  - a: 1", &[said("xevilx"), json!({"a": 1})], &[said("ev")]);
    check("'|re': 'e.il'", &[said("evil")], &[said("EVIL")]);
    check(
        "c-ip: 203.0.113.9",
        &[json!({"source_ip": "203.0.113.9"}), json!({"c-ip": "203.0.113.9"})],
        &[json!({"c-ip": "1"})],
    );
}

#[test]
fn conditions() {
    let events = |flags: &str| {
        let fields = flags.chars().map(|flag| (flag.to_string(), json!(1)));
        Value::Object(fields.collect())
    };
    let selections = "sel_a: {a: 1}\nsel_b: {b: 1}\nother: {c: 1}\n_hidden: {d: 1}\ncondition: ";
    for (condition, takes, leaves) in [
        ("sel_a and sel_b", &["ab"][..], &["a", "b"][..]),
        ("sel_a or sel_b and other", &["a", "bc"], &["b"]),
        ("(sel_a or sel_b) and other", &["ac"], &["a", "ab"]),
        ("not sel_a and sel_b", &["b"], &["ab", "a"]),
        ("not (sel_a and sel_b)", &["a", "c"], &["ab"]),
        ("1 of sel_*", &["a", "b"], &["c"]),
        ("all of sel_*", &["ab"], &["a"]),
        ("1 of them", &["c"], &["d"]),
        ("all of them", &["abc"], &["ab"]),
        ("1 of *_*", &["d", "a"], &["c"]),
        ("sel_a and not 1 of sel_b*", &["a"], &["ab"]),
        ("sel_a AND NOT other", &["a"], &["ac"]),
        ("_hidden", &["d"], &["a"]),
        ("[sel_a, other and sel_b]", &["a", "bc"], &["b"]),
        ("any of sel_*", &["b"], &["c"]),
    ] {
        for flags in takes {
            assert!(
                fires(&format!("{selections}{condition}"), &events(flags)),
                "{condition} takes {flags}"
            );
        }
        for flags in leaves {
            assert!(
                !fires(&format!("{selections}{condition}"), &events(flags)),
                "{condition} leaves {flags}"
            );
        }
    }
}
