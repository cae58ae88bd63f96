#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use super::{Endpoint, Health, serve};
use crate::metrics::Metrics;
use crate::stop::Stop;

const LONG: Duration = Duration::from_secs(600);
const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// The status and the body of an answer.
fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let (status, _, body) = ask_whole(address, path);
    (status, body)
}

fn ask_whole(address: SocketAddr, path: &str) -> (u16, String, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn start(health: &Health, stop: &Stop) -> Endpoint {
    let routes = Router::new().route("/rules", get(async || "six"));
    let (health, stop) = (health.clone(), stop.clone());
    serve(ANY_PORT.into(), health, Metrics::new(), stop, routes).unwrap()
}

#[test]
fn the_process_is_ready_when_all_its_parts_are() {
    let (health, stop) = (Health::default(), Stop::new());
    let endpoint = start(&health, &stop);
    let ready = || ask(endpoint.address(), "/readyz");
    let not_ready = |reasons: &str| (503, format!("not ready\n{reasons}"));

    assert_eq!(ready(), not_ready("process: starting\n"));
    let assigned = health.readiness("partitions");
    let restored = health.readiness("state");
    assert_eq!(ready(), not_ready("partitions: starting\nstate: starting\n"));
    assigned.clone().ready();
    restored.not_ready("restoring partition 3");
    assert_eq!(ready(), not_ready("state: restoring partition 3\n"));
    restored.ready();
    assert_eq!(ready(), (200, "ready\n".to_owned()));
    assigned.not_ready("no broker answers");
    assert_eq!(ready(), not_ready("partitions: no broker answers\n"));
    assigned.ready();
    stop.request();
    assert_eq!(ready(), not_ready("process: stopping\n"));
    assert_eq!(ask(endpoint.address(), "/healthz").0, 200, "stopping is no death");
}

#[test]
fn the_process_is_dead_when_one_of_its_parts_is() {
    let (health, stop) = (Health::default(), Stop::new());
    let endpoint = start(&health, &stop);
    let alive = || ask(endpoint.address(), "/healthz");

    assert_eq!(alive(), (200, "alive\n".to_owned()));
    let worker = health.alive("worker 0", LONG);
    let broken = health.alive("worker 1", LONG);
    assert_eq!(alive().0, 200);
    broken.die("the disk is gone");
    assert_eq!(alive(), (503, "not alive\nworker 1: the disk is gone\n".to_owned()));
    broken.finish();
    assert_eq!(alive().0, 200);
    drop(worker);
    assert_eq!(alive().0, 200, "silence counts, not the handle");
}

#[test]
fn a_part_that_falls_silent_is_dead_until_it_beats_again() {
    let health = Health::default();
    let worker = health.alive("worker", Duration::from_millis(50));
    let patient = health.alive("patient", LONG);
    thread::sleep(Duration::from_millis(80));
    let dead = health.dead();
    assert_eq!(dead.len(), 1, "{dead:?}");
    let shown = dead[0].to_string();
    assert!(shown.starts_with("worker: no sign of life for "), "{shown}");
    assert!(shown.ends_with(" s, allowed are 50ms"), "{shown}");

    let soon_after = patient.0.since + LONG + Duration::from_millis(40);
    assert!(patient.obstacle(soon_after).is_some());
    patient.beat();
    assert_eq!(
        patient.obstacle(soon_after),
        None,
        "the limit runs from the last sign of life"
    );
    worker.finish();
    assert_eq!(health.dead(), []);
}

#[test]
fn metrics_and_further_routes_are_served() {
    let metrics = Metrics::new();
    metrics.counter("events_total", "Read.").inc();
    let routes = Router::new().route("/rules", get(async || "six"));
    let endpoint = serve(ANY_PORT.into(), Health::default(), metrics, Stop::new(), routes).unwrap();
    let (status, head, body) = ask_whole(endpoint.address(), "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\ntidewatch_events_total 1\n"), "{body}");
    assert_eq!(ask(endpoint.address(), "/rules"), (200, "six".to_owned()));
    assert_eq!(ask(endpoint.address(), "/other").0, 404);
}

#[test]
fn the_metrics_say_whether_the_process_is_ready() {
    let (health, stop) = (Health::default(), Stop::new());
    let worker = health.readiness("worker");
    let endpoint = start(&health, &stop);
    let ready = || {
        let (_, metrics) = ask(endpoint.address(), "/metrics");
        metrics
            .lines()
            .find_map(|line| line.strip_prefix("tidewatch_ready ").map(str::to_owned))
    };
    assert_eq!(ready().as_deref(), Some("0"));
    worker.ready();
    assert_eq!(ready().as_deref(), Some("1"));
    stop.request();
    assert_eq!(ready().as_deref(), Some("0"));
}

#[test]
fn an_address_in_use_is_refused_and_a_closed_endpoint_frees_it() {
    let endpoint = start(&Health::default(), &Stop::new());
    let address = endpoint.address();
    let again = || serve(address, Health::default(), Metrics::new(), Stop::new(), Router::new());
    assert_eq!(again().unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(endpoint);
    assert_eq!(again().unwrap().address(), address);
}

#[test]
fn a_part_that_is_built_anew_takes_the_place_of_the_one_before() {
    let health = Health::default();
    let (silent, starting) = (health.alive("worker", Duration::ZERO), health.readiness("worker"));
    thread::sleep(Duration::from_millis(5));
    assert_eq!(health.dead().len(), 1, "it was silent for too long");
    drop((silent, starting));
    let _alive = health.alive("worker", LONG);
    let readiness = health.readiness("worker");
    assert_eq!(health.unready().len(), 1, "the new one has not said that it is");
    readiness.ready();
    assert_eq!(health.unready(), []);
    assert_eq!(health.dead(), []);
}
