use std::collections::{BTreeMap, VecDeque};

use detection::{CorrelateTally, Correlator, Facts, Matched, Matcher, Progress, RuleTally, SourceCounts};
use event::{
    Alert, AlertId, AlertStatus, Event, Fact, FactRecord, Level, Severity, Source, SourcePartition, SourceTopic,
    StateChange, Tick, Timestamp,
};
use ruleset::RuleSet;
use state::{NoImage, StateStore};

pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// The one partition of facts.
pub(crate) const FACTS: SourcePartition = SourcePartition {
    topic: SourceTopic::Facts,
    partition: 0,
};

/// What a watermark stays behind the latest arrival.
pub(crate) const DISORDER: i64 = 10 * SECOND;

/// The guide's rule, which the tests of counting use.
pub(crate) const BRUTE_FORCE: &str =
    "service:security AND security_event:login_failed | window 5m | group by source_ip | count > 10";

/// Rules with the ids `rule-0`, `rule-1`, … and these queries.
pub(crate) fn rules(queries: &[&str]) -> RuleSet {
    let rule = |(at, query): (usize, &&str)| {
        let query = serde_json::to_string(query).unwrap();
        let text = format!(
            "id: rule-{at}\ntitle: A rule\nseverity: high\nmessage: \"{{user_id}} from {{source_ip}}\"\nquery: {query}\n"
        );
        (format!("rule-{at}.yaml"), text)
    };
    let files: Vec<_> = queries.iter().enumerate().map(rule).collect();
    ruleset::load(files).unwrap().rule_set
}

/// The same rule, changed.
pub(crate) fn changed(query: &str, change: impl Fn(&mut ruleset::Rule)) -> RuleSet {
    let mut rule = (*rules(&[query]).rules()[0]).clone();
    change(&mut rule);
    RuleSet::new([rule])
}

pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn event(id: &str, security_event: &str, millis: i64) -> Event {
    Event {
        event_id: id.to_owned(),
        time: time(millis),
        ingest_time: time(millis),
        tenant: "acme".to_owned(),
        service: "app".to_owned(),
        level: Level::Warn,
        message: security_event.to_owned(),
        security_event: Some(security_event.to_owned()),
        severity: Severity::High,
        user_id: Some("alice".to_owned()),
        source_ip: Some("203.0.113.7".to_owned()),
        format: "test".to_owned(),
        ..Event::default()
    }
}

/// Failed logins of one address at these times, with ids that say the time.
pub(crate) fn failures(times: impl IntoIterator<Item = i64>) -> Vec<Event> {
    let failure = |millis: i64| event(&format!("at-{millis}"), "login_failed", millis);
    times.into_iter().map(failure).collect()
}

/// An event as match reads it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) event: Event,
    pub(crate) source: Source,
    pub(crate) arrival: Timestamp,
}

/// An alert in the words of the tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) status: AlertStatus,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u64,
}

/// Both stages, one facts partition, and what came out.
pub(crate) struct Engine {
    matcher: Matcher,
    correlator: Correlator,
    pub(crate) store: StateStore<NoImage>,
    progress: Progress,
    offsets: BTreeMap<SourcePartition, u64>,
    commits: u64,
    /// How far each level was announced to be done.
    done: BTreeMap<u8, Timestamp>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) late: Vec<Fact>,
    pub(crate) tally: CorrelateTally,
    pub(crate) matched: BTreeMap<String, RuleTally>,
    /// The records of the facts partition, in order.
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) changes: Vec<StateChange>,
}

impl Engine {
    pub(crate) fn new(queries: &[&str]) -> Self {
        Self::with(&rules(queries))
    }

    pub(crate) fn with(rules: &RuleSet) -> Self {
        let one = SourceCounts {
            security: 1,
            audit: 1,
            access: 1,
            facts: 1,
        };
        Self::declared(rules, one)
    }

    pub(crate) fn declared(rules: &RuleSet, sources: SourceCounts) -> Self {
        Self::restored(rules, sources, &[])
    }

    /// One that goes on from a changelog.
    pub(crate) fn restored(rules: &RuleSet, sources: SourceCounts, changelog: &[StateChange]) -> Self {
        let mut store = StateStore::open(NoImage);
        for change in changelog {
            store.restore(change.clone(), 0).unwrap();
        }
        Self {
            matcher: Matcher::new(rules),
            correlator: Correlator::open(rules, sources, &store).unwrap(),
            store,
            progress: Progress::default(),
            offsets: BTreeMap::new(),
            commits: 0,
            done: BTreeMap::new(),
            alerts: Vec::new(),
            late: Vec::new(),
            tally: CorrelateTally::default(),
            matched: BTreeMap::new(),
            records: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Other rules over the same state, as after a new rule set.
    pub(crate) fn reload(&mut self, rules: &RuleSet) {
        let one = SourceCounts {
            security: 1,
            audit: 1,
            access: 1,
            facts: 1,
        };
        self.matcher = Matcher::new(rules);
        self.correlator = Correlator::open(rules, one, &self.store).unwrap();
    }

    /// The process is lost, and another goes on from the changelog.
    pub(crate) fn lose(&mut self, rules: &RuleSet, sources: SourceCounts) {
        let next = Self::restored(rules, sources, &self.changes);
        (self.matcher, self.correlator, self.store) = (next.matcher, next.correlator, next.store);
    }

    /// Events in one batch, each arriving at its own time.
    pub(crate) fn send(&mut self, events: impl IntoIterator<Item = Event>) {
        let batch: Vec<Sent> = events
            .into_iter()
            .map(|event| {
                let arrival = event.time;
                self.placed(event, arrival)
            })
            .collect();
        self.batch(&batch);
    }

    /// Events in one batch that arrive at once.
    pub(crate) fn send_at(&mut self, arrival: i64, events: impl IntoIterator<Item = Event>) {
        let batch: Vec<Sent> = events
            .into_iter()
            .map(|event| self.placed(event, time(arrival)))
            .collect();
        self.batch(&batch);
    }

    /// The event behind all others of its topic.
    pub(crate) fn placed(&mut self, event: Event, arrival: Timestamp) -> Sent {
        let topic = SourceTopic::from(event.tier());
        let partition = SourcePartition { topic, partition: 0 };
        let offset = self.offsets.entry(partition).or_default();
        *offset += 1;
        let source = Source {
            partition,
            offset: *offset,
        };
        Sent { event, source, arrival }
    }

    pub(crate) fn batch(&mut self, batch: &[Sent]) {
        let mut matched = Matched::default();
        for Sent { event, source, arrival } in batch {
            let record = event.encode();
            self.matcher.evaluate(&record, *source, *arrival, &mut matched).unwrap();
        }
        self.count(&matched.tally);
        let records: Vec<_> = matched
            .facts()
            .map(|fact| FactRecord::Fact(fact.clone()).encode())
            .collect();
        self.alerts.append(&mut matched.alerts);
        for record in records {
            self.record(record);
        }
    }

    /// Every declared partition has had a record that arrived then.
    pub(crate) fn tick(&mut self, arrival: i64) {
        let one_each = [SourceTopic::Security, SourceTopic::Audit, SourceTopic::Access];
        for topic in one_each {
            self.progress
                .arrived(SourcePartition { topic, partition: 0 }, time(arrival));
        }
        let watermarks = self.progress.watermarks();
        self.tick_of(watermarks);
    }

    pub(crate) fn tick_of(&mut self, watermarks: Vec<(SourcePartition, Timestamp)>) {
        let tick = Tick {
            level: 0,
            rule_set: self.matcher.rule_set(),
            watermarks,
        };
        self.record(FactRecord::Tick(tick).encode());
    }

    /// A record of the facts partition, and then the records that correlate adds to it because of that.
    pub(crate) fn record(&mut self, record: Vec<u8>) {
        let mut records = VecDeque::from([record]);
        while let Some(record) = records.pop_front() {
            let facts = self.one_record(record);
            let facts = facts.iter().map(|fact| FactRecord::Fact(fact.clone()).encode());
            records.extend(facts);
            records.extend(self.level_ticks());
        }
    }

    fn one_record(&mut self, record: Vec<u8>) -> Facts {
        let at = Source {
            partition: FACTS,
            offset: self.records.len() as u64,
        };
        let mut step = match FactRecord::decode(&record).unwrap() {
            FactRecord::Fact(fact) => self.correlator.on_fact(&fact, at, &mut self.store).unwrap(),
            FactRecord::Tick(tick) => self.correlator.on_tick(&tick, at, &mut self.store).unwrap(),
        };
        self.records.push(record);
        self.changes.append(&mut step.changes);
        self.alerts.append(&mut step.alerts);
        self.late.extend(step.late);
        self.tally.add(step.tally);
        self.count(&step.readers);
        self.commits += 1;
        self.store.commit(self.commits);
        step.facts
    }

    /// How far each level is done, where that is news.
    fn level_ticks(&mut self) -> Vec<Vec<u8>> {
        let mut ticks = Vec::new();
        for (level, done) in self.correlator.done() {
            if self.done.insert(level, done) != Some(done) {
                let watermarks = vec![(FACTS, done)];
                let rule_set = self.matcher.rule_set();
                let tick = Tick {
                    level,
                    rule_set,
                    watermarks,
                };
                ticks.push(FactRecord::Tick(tick).encode());
            }
        }
        ticks
    }

    fn count(&mut self, tallies: &BTreeMap<String, RuleTally>) {
        for (rule, tally) in tallies {
            let known = self.matched.entry(rule.clone()).or_default();
            known.matched += tally.matched;
            known.missing_key += tally.missing_key;
        }
    }

    /// What was told since the last call of this.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.alerts).iter().map(told).collect()
    }

    /// The last word on every alert that was not merged into another, by rule, key and time.
    pub(crate) fn last_words(&self) -> Vec<Alert> {
        let mut last: BTreeMap<AlertId, &Alert> = BTreeMap::new();
        for alert in &self.alerts {
            let known = last.insert(alert.alert_id, alert);
            assert!(
                known.is_none_or(|known| known.revision < alert.revision),
                "two records have one revision: {alert:#?}"
            );
        }
        let mut words: Vec<Alert> = last
            .into_values()
            .filter(|alert| alert.merged_into.is_none())
            .cloned()
            .collect();
        words.sort_by(|a, b| {
            let order = |alert: &Alert| {
                (
                    alert.rule_id.clone(),
                    alert
                        .key
                        .clone()
                        .into_iter()
                        .map(|(_, value)| value.to_string())
                        .collect::<Vec<_>>(),
                )
            };
            (order(a), a.first_event_at, a.last_event_at).cmp(&(order(b), b.first_event_at, b.last_event_at))
        });
        words
    }

    /// How many keys of rules have state; the watermarks' own key is not one.
    pub(crate) fn keys(&self) -> usize {
        self.store.in_memory().filter(|(key, _)| key.len() > 1).count()
    }
}

pub(crate) fn told(alert: &Alert) -> Told {
    Told {
        status: alert.status,
        first: alert.first_event_at.as_millis(),
        last: alert.last_event_at.as_millis(),
        count: alert.count,
    }
}

pub(crate) fn opened(first: i64, last: i64, count: u64) -> Told {
    Told {
        status: AlertStatus::Opened,
        first,
        last,
        count,
    }
}

pub(crate) fn updated(first: i64, last: i64, count: u64) -> Told {
    Told {
        status: AlertStatus::Updated,
        ..opened(first, last, count)
    }
}

pub(crate) fn closed(first: i64, last: i64, count: u64) -> Told {
    Told {
        status: AlertStatus::Closed,
        ..opened(first, last, count)
    }
}

/// The ids of the events in evidence.
pub(crate) fn evidence(alert: &Alert) -> Vec<&str> {
    alert.events.iter().map(|evidence| evidence.event_id.as_str()).collect()
}

/// Events of this kind (`security_event`).
pub(crate) fn of_kind(kind: &str) -> ruleset::Predicate {
    ruleset::Predicate::Field {
        name: "security_event".to_owned(),
        test: ruleset::Test::Matches(ruleset::TextPattern::exact(kind)),
    }
}

/// A rule in the typed form that both languages compile to.
pub(crate) fn typed(id: &str, pattern: ruleset::Pattern, timing: impl Fn(&mut ruleset::Timing)) -> ruleset::Rule {
    let mut rule = (*rules(&["security_event:a"]).rules()[0]).clone();
    id.clone_into(&mut rule.id);
    rule.pattern = pattern;
    timing(&mut rule.timing);
    rule.hash = event::SemanticHash::new(&rule.meaning());
    rule
}

/// So many cases, unless `PROPTEST_CASES` says how many.
pub(crate) fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
