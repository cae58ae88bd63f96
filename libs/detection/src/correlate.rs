use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Alert, Fact, Key, SemanticHash, Source, StateChange, Tick, Timestamp};
use ruleset::{Mode, Rule, RuleSet};
use state::{Clock, Image, ImageError, StateStore, Value};

use crate::case::Case;
use crate::chain::{Chains, Derived};
use crate::key_state::{WATERMARKS_KEY, damaged, load, parse_store_key, save, store_key, write};
use crate::watermark::{SourceCounts, Watermarks};
use crate::{Facts, RuleTally, SourceSet};

/// The second stage: what the facts of one facts partition, in their order, mean.
pub struct Correlator {
    rules: BTreeMap<SemanticHash, Arc<Rule>>,
    chains: Chains,
    watermarks: Watermarks,
}

/// What one record of facts caused. The changes are already applied to the store.
#[derive(Debug, Default)]
pub struct Step {
    /// For the changelog.
    pub changes: Vec<StateChange>,
    /// For people.
    pub alerts: Vec<Alert>,
    /// For the rules that read alerts that opened.
    pub facts: Facts,
    /// Of those rules, by their id.
    pub readers: BTreeMap<String, RuleTally>,
    /// Entries that came later than the lateness of their rule allows.
    pub late: Option<Fact>,
    /// What was counted.
    pub tally: CorrelateTally,
    /// How many alerts opened that are read.
    opened: u32,
}

impl Step {
    /// Where to put what follows from an alert that opens at this record.
    pub(crate) fn derived(&mut self, at: Source) -> Derived<'_> {
        Derived {
            facts: &mut self.facts,
            alerts: &mut self.alerts,
            tally: &mut self.readers,
            at,
            number: &mut self.opened,
        }
    }
}

/// Where every entry of a fact went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CorrelateTally {
    /// Added to the state of its key.
    pub applied: u64,
    /// Known already.
    pub duplicate: u64,
    /// Too late.
    pub late: u64,
    /// Without a value of the field that the rule computes with: not taken.
    pub no_value: u64,
    /// Of a rule that is not loaded.
    pub unknown_rule: u64,
    /// Forgotten early because a limit acted.
    pub forgotten: u64,
}

impl CorrelateTally {
    /// Adds what `other` counted.
    pub fn add(&mut self, other: Self) {
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.no_value += other.no_value;
        self.unknown_rule += other.unknown_rule;
        self.forgotten += other.forgotten;
    }
}

/// How many keys are woken before the store is asked for more.
const DUE_KEYS_MAX: usize = 1000;

impl Correlator {
    /// Goes on with the state in `store`, for the sources declared now.
    ///
    /// # Errors
    /// If the store fails.
    pub fn open<I: Image>(rules: &RuleSet, sources: SourceCounts, store: &StateStore<I>) -> Result<Self, ImageError> {
        let chains = Chains::new(rules);
        let mut watermarks = Watermarks::new(sources, &chains.levels());
        if let Some(value) = store.get(&WATERMARKS_KEY)?.as_deref().and_then(Value::decode) {
            let restored = watermarks.restore(value.payload);
            restored.map_err(|error| damaged("watermarks", &error))?;
        }
        let stateful = rules
            .rules()
            .iter()
            .filter(|rule| rule.is_stateful() && rule.mode != Mode::Off);
        let rules = stateful.map(|rule| (rule.hash, rule.clone())).collect();
        Ok(Self {
            rules,
            chains,
            watermarks,
        })
    }

    /// The watermark of the events of all topics.
    pub fn watermark(&self) -> Timestamp {
        self.watermarks.of(SourceSet::EVENTS)
    }

    /// For each level of facts that are derived here, how far that is done: what opened in time and is older has been
    /// derived. To be announced after those facts.
    pub fn done(&self) -> Vec<(u8, Timestamp)> {
        self.chains.done(&self.watermarks)
    }

    /// Evaluates a fact, whose record lies at `at`.
    ///
    /// # Errors
    /// If the store fails; then the task is to be rebuilt.
    pub fn on_fact<I: Image>(&self, fact: &Fact, at: Source, store: &mut StateStore<I>) -> Result<Step, ImageError> {
        let mut step = Step::default();
        let Some(rule) = self.rules.get(&fact.rule) else {
            step.tally.unknown_rule += fact.entries.len() as u64;
            return Ok(step);
        };
        let case = self.case(rule, &fact.key, at);
        let store_key = store_key(fact.rule, &fact.key);
        let mut state = load(&case, store.get(&store_key)?.as_deref())?;
        for entry in &fact.entries {
            case.take(&mut state, fact, entry, &mut step);
        }
        case.settle(&mut state, &mut step);
        save(&case, store_key, &state, store, &mut step)?;
        Ok(step)
    }

    /// Takes over the progress of the sources, and does what was waiting for it. The tick's record lies at `at`.
    ///
    /// # Errors
    /// If the store fails; then the task is to be rebuilt.
    pub fn on_tick<I: Image>(
        &mut self,
        tick: &Tick,
        at: Source,
        store: &mut StateStore<I>,
    ) -> Result<Step, ImageError> {
        let mut step = Step::default();
        if !self.watermarks.tick(tick) {
            return Ok(step);
        }
        let payload = self.watermarks.store();
        let value = Value {
            clock: Clock(0),
            wake_after: Timestamp::MAX,
            payload: &payload,
        };
        write(
            StateChange {
                key: WATERMARKS_KEY.into(),
                value: Some(value.encode()),
            },
            store,
            &mut step,
        )?;
        // Of every set, not only of the rules that are loaded: what another rule left behind is removed in its time.
        for sources in SourceSet::all() {
            let (clock, watermark) = (sources.clock(), self.watermarks.of(sources));
            loop {
                let due = store.due(clock, watermark, DUE_KEYS_MAX)?;
                if due.is_empty() {
                    break;
                }
                for store_key in due {
                    self.wake(store_key, at, store, &mut step)?;
                }
            }
        }
        Ok(step)
    }

    /// A key whose time has come: closes its episodes, forgets what is too old. The state of a rule that is not loaded
    /// is removed.
    fn wake<I: Image>(
        &self,
        store_key: Box<[u8]>,
        at: Source,
        store: &mut StateStore<I>,
        step: &mut Step,
    ) -> Result<(), ImageError> {
        let owner = parse_store_key(&store_key).and_then(|(hash, key)| Some((self.rules.get(&hash)?, key)));
        let Some((rule, key)) = owner else {
            return write(
                StateChange {
                    key: store_key,
                    value: None,
                },
                store,
                step,
            );
        };
        let case = self.case(rule, &key, at);
        let mut state = load(&case, store.get(&store_key)?.as_deref())?;
        case.settle(&mut state, step);
        save(&case, store_key, &state, store, step)
    }

    pub(crate) fn case<'a>(&'a self, rule: &'a Rule, key: &'a Key, at: Source) -> Case<'a> {
        let reading = self.chains.reading(rule);
        Case {
            rule,
            key,
            watermark: reading.watermark(&self.watermarks),
            reading,
            chains: &self.chains,
            at,
        }
    }
}
