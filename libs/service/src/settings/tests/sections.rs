use std::collections::BTreeMap;

use super::{Reader, Sample, Scratch, describe, read};

/// Sections of every form around one key.
fn routes(reader: &mut Reader<'_>) -> (Vec<String>, BTreeMap<String, String>, Option<String>) {
    (
        reader.section_list("routes", "", |route| route.text("to", "").required()),
        reader.named_sections("channels", "", |_, channel| channel.text("url", "").required()),
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
