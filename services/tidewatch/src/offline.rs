//! Both detector stages on the log in memory, one thread, one partition: what `scan` and the tests of rules run on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use broker::memory::{Keep, Log, Session};
use broker::{Output, Pace, Publisher as _, Reader as _, Stopwatch, TopicPartition, Worker};
use detection::SourceCounts;
use detector::{
    CORRELATE_GROUP, CorrelateSettings, CorrelateStage, Images, MATCH_GROUP, MatchSettings, MatchStage, Metrics,
};
use event::{Alert, AlertId, AlertStatus, Event, Tier, Timestamp, topic};
use ruleset::RuleSet;
use state::{ImageError, NoImage};

/// How many events are published before they are evaluated.
const EVENTS_MAX: usize = 2000;

/// The detector over events that come from a file.
pub(crate) struct Offline {
    log: Log,
    /// The arrival of the event that is published next.
    arrival: Arc<AtomicI64>,
    matching: Worker<Session, MatchStage>,
    correlating: Worker<Session, CorrelateStage<NoImages>>,
    waiting: usize,
    alerts: Alerts,
}

/// The last word on every alert.
#[derive(Default)]
pub(crate) struct Alerts {
    read: u64,
    last: BTreeMap<AlertId, Alert>,
}

/// Both stages over topics of one partition each, with all state in memory; every commit tells how far the events are.
pub(crate) fn stages(rules: &RuleSet, now: &Stopwatch, metrics: &Metrics) -> (MatchStage, CorrelateStage<NoImages>) {
    let settings = MatchSettings {
        facts_partitions: 1,
        alerts_partitions: 1,
        tick_interval: Duration::ZERO,
    };
    let matching = MatchStage::new(rules, settings, now.clone(), metrics.clone());
    let settings = CorrelateSettings {
        sources: SourceCounts {
            security: 1,
            audit: 1,
            access: 1,
            facts: 1,
        },
        alerts_partitions: 1,
        tick_interval: Duration::ZERO,
        flush_interval: Duration::MAX,
        memory_bytes_max: usize::MAX,
    };
    let correlating = CorrelateStage::new(rules.clone(), settings, NoImages, now.clone(), metrics.clone());
    (matching, correlating)
}

/// No disk: all state is in memory.
pub(crate) struct NoImages;

impl Images for NoImages {
    type Image = NoImage;

    fn open(&mut self, _: u32) -> Result<NoImage, ImageError> {
        Ok(NoImage)
    }

    fn discard(&mut self, _: u32, image: NoImage) -> Result<NoImage, ImageError> {
        Ok(image)
    }
}

impl Offline {
    /// A detector that has seen nothing.
    pub(crate) fn new(rules: &RuleSet) -> Result<Self> {
        let arrival = Arc::new(AtomicI64::new(0));
        let stamp = arrival.clone();
        let log = Log::new(move || Timestamp::from_millis(stamp.load(Ordering::Relaxed)));
        for name in topic::EVENTS {
            log.create_topic(name, 1, Keep::UntilRead);
        }
        log.create_topic(topic::FACTS, 1, Keep::UntilRead);
        log.create_topic(topic::ALERTS, 1, Keep::All);
        for name in [topic::CHANGELOG, topic::DEAD_LETTERS, topic::LATE_FACTS] {
            log.create_topic(name, 1, Keep::Nothing);
        }
        // Nothing waits here: every step commits, and every commit tells how far the events are.
        let pace = Pace {
            commit_interval: Duration::ZERO,
            poll_wait: Duration::ZERO,
            ..Pace::default()
        };
        let now: Stopwatch = Arc::new(|| Duration::ZERO);
        let metrics = Metrics::register(&prometheus::Registry::new()).context("metrics")?;
        let (matching, correlating) = stages(rules, &now, &metrics);
        let session = log
            .session(MATCH_GROUP, MATCH_GROUP, &topic::EVENTS)?
            .with_batch_records_max(EVENTS_MAX);
        let matching = Worker::new(session, matching, pace, now.clone());
        let session = log.session(CORRELATE_GROUP, CORRELATE_GROUP, &[topic::FACTS])?;
        let correlating = Worker::new(session, correlating, pace, now);
        Ok(Self {
            log,
            arrival,
            matching,
            correlating,
            waiting: 0,
            alerts: Alerts::default(),
        })
    }

    /// Takes an event that arrived at `arrival`, and says where its record is: tier and offset.
    pub(crate) fn push(&mut self, event: &Event, arrival: Timestamp) -> Result<(Tier, u64)> {
        let tier = event.tier();
        let name = topic::EVENTS[match tier {
            Tier::Security => 0,
            Tier::Audit => 1,
            Tier::Access => 2,
        }];
        let (_, offset) = self.log.bounds(&TopicPartition::new(name, 0))?;
        self.publish(Output::keyed(name, 1, event.key().as_bytes(), event.encode()), arrival)?;
        self.waiting += 1;
        if self.waiting >= EVENTS_MAX {
            self.evaluate()?;
        }
        Ok((tier, offset))
    }

    fn heartbeat(&self, name: &str, arrival: Timestamp) -> Result<()> {
        let headers = vec![(topic::HEADER_HEARTBEAT.to_owned(), Vec::new().into())];
        self.publish(
            Output {
                topic: name.into(),
                partition: 0,
                key: None,
                value: None,
                headers,
            },
            arrival,
        )
    }

    fn publish(&self, output: Output, arrival: Timestamp) -> Result<()> {
        self.arrival.store(arrival.as_millis(), Ordering::Relaxed);
        self.log.publish(vec![output], Box::new(|_| {})).map_err(Into::into)
    }

    /// Evaluates everything that was pushed. There is one source, so every topic is as far as the last event.
    fn evaluate(&mut self) -> Result<()> {
        self.waiting = 0;
        let arrival = Timestamp::from_millis(self.arrival.load(Ordering::Relaxed));
        for name in topic::EVENTS {
            self.heartbeat(name, arrival)?;
        }
        while !self.is_read(MATCH_GROUP, &topic::EVENTS)? {
            self.matching.step()?;
        }
        while !self.is_read(CORRELATE_GROUP, &[topic::FACTS])? {
            self.correlating.step()?;
        }
        self.alerts.read_on(&self.log)
    }

    fn is_read(&self, group: &str, topics: &[&str]) -> Result<bool> {
        for name in topics {
            let place = TopicPartition::new(*name, 0);
            if self.log.committed(group, &place).unwrap_or(0) < self.log.bounds(&place)?.1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The alerts in their final state, in the order in which their events opened them. One that was not over when
    /// the events ended is `opened`, with all that was known then.
    pub(crate) fn finish(mut self) -> Result<Vec<Alert>> {
        self.evaluate()?;
        let over: BTreeSet<AlertId> = self
            .alerts
            .last
            .values()
            .filter(|alert| is_closed(alert))
            .map(|alert| alert.alert_id)
            .collect();
        // The end of time makes every episode say its last word.
        self.arrival.store(i64::MAX, Ordering::Relaxed);
        self.evaluate()?;
        let last = self
            .alerts
            .last
            .into_values()
            .filter(|alert| alert.merged_into.is_none());
        let mut alerts: Vec<Alert> = last.collect();
        for alert in alerts.iter_mut().filter(|alert| !over.contains(&alert.alert_id)) {
            alert.status = AlertStatus::Opened;
        }
        alerts.sort_by(|a, b| (a.opened_at, &a.rule_id, a.alert_id).cmp(&(b.opened_at, &b.rule_id, b.alert_id)));
        Ok(alerts)
    }
}

fn is_closed(alert: &Alert) -> bool {
    alert.status == AlertStatus::Closed
}

impl Alerts {
    fn read_on(&mut self, log: &Log) -> Result<()> {
        let mut reader = log.session("alerts", "alerts", &[])?;
        loop {
            let chunk = reader.read(&TopicPartition::new(topic::ALERTS, 0), self.read)?;
            for record in &chunk.records {
                let alert = Alert::decode(record.value.as_deref().unwrap_or_default());
                let alert = alert.map_err(|error| anyhow!("alerts@{}: {error}", record.offset))?;
                self.last.insert(alert.alert_id, alert);
            }
            self.read = chunk.next;
            if chunk.at_end {
                return Ok(());
            }
        }
    }
}
