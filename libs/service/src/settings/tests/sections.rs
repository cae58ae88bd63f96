use std::collections::BTreeMap;

use super::{Form, Reader, Sample, Scratch, describe, read};

/// Sections of every form around one key.
fn routes(reader: &mut Reader<'_>) -> (Vec<String>, BTreeMap<String, String>, Option<String>) {
    (
        reader.section_list("routes", "", "", |route| route.text("to", "").required()),
        reader.named_sections("channels", "", "", |_, channel| channel.text("url", "").required()),
        reader.optional_section("pager", "", |pager| pager.text("key", "").required()),
    )
}

#[test]
fn sections_may_be_listed_named_or_left_out() {
    let scratch = Scratch::new("routes: [{to: b}, {to: a}]\nchannels: {ops: {url: o}, security: {url: s}}\n");
    let variables = [("TIDEWATCH_CHANNELS__OPS__URL", "changed")];
    let loaded = read(&scratch.load(&variables).unwrap(), routes).unwrap();
    let (listed, named, optional) = loaded.settings;
    assert_eq!(listed, ["b", "a"]);
    assert_eq!(named["ops"], "changed");
    assert_eq!(named["security"], "s");
    assert_eq!(optional, None);
    assert!(
        loaded.effective.starts_with("routes:\n  -\n    to: \"b\""),
        "{}",
        loaded.effective
    );

    let scratch = Scratch::new("routes: [{to: b}, {too: a}]\nchannels: {ops: {}}\npager: {}\n");
    let problems = read(&scratch.load(&[]).unwrap(), routes).unwrap_err();
    assert_eq!(
        scratch.short(&problems),
        [
            "tidewatch.yaml: routes[1].too: unknown key, did you mean to?",
            "tidewatch.yaml: channels.ops.url: required and not set; set it here or in TIDEWATCH_CHANNELS__OPS__URL",
            "tidewatch.yaml: pager.key: required and not set; set it here or in TIDEWATCH_PAGER__KEY",
        ]
    );

    let scratch = Scratch::new("routes: {to: b}");
    let problems = read(&scratch.load(&[]).unwrap(), routes).unwrap_err();
    assert_eq!(
        scratch.short(&problems),
        ["tidewatch.yaml: routes: expected a list of sections"]
    );
}

#[test]
fn the_sections_of_other_services_are_left_alone() {
    let scratch = Scratch::new("door: {anything: 1}\nalerter: 2");
    let tree = scratch.load(&[("TIDEWATCH_DOOR__OTHER", "x")]).unwrap();
    assert!(read(&tree, |reader| reader.ignore(&["door", "alerter"])).is_ok());
    let problems = read(&tree, |reader| reader.ignore(&["door"])).unwrap_err();
    assert_eq!(scratch.short(&problems), ["tidewatch.yaml: alerter: unknown key"]);
}

#[test]
fn every_key_is_described_even_in_parts_that_are_left_out() {
    let keys = describe(|reader| {
        reader.section("door", "the door", Sample::read);
        routes(reader);
    });
    let lines: Vec<String> = keys
        .iter()
        .map(|key| {
            let default = key
                .default
                .as_deref()
                .unwrap_or(if key.required { "required" } else { "-" });
            format!("{} | {} | {default} | {}", key.path, key.kind, key.purpose)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "door | section | - | the door",
            "door.brokers | text | required | brokers to start from",
            "door.workers | integer from 1 to 64 | 2 | worker threads",
            "door.compress | true or false | true | compress batches",
            "door.drain | duration from 1s to 1h | 10s | how long a stop may take",
            "door.session_timeout | duration | 45s | when the group gives a member up",
            "door.body_max | size | 10MiB | largest body",
            "door.listen | address and port | \"0.0.0.0:8080\" | where the door listens",
            "door.rules | path | \"rules/guide\" | directory of rules",
            "door.topics | list of texts | [] | topics to read",
            "door.format | one of json, text | json | form of the log",
            "door.api_key | secret; or api_key_file, the path of a file that holds it | required | key of the door",
            "routes | section | - | ",
            "routes[0] | section | - | ",
            "routes[0].to | text | required | ",
            "channels | section | - | ",
            "channels.NAME | section | - | ",
            "channels.NAME.url | text | required | ",
            "pager | section | - | ",
            "pager.key | text | required | ",
        ]
    );
}

/// What is kept where, of which one kind is chosen.
fn store(reader: &mut Reader<'_>) -> Option<String> {
    let kinds = &[("bucket", true), ("directory", false)];
    let is_bucket = reader.choice("kind", "", kinds).default(true);
    let bucket = reader.only_with("kind: bucket", is_bucket, |reader| {
        let name = reader.text("bucket", "").required();
        reader.secret("key", "").optional();
        name
    });
    let path = reader.only_with("kind: directory", !is_bucket, |reader| {
        reader.text("path", "").required()
    });
    bucket.or(path)
}

#[test]
fn keys_of_the_other_kind_may_be_written_and_do_not_count() {
    for (yaml, expected) in [
        ("{bucket: b}", "b"),
        ("{bucket: b, path: 7}", "b"),
        ("{kind: directory, path: p}", "p"),
        ("{kind: directory, path: p, bucket: 7, key_file: nowhere}", "p"),
    ] {
        let scratch = Scratch::new(yaml);
        let loaded = read(&scratch.load(&[]).unwrap(), store).unwrap();
        assert_eq!(loaded.settings.as_deref(), Some(expected), "{yaml}");
        let other = if expected == "b" { "path" } else { "bucket" };
        assert!(
            !loaded.effective.contains(&format!("{other}:")),
            "{yaml}: {}",
            loaded.effective
        );
        assert_eq!(loaded.warnings, [], "{yaml}");
    }
    for (yaml, expected) in [
        (
            "{path: p}",
            "bucket: required and not set; set it here or in TIDEWATCH_BUCKET",
        ),
        (
            "{kind: directory, bucket: b}",
            "path: required and not set; set it here or in TIDEWATCH_PATH",
        ),
        ("{bucket: b, pth: p}", "pth: unknown key, did you mean path?"),
    ] {
        let scratch = Scratch::new(yaml);
        let problems = read(&scratch.load(&[]).unwrap(), store).unwrap_err();
        assert_eq!(scratch.short(&problems), [format!("tidewatch.yaml: {expected}")]);
    }
}

#[test]
fn a_description_says_what_to_write_and_where() {
    let keys = describe(|reader| {
        reader.section("door", "", |reader| {
            reader
                .list("rules", "")
                .example(vec!["/r".to_owned()])
                .default(Vec::new());
            reader.boolean("quick", "").depends("true at night").default(false);
            reader.secret("key", "").required();
        });
        reader.section_list("topics", "", "- name: raw", |reader| reader.text("name", "").required());
        reader.named_sections("routes", "", "chat: {to: b}", |_, reader| {
            reader.text("to", "").example("b").required();
        });
        reader.optional_section("tls", "", |reader| reader.path("ca", "").example("/ca").optional());
        reader.section("store", "", store);
    });
    let lines: Vec<String> = keys
        .iter()
        .map(|key| {
            let said = [&key.default, &key.depends, &key.example, &key.variable];
            let said: Vec<&str> = said.map(|text| text.as_deref().unwrap_or("-")).to_vec();
            let only = key.only_with.unwrap_or("-");
            format!(
                "{} {} {:?}: {} | {only}",
                key.depth,
                key.name,
                key.form,
                said.join(" | ")
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "0 door Section: - | - | - | - | -",
            "1 rules Key: [] | - | [\"/r\"] | TIDEWATCH_DOOR__RULES | -",
            "1 quick Key: false | true at night | - | TIDEWATCH_DOOR__QUICK | -",
            "1 key Secret: - | - | \"/run/secrets/door_key\" | TIDEWATCH_DOOR__KEY | -",
            "0 topics SectionList: - | - | - name: raw | - | -",
            "1 - Section: - | - | - | - | -",
            "2 name Key: - | - | - | - | -",
            "0 routes NamedSections: - | - | chat: {to: b} | - | -",
            "1 NAME Section: - | - | - | - | -",
            "2 to Key: - | - | \"b\" | TIDEWATCH_ROUTES__NAME__TO | -",
            "0 tls OptionalSection: - | - | - | - | -",
            "1 ca Key: - | - | \"/ca\" | TIDEWATCH_TLS__CA | -",
            "0 store Section: - | - | - | - | -",
            "1 kind Key: bucket | - | - | TIDEWATCH_STORE__KIND | -",
            "1 bucket Key: - | - | - | TIDEWATCH_STORE__BUCKET | kind: bucket",
            "1 key Secret: - | - | \"/run/secrets/store_key\" | TIDEWATCH_STORE__KEY | kind: bucket",
            "1 path Key: - | - | - | TIDEWATCH_STORE__PATH | kind: directory",
        ]
    );
    assert!(
        keys.iter()
            .all(|key| matches!(key.form, Form::Key | Form::Secret) == (key.kind != "section"))
    );
}

#[test]
fn what_holds_instead_of_a_key_that_is_not_set_is_shown() {
    let scratch = Scratch::new("");
    let loaded = read(&scratch.load(&[]).unwrap(), |reader| {
        reader.text("instance", "").depends("the host's name").optional();
        reader.text("fallback", "").optional();
    });
    let expected = "# instance: (not set: the host's name)\n# fallback: (not set)\n";
    assert_eq!(loaded.unwrap().effective, expected);
}

#[test]
#[should_panic(expected = "the example of workers must be from 1 to 8")]
fn an_example_that_would_be_refused_is_a_defect() {
    describe(|reader| reader.integer::<u8>("workers", "").example(9).range(1..=8).optional());
}
