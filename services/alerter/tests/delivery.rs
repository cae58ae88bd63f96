//! What is promised across crashes, rebalances, duplicates and dead destinations.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use alerter::{Room, RouteSettings, Settings};
use alerting::{Notification, State};
use broker::Output;
use event::{Alert, AlertStatus, DeadLetter, Reason, Severity, Timestamp, canary, topic};
use service::Stop;
use service::health::Health;
use support::{Reply, Worker, World, alert, opened, settings, settle, step_until};

/// Ends a worker as a killed process does, and lets the group notice.
fn kill(world: &World, worker: Worker) {
    let session = worker.into_session();
    let member = session.member();
    session.crash();
    world.log.evict("alerter", member);
}

/// Nothing is committed until somebody asks for it.
fn never_commits(settings: Settings) -> Settings {
    Settings {
        commit_interval: Duration::from_hours(1),
        ..settings
    }
}

fn ids(world: &World, path: &str) -> Vec<String> {
    world
        .receiver
        .received(path)
        .iter()
        .map(|received| received.header("webhook-id").to_owned())
        .collect()
}

#[test]
fn a_crash_between_send_and_commit_repeats_once_under_the_same_id() {
    let world = World::new(1);
    let settings = settings(vec![world.route("/hook", "webhook")]);
    let mut first = world.worker("one", &never_commits(settings.clone()));
    world.publish(&opened(1));
    step_until(&mut [&mut first], "it is delivered", |workers| {
        world.receiver.received("/hook").len() == 1 && workers[0].deliveries_in_flight() == 0
    });
    assert_eq!(world.committed(), None);
    kill(&world, first);
    let mut second = world.worker("one", &settings);
    settle(&world, &mut second, 1);
    let sent = ids(&world, "/hook");
    assert_eq!(sent, [sent[0].clone(), sent[0].clone()]);
    kill(&world, second);
    world.publish(&opened(2));
    let mut third = world.worker("one", &settings);
    settle(&world, &mut third, 2);
    assert_eq!(ids(&world, "/hook").len(), 3, "what was committed is not repeated");
}

#[test]
fn a_crash_while_sending_loses_nothing() {
    let world = World::new(1);
    world.receiver.once(
        "/hook",
        Reply {
            after: Duration::from_millis(200),
            ..Reply::new(200, "")
        },
    );
    let settings = settings(vec![world.route("/hook", "webhook")]);
    let mut first = world.worker("one", &settings);
    world.publish(&opened(1));
    step_until(&mut [&mut first], "it is in the air", |_| {
        world.receiver.received("/hook").len() == 1
    });
    kill(&world, first);
    settle(&world, &mut world.worker("one", &settings), 1);
    assert_eq!(ids(&world, "/hook").len(), 2);
}

#[test]
fn a_dead_route_delays_no_other_and_is_the_only_one_repeated() {
    let world = World::new(1);
    world.receiver.always("/dead", Reply::new(500, ""));
    let settings = settings(vec![world.route("/dead", "webhook"), world.route("/live", "webhook")]);
    let mut first = world.worker("one", &settings);
    (1..=50).for_each(|number| world.publish(&opened(number)));
    let ledger = || world.records(topic::NOTIFICATIONS).len();
    step_until(&mut [&mut first], "the live route has all", |_| {
        ids(&world, "/live").len() == 50 && ledger() == 50
    });
    assert_eq!(world.committed(), Some(0), "the position waits for the dead route");
    kill(&world, first);
    world.receiver.always("/dead", Reply::new(200, ""));
    let mut second = world.worker("one", &settings);
    settle(&world, &mut second, 50);
    assert_eq!(ids(&world, "/live").len(), 50, "the live route is told nothing twice");
    assert_eq!(ids(&world, "/dead").into_iter().collect::<BTreeSet<_>>().len(), 50);
    assert_eq!(
        world.metric(r#"alert_deliveries_total{channel="webhook",result="folded",route="live"}"#),
        "50"
    );
}

#[test]
fn a_fallback_that_was_not_told_before_a_crash_is_told_after_it() {
    let world = World::new(1);
    world.receiver.always("/first", Reply::new(404, ""));
    world.receiver.always("/second", Reply::new(500, ""));
    let mut first = world.route("/first", "slack");
    first.route.fallback = Some("second".into());
    let mut second = world.route("/second", "webhook");
    second.route.severities = vec![Severity::Low];
    let settings = settings(vec![first, second]);
    let mut worker = world.worker("one", &settings);
    world.publish(&opened(1));
    step_until(&mut [&mut worker], "the first is given up and the second tried", |_| {
        world.records(topic::UNDELIVERED).len() == 1 && !world.receiver.received("/second").is_empty()
    });
    kill(&world, worker);
    assert_eq!(world.committed(), Some(0));
    world.receiver.always("/second", Reply::new(200, ""));
    settle(&world, &mut world.worker("one", &settings), 1);
    assert_eq!(
        world.receiver.received("/first").len(),
        1,
        "what was given up is not tried again"
    );
    assert_eq!(world.records(topic::UNDELIVERED).len(), 1);
    let rows = world.records(topic::NOTIFICATIONS);
    let rows = rows
        .iter()
        .map(|record| Notification::decode(record.value.as_ref().unwrap()).unwrap());
    let rows: Vec<_> = rows.map(|row| (row.route, row.state)).collect();
    assert_eq!(
        rows,
        [("first".into(), State::Undelivered), ("second".into(), State::Sent)]
    );
}

#[test]
fn a_duplicate_is_folded_and_another_revision_is_not() {
    let world = World::new(1);
    let mut worker = world.worker("one", &settings(vec![world.route("/hook", "webhook")]));
    let updated = alert(1, AlertStatus::Updated, 2);
    let closed = alert(1, AlertStatus::Closed, 3);
    for alert in [&opened(1), &opened(1), &updated, &opened(1), &closed, &updated] {
        world.publish(alert);
    }
    settle(&world, &mut worker, 6);
    world.publish(&closed);
    settle(&world, &mut worker, 7);
    let types = world
        .receiver
        .received("/hook")
        .iter()
        .map(|received| received.json()["type"].clone())
        .collect::<Vec<_>>();
    assert_eq!(types, ["alert.opened", "alert.updated", "alert.closed"]);
}

#[test]
fn an_incident_is_resolved_after_it_was_opened_however_long_that_takes() {
    let world = World::new(1);
    (0..3).for_each(|_| world.receiver.once("/pager", Reply::new(500, "")));
    world
        .receiver
        .always("/pager", Reply::new(202, r#"{"status":"success"}"#));
    let mut worker = world.worker("one", &settings(vec![world.route("/pager", "pagerduty")]));
    world.publish(&opened(1));
    world.publish(&alert(1, AlertStatus::Updated, 2));
    world.publish(&alert(1, AlertStatus::Closed, 3));
    settle(&world, &mut worker, 3);
    let received = world.receiver.received("/pager");
    let actions: Vec<_> = received
        .iter()
        .map(|received| received.json()["event_action"].clone())
        .collect();
    assert_eq!(actions, ["trigger", "trigger", "trigger", "trigger", "resolve"]);
    assert!(
        received
            .iter()
            .all(|received| received.json()["dedup_key"] == "01".repeat(16))
    );
}

#[test]
fn when_too_much_waits_the_rest_stays_in_the_log_and_comes_later() {
    let world = World::new(1);
    world.receiver.always("/dead", Reply::new(500, ""));
    let room = Room {
        records_max: 4,
        bytes_max: 1 << 20,
    };
    let settings = Settings {
        room,
        ..settings(vec![world.route("/dead", "webhook"), world.route("/live", "webhook")])
    };
    let mut worker = world.worker("one", &settings);
    (1..=30).for_each(|number| world.publish(&opened(number)));
    let is_stuck = |workers: &[&mut Worker]| workers[0].deliveries_in_flight() == 4 && ids(&world, "/live").len() == 4;
    step_until(&mut [&mut worker], "four wait", is_stuck);
    for _ in 0..50 {
        worker.step(Duration::ZERO).unwrap();
    }
    (31..=40).for_each(|number| world.publish(&opened(number)));
    for _ in 0..50 {
        worker.step(Duration::ZERO).unwrap();
    }
    assert!(is_stuck(&[&mut worker]), "more than the room allows is on its way");
    assert_eq!(world.metric("alerter_full_total"), "1");
    world.receiver.always("/dead", Reply::new(200, ""));
    settle(&world, &mut worker, 40);
    let unique = |path| ids(&world, path).into_iter().collect::<BTreeSet<_>>().len();
    assert_eq!((unique("/live"), unique("/dead")), (40, 40));
    assert_eq!(ids(&world, "/live").len(), 40);
}

#[test]
fn partitions_change_hands_without_a_loss() {
    let world = World::new(4);
    let settings = settings(vec![world.route("/hook", "webhook")]);
    let mut one = world.worker("one", &settings);
    (1..=40).for_each(|number| world.publish(&opened(number)));
    step_until(&mut [&mut one], "some are delivered", |_| {
        ids(&world, "/hook").len() >= 5
    });
    let mut two = world.worker("two", &settings);
    (41..=80).for_each(|number| world.publish(&opened(number)));
    let told = || ids(&world, "/hook").into_iter().collect::<BTreeSet<_>>().len();
    let ended = |workers: &[&mut Worker]| {
        workers.iter().all(|worker| worker.deliveries_in_flight() == 0)
            && world.records(topic::NOTIFICATIONS).len() == 80
    };
    step_until(&mut [&mut one, &mut two], "all are delivered", |workers| {
        told() == 80 && ended(workers)
    });
    let (member, before) = (one.into_session().member(), ids(&world, "/hook").len());
    world.log.evict("alerter", member);
    (81..=100).for_each(|number| world.publish(&opened(number)));
    step_until(&mut [&mut two], "the survivor has taken over", |_| told() == 100);
    assert_eq!(
        ids(&world, "/hook").len(),
        before + 20,
        "nothing that was committed is repeated"
    );
}

#[test]
fn what_is_handed_over_is_committed_first() {
    let world = World::new(4);
    let settings = settings(vec![world.route("/hook", "webhook")]);
    let mut one = world.worker("one", &never_commits(settings.clone()));
    (1..=40).for_each(|number| world.publish(&opened(number)));
    step_until(&mut [&mut one], "all are delivered", |workers| {
        ids(&world, "/hook").len() == 40 && workers[0].deliveries_in_flight() == 0
    });
    let mut two = world.worker("two", &settings);
    let ledger = || world.records(topic::NOTIFICATIONS).len();
    step_until(&mut [&mut one, &mut two], "the first has committed", |_| ledger() == 40);
    for number in 41..=80 {
        world.publish(&opened(number));
    }
    let told = || ids(&world, "/hook");
    step_until(&mut [&mut one, &mut two], "the rest is delivered", |workers| {
        told().len() >= 80 && workers.iter().all(|worker| worker.deliveries_in_flight() == 0)
    });
    assert_eq!(
        told().into_iter().collect::<BTreeSet<_>>().len(),
        told().len(),
        "something was repeated"
    );
    assert!(ledger() > 40, "the second has a part of the partitions");
}

#[test]
fn what_is_in_the_air_lands_before_it_is_handed_over() {
    let world = World::new(4);
    let slow = Reply {
        after: Duration::from_millis(300),
        ..Reply::new(200, "")
    };
    world.receiver.always("/hook", slow);
    // All at once, so that some are of the partitions that change hands.
    let route = RouteSettings {
        attempts_max: 20,
        ..world.route("/hook", "webhook")
    };
    let settings = settings(vec![route]);
    let mut one = world.worker("one", &settings);
    (1..=20).for_each(|number| world.publish(&opened(number)));
    let told = || ids(&world, "/hook");
    step_until(&mut [&mut one], "all are in the air", |_| told().len() == 20);
    let mut two = world.worker("two", &settings);
    step_until(&mut [&mut one, &mut two], "all are delivered", |workers| {
        let in_flight: usize = workers.iter().map(|worker| worker.deliveries_in_flight()).sum();
        in_flight == 0 && world.records(topic::NOTIFICATIONS).len() == 20
    });
    assert_eq!(told().len(), 20, "something was repeated");
}

#[test]
fn after_an_aborted_commit_everything_is_rebuilt() {
    let world = World::new(1);
    let settings = settings(vec![world.route("/hook", "webhook")]);
    let mut worker = world.worker("one", &settings);
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    let session = worker.into_session();
    // The group takes the member out behind its back: the next commit is aborted.
    let member = session.member();
    drop(session);
    let mut worker = world.worker("one", &never_commits(settings));
    world.publish(&opened(2));
    step_until(&mut [&mut worker], "it is delivered", |workers| {
        ids(&world, "/hook").len() == 2 && workers[0].deliveries_in_flight() == 0
    });
    world.log.evict("alerter", member + 1);
    let stop = Stop::new();
    stop.request();
    worker.run(&stop, &Health::default()).unwrap();
    assert_eq!(world.committed(), Some(1), "the commit did not count");
    step_until(&mut [&mut worker], "it is delivered again", |_| {
        ids(&world, "/hook").len() == 3
    });
    let sent = ids(&world, "/hook");
    assert_eq!(sent[1], sent[2]);
}

#[test]
fn a_stop_waits_for_what_is_in_the_air_and_commits_it() {
    let world = World::new(1);
    world.receiver.once(
        "/hook",
        Reply {
            after: Duration::from_millis(150),
            ..Reply::new(200, "")
        },
    );
    let mut worker = world.worker("one", &never_commits(settings(vec![world.route("/hook", "webhook")])));
    world.publish(&opened(1));
    step_until(&mut [&mut worker], "it is in the air", |_| {
        ids(&world, "/hook").len() == 1
    });
    let stop = Stop::new();
    stop.request();
    worker.run(&stop, &Health::default()).unwrap();
    assert_eq!(world.committed(), Some(1));
}

#[test]
fn what_is_no_alert_is_set_aside_and_what_no_route_takes_is_counted() {
    let world = World::new(1);
    let mut worker = world.worker("one", &settings(vec![world.route("/slack", "slack")]));
    let record = |value: Option<&'static str>| Output {
        topic: topic::ALERTS.into(),
        partition: 0,
        key: None,
        value: value.map(Into::into),
        headers: Vec::new(),
    };
    world.publish_record(record(None));
    world.publish_record(record(Some("{\"alert_id\":1}")));
    world.publish(&event::Alert {
        severity: Severity::Low,
        ..opened(1)
    });
    world.publish(&opened(2));
    settle(&world, &mut worker, 4);
    assert_eq!(world.receiver.received("/slack").len(), 1);
    let letters = world.records(topic::DEAD_LETTERS);
    let letters: Vec<_> = letters
        .iter()
        .map(|record| DeadLetter::decode(record.value.as_ref().unwrap()).unwrap())
        .collect();
    let told: Vec<_> = letters
        .iter()
        .map(|letter| (letter.reason, letter.origin.as_str()))
        .collect();
    assert_eq!(told, [(Reason::Empty, "alerts/0@0"), (Reason::Rejected, "alerts/0@1")]);
    assert_eq!(letters[1].raw.bytes().as_deref(), Some(&b"{\"alert_id\":1}"[..]));
    for (outcome, count) in [("routed", "1"), ("unrouted", "1"), ("dead_lettered", "2")] {
        assert_eq!(
            world.metric(&format!("alerter_alerts_total{{outcome=\"{outcome}\"}}")),
            count,
            "{outcome}"
        );
    }
}

#[test]
fn a_canary_tells_nobody_and_is_taken_note_of() {
    let world = World::new(1);
    let mut everything = world.route("/hook", "webhook");
    everything.route.severities = Severity::ALL.to_vec();
    let mut worker = world.worker("one", &settings(vec![everything]));
    let written_at = service::clock::now().minus(Duration::from_millis(1500));
    let canary = |number: u8, status: AlertStatus, written_at: Timestamp| Alert {
        rule_id: canary::RULE.to_owned(),
        tenant: canary::TENANT.to_owned(),
        opened_at: written_at,
        ..alert(number, status, 1)
    };
    world.publish(&canary(1, AlertStatus::Opened, written_at));
    world.publish(&canary(1, AlertStatus::Closed, written_at));
    // One of an outage, that comes late.
    let long_ago = written_at.minus(Duration::from_mins(30));
    world.publish(&canary(2, AlertStatus::Opened, long_ago));
    settle(&world, &mut worker, 3);
    assert!(world.receiver.received("/hook").is_empty());
    assert!(
        world.records(topic::NOTIFICATIONS).is_empty(),
        "the ledger does not grow"
    );
    assert_eq!(world.metric(r#"alerter_alerts_total{outcome="canary"}"#), "3");
    assert_eq!(world.metric("canary_seconds_count"), "2");
    assert_eq!(world.metric(r#"canary_seconds_bucket{le="1"}"#), "0");
    assert_eq!(world.metric(r#"canary_seconds_bucket{le="30"}"#), "1");
    let last: f64 = world.metric("canary_last_seconds").parse().unwrap();
    let written_at = written_at.since(Timestamp::from_millis(0)).as_secs_f64();
    assert!((last - written_at).abs() < 0.001, "{last} is not {written_at}");
    // What others call so is an alert like any other.
    world.publish(&Alert {
        rule_id: canary::RULE.to_owned(),
        ..opened(3)
    });
    settle(&world, &mut worker, 4);
    assert_eq!(world.receiver.received("/hook").len(), 1);
}
