//! What goes over the wire to each kind of receiver, and what its answers lead to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use alerter::{CourierError, HttpCourier, InvalidDestination};
use alerting::{CHANNELS, Sending, Undelivered, channel};
use event::{AlertStatus, Timestamp, topic};
use support::{Reply, SIGNING_SECRET, World, alert, opened, route_to, settings, settle};

fn undelivered(world: &World) -> Vec<Undelivered> {
    let records = world.records(topic::UNDELIVERED);
    records
        .iter()
        .map(|record| Undelivered::decode(record.value.as_ref().unwrap()).unwrap())
        .collect()
}

#[test]
fn every_remote_channel_sends_exactly_its_message() {
    for channel in CHANNELS.iter().filter(|channel| channel.is_remote()) {
        let world = World::new(1);
        let path = format!("/{}", channel.name());
        world.receiver.always(
            &path,
            Reply::new(
                200,
                if channel.name() == "pagerduty" {
                    r#"{"status":"success"}"#
                } else {
                    "ok"
                },
            ),
        );
        let route = world.route(&path, channel.name());
        let secret = match channel.name() {
            "pagerduty" => "R0UT1NGKEY",
            "webhook" => SIGNING_SECRET,
            _ => "",
        };
        let mut worker = world.worker("one", &settings(vec![route]));
        let alerts = [opened(1), alert(1, AlertStatus::Closed, 2)];
        alerts.iter().for_each(|alert| world.publish(alert));
        settle(&world, &mut worker, 2);
        let received = world.receiver.received(&path);
        let told = alerts.iter().filter(|alert| channel.statuses().contains(&alert.status));
        assert_eq!(received.len(), told.clone().count(), "{}", channel.name());
        for (received, alert) in received.iter().zip(told) {
            let at = received.header("webhook-timestamp").parse().unwrap_or(0);
            let sending = Sending {
                now: Timestamp::from_millis(at * 1000),
                secret,
            };
            let message = channel.message(alert, &sending);
            assert_eq!(
                String::from_utf8_lossy(&received.body),
                String::from_utf8_lossy(&message.body)
            );
            for (name, value) in &message.headers {
                assert_eq!(received.header(name), value, "{} {name}", channel.name());
            }
            assert_eq!(
                received.header("user-agent"),
                concat!("Tidewatch/", env!("CARGO_PKG_VERSION"))
            );
        }
    }
}

#[test]
fn a_webhook_is_signed_for_the_moment_it_is_sent() {
    let world = World::new(1);
    let mut worker = world.worker("one", &settings(vec![world.route("/hook", "webhook")]));
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    let received = &world.receiver.received("/hook")[0];
    let sent_at: i64 = received.header("webhook-timestamp").parse().unwrap();
    let now = service::clock::now().as_millis() / 1000;
    assert!(
        (now - 30..=now).contains(&sent_at),
        "signed for {sent_at}, now is {now}"
    );
}

#[test]
fn the_log_goes_to_the_sink_and_nowhere_else() {
    let world = World::new(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let seen = Arc::clone(&seen);
        Box::new(move |alert: &event::Alert| seen.lock().unwrap().push((alert.alert_id, alert.status)))
    };
    let mut worker = world.worker_with_sink("one", &settings(vec![alerter::RouteSettings::log("log")]), sink);
    world.publish(&opened(1));
    world.publish(&alert(1, AlertStatus::Closed, 2));
    settle(&world, &mut worker, 2);
    let id = opened(1).alert_id;
    assert_eq!(
        *seen.lock().unwrap(),
        [(id, AlertStatus::Opened), (id, AlertStatus::Closed)]
    );
}

#[test]
fn an_asked_wait_is_kept_and_garbage_is_not() {
    let world = World::new(1);
    for (header, path) in [("1", "/kept"), ("soon", "/garbage")] {
        let headers = vec![("retry-after", header.to_owned())];
        world.receiver.once(
            path,
            Reply {
                headers,
                ..Reply::new(429, "rate_limited")
            },
        );
    }
    let routes = vec![world.route("/kept", "slack"), world.route("/garbage", "slack")];
    let mut worker = world.worker("one", &settings(routes));
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    let waited = |path| {
        let received = world.receiver.received(path);
        assert_eq!(received.len(), 2, "{path}");
        received[1].at - received[0].at
    };
    assert!(waited("/kept") >= Duration::from_secs(1));
    assert!(waited("/garbage") < Duration::from_secs(1));
}

#[test]
fn what_may_work_later_is_tried_until_it_does() {
    let world = World::new(1);
    for status in [500, 503, 408] {
        world.receiver.once("/hook", Reply::new(status, "no"));
    }
    // Longer than an attempt may take.
    world.receiver.once(
        "/hook",
        Reply {
            after: Duration::from_secs(2),
            ..Reply::new(200, "late")
        },
    );
    let mut worker = world.worker("one", &settings(vec![world.route("/hook", "webhook")]));
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    let received = world.receiver.received("/hook");
    assert_eq!(received.len(), 5);
    let first = (received[0].header("webhook-id"), &received[0].body);
    assert!(
        received
            .iter()
            .all(|again| (again.header("webhook-id"), &again.body) == first)
    );
    assert!(undelivered(&world).is_empty());
    assert_eq!(
        world.metric(r#"alert_delivery_attempts_total{channel="webhook",result="retriable",route="hook"}"#),
        "4"
    );
    assert_eq!(
        world.metric(r#"alert_deliveries_total{channel="webhook",result="sent",route="hook"}"#),
        "1"
    );
    assert_eq!(
        world.metric(r#"alert_deliveries_in_flight{channel="webhook",route="hook"}"#),
        "0"
    );
    assert_eq!(
        world.metric(r#"alert_delivery_seconds_count{channel="webhook",route="hook"}"#),
        "1"
    );
}

#[test]
fn what_never_works_is_undelivered_and_goes_to_the_fallback() {
    let refusals = [
        ("slack", Reply::new(404, "no_service")),
        (
            "slack",
            Reply::new(200, r#"{"ok":false,"error":"channel_is_archived"}"#),
        ),
        ("slack", Reply::new(200, "")),
        (
            "slack",
            Reply {
                headers: vec![("location", "http://127.0.0.1:1/".into())],
                ..Reply::new(302, "")
            },
        ),
        ("pagerduty", Reply::new(400, r#"{"status":"invalid event"}"#)),
        ("pagerduty", Reply::new(200, "<html>Please log in</html>")),
        ("webhook", Reply::new(410, "gone")),
    ];
    for (kind, refusal) in refusals {
        let world = World::new(1);
        world.receiver.always("/first", refusal.clone());
        let mut first = world.route("/first", kind);
        first.route.fallback = Some("second".into());
        let mut second = world.route("/second", "webhook");
        // It takes none of these by itself.
        second.route.severities = vec![event::Severity::Low];
        let mut worker = world.worker("one", &settings(vec![first, second]));
        world.publish(&opened(1));
        settle(&world, &mut worker, 1);
        assert_eq!(world.receiver.received("/first").len(), 1, "{refusal:?}");
        assert_eq!(world.receiver.received("/second").len(), 1, "{refusal:?}");
        let written = undelivered(&world);
        assert_eq!(written.len(), 1);
        assert_eq!(
            (written[0].route.as_str(), written[0].fallback.as_deref()),
            ("first", Some("second"))
        );
        assert!(
            written[0].reason.starts_with(&format!("answered {}", refusal.status)),
            "{}",
            written[0].reason
        );
        assert_eq!((&written[0].alert, written[0].attempts), (&opened(1), 1));
    }
}

#[test]
fn nobody_there_is_given_up_after_the_budget_without_telling_the_address() {
    let world = World::new(1);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut route = route_to("slack", "slack", &format!("http://{free}/services/SECRET"));
    route.retry.budget = Duration::from_millis(100);
    let mut worker = world.worker("one", &settings(vec![route]));
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    let written = undelivered(&world);
    assert_eq!(written.len(), 1);
    assert!(written[0].attempts > 1, "it was tried again");
    assert!(
        written[0].reason.contains("Connection refused"),
        "{}",
        written[0].reason
    );
    assert!(!written[0].reason.contains("SECRET"), "{}", written[0].reason);
}

/// Answers one connection with these bytes and then `end`s it.
fn raw_server(answer: Vec<u8>, hold: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, mut stream) = (answer.clone(), stream.unwrap());
            thread::spawn(move || {
                let mut request = [0; 65_536];
                assert!(stream.read(&mut request).unwrap() > 0);
                // A client that has had enough closes.
                stream.write_all(&answer).ok();
                thread::sleep(hold);
            });
        }
    });
    format!("http://{address}/")
}

#[test]
fn an_answer_that_never_ends_or_breaks_off_has_an_end() {
    let endless = {
        let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', 1 << 20));
        bytes
    };
    let dripping = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbeginn".to_vec();
    let long_header = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(10 << 20)).into_bytes();
    let cases = [
        ("slack", endless, "answered 200: xxx"),
        ("slack", dripping.clone(), "answered 200 OK, then: "),
        ("slack", long_header, "error sending request"),
        ("slack", b"SSH-2.0-OpenSSH\r\n".to_vec(), "error sending request"),
    ];
    for (kind, bytes, reason) in cases {
        let world = World::new(1);
        let mut route = route_to("raw", kind, &raw_server(bytes, Duration::from_secs(5)));
        route.retry.budget = Duration::ZERO;
        let mut worker = world.worker("one", &settings(vec![route]));
        world.publish(&opened(1));
        settle(&world, &mut worker, 1);
        let written = undelivered(&world);
        assert!(
            written[0].reason.contains(reason),
            "{}, not {reason}",
            written[0].reason
        );
    }
    // For a webhook the status alone is the answer.
    let world = World::new(1);
    let route = route_to("raw", "webhook", &raw_server(dripping, Duration::from_secs(5)));
    let mut worker = world.worker("one", &settings(vec![route]));
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    assert!(undelivered(&world).is_empty());
}

#[test]
fn a_private_address_is_refused_unless_it_is_allowed() {
    let world = World::new(1);
    let refused = |url: &str, allow_http: bool| {
        let mut route = route_to("r", "webhook", url);
        let destination = route.destination.as_mut().unwrap();
        destination.allow_private = false;
        destination.allow_http = allow_http;
        match HttpCourier::new(&settings(vec![route]), world.runtime.handle().clone(), Box::new(|_| {})) {
            Err(CourierError::Destination { problem, .. }) => Some(problem),
            Err(CourierError::Client(_)) | Ok(_) => None,
        }
    };
    assert_eq!(
        refused("https://169.254.169.254/latest", false),
        Some(InvalidDestination::Private)
    );
    assert_eq!(refused("https://[::1]/", false), Some(InvalidDestination::Private));
    assert_eq!(
        refused("https://2130706433/", false),
        Some(InvalidDestination::Private),
        "127.0.0.1 in one number"
    );
    assert_eq!(
        refused("http://hooks.example/", false),
        Some(InvalidDestination::Scheme)
    );
    assert_eq!(refused("file:///etc/passwd", true), Some(InvalidDestination::NoUrl));
    assert_eq!(
        refused("https://user:word@hooks.example/", false),
        Some(InvalidDestination::Credentials)
    );
    assert_eq!(refused("https://hooks.example/", false), None);

    let mut route = route_to(
        "r",
        "webhook",
        &format!("http://localhost:{}/hook", world.receiver.address.port()),
    );
    route.destination.as_mut().unwrap().allow_private = false;
    route.retry.budget = Duration::ZERO;
    let mut worker = world.worker("one", &settings(vec![route]));
    world.publish(&opened(1));
    settle(&world, &mut worker, 1);
    assert!(world.receiver.received("/hook").is_empty());
    assert!(
        undelivered(&world)[0].reason.contains("no public address"),
        "{}",
        undelivered(&world)[0].reason
    );
}

#[test]
fn every_channel_has_a_name_that_finds_it() {
    for known in CHANNELS {
        assert_eq!(channel(known.name()).map(|found| found.name()), Some(known.name()));
    }
}
