//! The correlation examples of the Sigma specification, over base rules written here: each fires, and each is silent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../libs/detection/tests/engine/driver.rs"]
#[allow(
    dead_code,
    reason = "the driver of the engine's own tests; here a few of its functions are used"
)]
mod driver;

use conformance::data;
use driver::{DISORDER, Engine, HOUR, MINUTE, SECOND};
use event::{Event, Timestamp};
use formats::{Choice, Context};
use serde_json::{Value, json};

/// What the examples refer to.
const BASE: &str = "\
title: Failed login
id: 5638f7c0-ac70-491d-8465-2a65075e0d86
logsource: {product: tidewatch}
detection: {s: {kind: failed}, condition: s}
---
title: A command
name: recon_cmd_a
logsource: {product: tidewatch}
detection: {s: {kind: a}, condition: s}
---
title: Another command
name: recon_cmd_b
logsource: {product: tidewatch}
detection: {s: {kind: b}, condition: s}
---
title: A third command
name: recon_cmd_c
logsource: {product: tidewatch}
detection: {s: {kind: c}, condition: s}
---
title: Traffic
id: rule_a_id
logsource: {product: tidewatch}
detection: {s: {kind: traffic}, condition: s}
---
title: A process
name: process_creation
logsource: {product: tidewatch}
detection: {s: {kind: process}, condition: s}
---
title: A website
name: website_access
logsource: {product: tidewatch}
detection: {s: {kind: website}, condition: s}
";

/// How many alerts these events lead to, each at so many milliseconds, once everything is over.
fn alerts(correlation: &str, events: impl IntoIterator<Item = (i64, Value)>) -> usize {
    let loaded = ruleset::load([("base.yml", BASE), ("correlation.yml", correlation)]);
    let loaded = loaded.unwrap_or_else(|errors| panic!("{}", errors[0]));
    let mut engine = Engine::with(&loaded.rule_set);
    let mut last = 0;
    for (number, (millis, fields)) in events.into_iter().enumerate() {
        engine.send([event(number, millis, fields)]);
        last = last.max(millis);
    }
    engine.tick(last + 48 * HOUR + DISORDER);
    engine.tick(last + 96 * HOUR + DISORDER);
    // What a correlation refers to raises no alert of its own.
    engine.last_words().len()
}

/// An event as it would come by JSON.
fn event(number: usize, millis: i64, mut fields: Value) -> Event {
    let object = fields.as_object_mut().unwrap();
    object.insert("event_id".to_owned(), json!(format!("e-{number}")));
    object.insert("time".to_owned(), json!(Timestamp::from_millis(millis).to_string()));
    let now = Timestamp::from_millis(millis);
    let record = fields.to_string();
    Choice::Auto
        .decode(record.as_bytes(), &Context::new("acme", now))
        .unwrap()
        .event
}

/// The example of this name fires on the first events and not on the second. Nothing where it is not there.
fn check(name: &str, fires: Vec<(i64, Value)>, silent: Vec<(i64, Value)>) {
    let Some(path) = data(&format!("sigma_correlation_examples/{name}.yml")) else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(alerts(&text, fires), 1, "{name} fires once");
    assert_eq!(alerts(&text, silent), 0, "{name} is silent");
}

/// So many events, a second apart.
fn many(count: i64, fields: impl Fn(i64) -> Value) -> Vec<(i64, Value)> {
    (0..count).map(|at| (HOUR + at * SECOND, fields(at))).collect()
}

#[test]
fn event_count() {
    let failed = |_| json!({"kind": "failed", "ComputerName": "pc"});
    check("event_count", many(100, failed), many(99, failed));
    let spread: Vec<_> = (0..100).map(|at| (HOUR + at * 40 * SECOND, failed(at))).collect();
    check("event_count", many(150, failed), spread);
}

#[test]
fn event_count_of_a_field_of_ecs() {
    let asked = |_| json!({"kind": "failed", "dns": {"question": {"name": "evil.example"}}});
    let others = |at: i64| json!({"kind": "failed", "dns": {"question": {"name": format!("{}.example", at % 2)}}});
    check("event_count_ecs", many(100, asked), many(198, others));
}

#[test]
fn value_count() {
    let users =
        |at: i64| json!({"kind": "failed", "ComputerName": "pc", "WorkstationName": "w", "User": format!("u-{at}")});
    let few = |at: i64| json!({"kind": "failed", "ComputerName": "pc", "WorkstationName": "w", "User": format!("u-{}", at % 99)});
    check("value_count", many(100, users), many(300, few));
}

fn command(kind: &str, user: &str) -> Value {
    json!({"kind": kind, "ComputerName": "pc", "User": user})
}

#[test]
fn temporal() {
    let at = |minutes: i64, kind: &str, user: &str| (HOUR + minutes * MINUTE, command(kind, user));
    let fires = vec![at(0, "c", "eve"), at(2, "a", "eve"), at(5, "b", "eve")];
    check(
        "temporal",
        fires.clone(),
        vec![at(0, "c", "eve"), at(2, "a", "eve"), at(6, "b", "eve")],
    );
    check(
        "temporal",
        fires,
        vec![at(0, "c", "eve"), at(1, "a", "bob"), at(2, "b", "eve")],
    );
}

#[test]
fn temporal_ordered() {
    let at = |minutes: i64, kind: &str| (HOUR + minutes * MINUTE, command(kind, "eve"));
    check(
        "temporal_ordered",
        vec![at(0, "a"), at(2, "b"), at(5, "c")],
        vec![at(0, "c"), at(2, "a"), at(5, "b")],
    );
}

#[test]
fn value_sum_and_average() {
    let sent = |kind: &'static str, field: &'static str, value: i64| move |_| json!({"kind": kind, "SourceIP": "10.0.0.1", "User": "eve", field: value});
    check(
        "value_sum",
        many(11, sent("website", "bytes_sent", 100_000)),
        many(10, sent("website", "bytes_sent", 100_000)),
    );
    check(
        "value_avg",
        many(3, sent("traffic", "BytesOut", 501)),
        many(3, sent("traffic", "BytesOut", 500)),
    );
}

#[test]
fn value_percentile_without_a_percentile_is_the_share_of_the_rarest_value() {
    let one_of = |count: i64| {
        many(count, move |at| {
            let image = if at == 7 { "rare.exe" } else { "common.exe" };
            json!({"kind": "process", "ComputerName": "pc", "Image": image})
        })
    };
    check("value_percentile", one_of(100), one_of(99));
}

#[test]
fn a_chain_needs_the_alert_and_then_the_event() {
    let chain = "\
title: Taken over
id: taken-over
correlation: {type: temporal_ordered, rules: [guessing, success], group-by: [User], timespan: 1h}
---
title: Guessing
name: guessing
correlation: {type: event_count, rules: [5638f7c0-ac70-491d-8465-2a65075e0d86], group-by: [User], timespan: 5m, condition: {gte: 3}}
---
title: Success
name: success
logsource: {product: tidewatch}
detection: {s: {kind: success}, condition: s}
";
    let at = |seconds: i64, kind: &str| (HOUR + seconds * SECOND, command(kind, "eve"));
    let guessed = vec![at(0, "failed"), at(1, "failed"), at(2, "failed"), at(60, "success")];
    assert_eq!(alerts(chain, guessed), 1);
    assert_eq!(
        alerts(chain, vec![at(0, "failed"), at(1, "failed"), at(60, "success")]),
        0
    );
    assert_eq!(
        alerts(
            chain,
            vec![at(0, "success"), at(1, "failed"), at(2, "failed"), at(3, "failed")]
        ),
        0
    );
}
