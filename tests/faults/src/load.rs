//! Events that make attacks, as many as one likes, and the alerts that must follow from them: each once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use e2e::expect::{Events, Guide, alerts};
use e2e::log::PATIENCE;
use e2e::pipeline::Installation;
use e2e::process::wait_for;
use e2e::producer::logged;
use e2e::receiver::WEBHOOK;
use e2e::s3::now;
use event::{Alert, AlertId, AlertStatus, Timestamp};
use kafka::KafkaSettings;
use serde_json::{Value, json};
use sim::random::Random;

/// Addresses of a round of events, which fail 8 to 15 times each. More than 10 are an attack.
const ADDRESSES: u64 = 30;
const FAILURES: std::ops::Range<u64> = 8..16;
const FIRING: usize = 11;

/// Events of a round that are an alert each.
const TRAVELS: usize = 5;

/// Entries of a request, and the pause after it.
const ENTRIES: usize = 4;
const PAUSE: Duration = Duration::from_millis(1);

/// How long nothing may happen before a test believes that nothing will.
const QUIET: Duration = Duration::from_secs(5);

/// The events that were posted: the ids of each address's failures in their order, and those that are alerts alone.
#[derive(Default)]
pub struct Posted {
    failures: BTreeMap<String, Vec<String>>,
    travels: Vec<String>,
    /// How many there are.
    pub count: usize,
}

/// Alerts by their ids, each with the ids of the events that may be in it.
pub type Expected = BTreeMap<AlertId, (Alert, Vec<String>)>;

impl Posted {
    /// Sends rounds of events, in an order that follows from the seed, until it is told to stop. A round that has begun
    /// is sent to its end. `send` returns when a door has taken all that it was given.
    pub fn send(mut send: impl FnMut(&[Value]), seed: u64, stop: &AtomicBool) -> Self {
        let mut random = Random::new(seed);
        let mut posted = Self::default();
        let mut last = Timestamp::MIN;
        for round in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            for sources in round_of(round, &mut random).chunks(ENTRIES) {
                let mut entries = Vec::new();
                for source in sources {
                    // Each later than the one before, so that it is known which one makes an attack.
                    last = now().max(last.plus(Duration::from_millis(1)));
                    entries.push(posted.entry(source.as_deref(), last));
                }
                send(&entries);
                thread::sleep(PAUSE);
            }
        }
        posted
    }

    /// The next failure of an address, or a travel.
    fn entry(&mut self, address: Option<&str>, time: Timestamp) -> Value {
        let id = format!("event-{}", self.count);
        self.count += 1;
        match address {
            Some(address) => {
                self.failures.entry(address.to_owned()).or_default().push(id.clone());
                logged(&id, time, "login_failed", json!({"source_ip": address}))
            }
            None => {
                self.travels.push(id.clone());
                logged(&id, time, "impossible_travel", json!({"user_id": "carol"}))
            }
        }
    }

    /// The alerts that follow from the rules.
    ///
    /// # Panics
    /// If not all events are there, each once.
    pub fn expected(&self, kafka: &KafkaSettings) -> Expected {
        let (guide, events) = (Guide::read(), Events::read(kafka));
        assert_eq!(events.count(), self.count, "the door accepted {}", self.count);
        let attacks = self.failures.iter().filter(|(_, ids)| ids.len() >= FIRING);
        let attacks = attacks.map(|(address, ids)| {
            let message = format!("Brute force attack detected from {address}");
            let key = [("source_ip", address.as_str())];
            let alert = guide.opened("guide_brute_force", &key, &events, &ids[..FIRING], &message);
            (alert, ids.clone())
        });
        let travels = self.travels.iter().map(|id| {
            let ids = vec![id.clone()];
            let message = "Impossible travel detected for user carol";
            let alert = guide.opened("guide_impossible_travel", &[], &events, &ids, message);
            (alert, ids)
        });
        attacks.chain(travels).map(|it| (it.0.alert_id, it)).collect()
    }
}

/// The addresses of a round's events; `None` is a travel.
fn round_of(round: u64, random: &mut Random) -> Vec<Option<String>> {
    let mut sources = vec![None; TRAVELS];
    for number in 0..ADDRESSES {
        let address = format!("10.{}.{}.{number}", round / 256, round % 256);
        let failures = random.within(FAILURES);
        sources.extend((0..failures).map(|_| Some(address.clone())));
    }
    for end in (1..sources.len()).rev() {
        let other = random.within(0..end as u64 + 1);
        sources.swap(end, usize::try_from(other).expect("less than its length"));
    }
    sources
}

/// The alerts, once all that are expected are there or nobody believes in them any more: then it is for
/// [`check_alerts`] to say what is missing.
///
/// # Panics
/// If they cannot be read.
pub fn await_alerts(kafka: &KafkaSettings, expected: &Expected) -> Vec<Alert> {
    let until = Instant::now() + PATIENCE;
    while alerts(kafka).len() < expected.len() && Instant::now() < until {
        thread::sleep(Duration::from_millis(200));
    }
    thread::sleep(QUIET);
    alerts(kafka)
}

/// Each of the alerts once, opened by the event that opened it, over the events that were there.
///
/// # Panics
/// If one is lost, repeated, invented or another.
pub fn check_alerts(found: &[Alert], expected: &Expected) {
    let times = |id: &AlertId| found.iter().filter(|alert| alert.alert_id == *id).count();
    let lost: Vec<&Alert> = expected
        .values()
        .map(|(alert, _)| alert)
        .filter(|alert| times(&alert.alert_id) == 0)
        .collect();
    let repeated: Vec<&AlertId> = expected.keys().filter(|id| times(id) > 1).collect();
    let invented: Vec<&Alert> = found
        .iter()
        .filter(|alert| !expected.contains_key(&alert.alert_id))
        .collect();
    assert!(
        lost.is_empty() && repeated.is_empty() && invented.is_empty(),
        "{} lost, {} repeated, {} invented; some of them: {:#?}",
        lost.len(),
        repeated.len(),
        invented.len(),
        (lost.first(), repeated.first(), invented.first())
    );
    for alert in found {
        let (opened, ids) = &expected[&alert.alert_id];
        // Failures that were in one batch with the eleventh are told with it.
        let count = usize::try_from(alert.count).expect("as many as were sent");
        let told: Vec<&String> = alert.events.iter().map(|event| &event.event_id).collect();
        assert_eq!(told, ids[..count].iter().collect::<Vec<_>>(), "{alert:#?}");
        let at_opening = Alert {
            count: opened.count,
            last_event_at: opened.last_event_at,
            events: opened.events.clone(),
            ..alert.clone()
        };
        assert_eq!((&at_opening, alert.status), (opened, AlertStatus::Opened));
    }
}

/// Every alert was told, and whatever was told twice was the same and said so. Returns the requests.
///
/// # Panics
/// If not.
pub fn check_webhooks(installation: &Installation, found: &[Alert]) -> usize {
    let ids: BTreeSet<String> = found.iter().map(|alert| format!("{}-1", alert.alert_id)).collect();
    let is_told = || {
        let requests = installation.receiver.received(WEBHOOK);
        let told: BTreeSet<_> = requests
            .iter()
            .map(|request| request.headers["webhook-id"].clone())
            .collect();
        (told == ids).then_some(requests)
    };
    let requests = wait_for("a webhook for every alert, and for nothing else", PATIENCE, is_told);
    let mut bodies = BTreeMap::new();
    for request in &requests {
        let body = bodies.entry(&request.headers["webhook-id"]).or_insert(&request.body);
        assert_eq!(*body, &request.body);
    }
    requests.len()
}
