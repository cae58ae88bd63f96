use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anyhow::Result;
use detection::{CorrelateTally, Correlator, Explained, Explainer, KeyView, Matched, Matcher, Progress, SourceCounts};
use event::{Alert, Event, Fact, Key, Source, SourcePartition, SourceTopic, Tick, Timestamp};
use ruleset::{Rule, RuleSet};
use state::{NoImage, StateStore};

/// Both stages of the detector, one event at a time, so that it can be told what became of each.
pub(super) struct Stages {
    explainer: Explainer,
    rule: Arc<Rule>,
    matcher: Matcher,
    correlator: Correlator,
    store: StateStore<NoImage>,
    progress: Progress,
    /// The next offset of each partition.
    offsets: BTreeMap<SourcePartition, u64>,
    /// How far each level was announced to be done.
    done: BTreeMap<u8, Timestamp>,
}

/// What became of an event, or of an alert that it opened, under a key of the rule.
pub(super) struct Became {
    pub(super) key: Key,
    /// 0 for an event of the log, more for an alert.
    pub(super) level: u8,
    pub(super) time: Timestamp,
    pub(super) fate: Fate,
    /// What the rule holds for the key afterwards.
    pub(super) view: KeyView,
    pub(super) progress: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Taken,
    /// The rule holds at it, and nobody is told: the alert it belongs to was closed.
    Suppressed,
    Duplicate,
    Late,
    NoValue,
}

impl Fate {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Suppressed => "suppressed: it belongs to an alert that was closed",
            Self::Duplicate => "folded: an event of this id is known already",
            Self::Late => "late: it goes to late-facts",
            Self::NoValue => "not taken: it has no value of the field that the rule computes with",
        }
    }
}

const fn place(topic: SourceTopic) -> SourcePartition {
    SourcePartition { topic, partition: 0 }
}

const SOURCES: [SourceTopic; 3] = [SourceTopic::Security, SourceTopic::Audit, SourceTopic::Access];

impl Stages {
    pub(super) fn new(rule: &Arc<Rule>, rules: &RuleSet) -> Result<Self> {
        let counts = SourceCounts {
            security: 1,
            audit: 1,
            access: 1,
            facts: 1,
        };
        let store = StateStore::open(NoImage);
        Ok(Self {
            explainer: Explainer::new(rule),
            rule: Arc::clone(rule),
            matcher: Matcher::new(rules),
            correlator: Correlator::open(rules, counts, &store)?,
            store,
            progress: Progress::default(),
            offsets: BTreeMap::new(),
            done: BTreeMap::new(),
        })
    }

    /// What the rule's conditions say of an event, what became of it, and the alerts of the rule that it changed.
    pub(super) fn push(
        &mut self,
        event: &Event,
        arrival: Timestamp,
    ) -> Result<(Vec<Explained>, Vec<Became>, Vec<Alert>)> {
        let record = event.encode();
        let sides = self.explainer.explain(&record, arrival)?;
        let source = self.next(place(SourceTopic::from(event.tier())));
        let mut matched = Matched::default();
        self.matcher.evaluate(&record, source, arrival, &mut matched)?;
        let facts: Vec<Fact> = matched.facts().cloned().collect();
        let (mut became, mut alerts) = (Vec::new(), matched.alerts);
        self.facts(facts, &mut became, &mut alerts)?;
        self.tick(arrival, &mut became, &mut alerts)?;
        alerts.retain(|alert| alert.rule_id == self.rule.id);
        Ok((sides, became, alerts))
    }

    /// The end of time: whatever waits for more events is decided, and every episode says its last word.
    pub(super) fn end(&mut self) -> Result<Vec<Alert>> {
        let mut alerts = Vec::new();
        self.tick(Timestamp::MAX, &mut Vec::new(), &mut alerts)?;
        alerts.retain(|alert| alert.rule_id == self.rule.id);
        Ok(alerts)
    }

    fn next(&mut self, partition: SourcePartition) -> Source {
        let next = self.offsets.entry(partition).or_default();
        let offset = *next;
        *next += 1;
        Source { partition, offset }
    }

    /// Facts, and those that follow from them.
    fn facts(&mut self, facts: Vec<Fact>, became: &mut Vec<Became>, alerts: &mut Vec<Alert>) -> Result<()> {
        let mut facts = VecDeque::from(facts);
        while let Some(fact) = facts.pop_front() {
            let at = self.next(place(SourceTopic::Facts));
            let step = self.correlator.on_fact(&fact, at, &mut self.store)?;
            if fact.rule == self.rule.hash {
                became.push(self.became(&fact, step.tally)?);
            }
            alerts.extend(step.alerts);
            facts.extend(step.facts.iter().cloned());
        }
        Ok(())
    }

    fn became(&self, fact: &Fact, tally: CorrelateTally) -> Result<Became> {
        let view = self.correlator.view(&self.rule, &fact.key, &self.store)?;
        let time = fact.entries.first().map_or(Timestamp::MIN, |entry| entry.time);
        let holds = view.episodes.iter().find(|episode| episode.held_at.1 == time);
        let fate = if tally.late > 0 {
            Fate::Late
        } else if tally.duplicate > 0 {
            Fate::Duplicate
        } else if tally.applied == 0 {
            Fate::NoValue
        } else if holds.is_some_and(|episode| episode.is_closed) {
            Fate::Suppressed
        } else {
            Fate::Taken
        };
        Ok(Became {
            key: fact.key.clone(),
            level: fact.level,
            time,
            fate,
            progress: if fate == Fate::Late {
                Vec::new()
            } else {
                view.progress(&self.rule, time)
            },
            view,
        })
    }

    /// As in production once a second: how far the sources are, and then level by level what is done with them.
    fn tick(&mut self, arrival: Timestamp, became: &mut Vec<Became>, alerts: &mut Vec<Alert>) -> Result<()> {
        for topic in SOURCES {
            self.progress.arrived(place(topic), arrival);
        }
        let mut ticks = VecDeque::from([self.tick_of(0, self.progress.watermarks())]);
        while let Some(tick) = ticks.pop_front() {
            let at = self.next(place(SourceTopic::Facts));
            let step = self.correlator.on_tick(&tick, at, &mut self.store)?;
            alerts.extend(step.alerts);
            self.facts(step.facts.iter().cloned().collect(), became, alerts)?;
            for (level, done) in self.correlator.done() {
                if self.done.insert(level, done) != Some(done) {
                    ticks.push_back(self.tick_of(level, vec![(place(SourceTopic::Facts), done)]));
                }
            }
        }
        Ok(())
    }

    fn tick_of(&self, level: u8, watermarks: Vec<(SourcePartition, Timestamp)>) -> Tick {
        Tick {
            level,
            rule_set: self.matcher.rule_set(),
            watermarks,
        }
    }
}
