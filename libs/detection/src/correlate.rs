use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Alert, Fact, Key, SemanticHash, SourcePartition, StateChange, Tick, Timestamp};
use ruleset::{Mode, Rule, RuleSet};
use state::{Clock, Image, ImageError, StateStore, Value};

use crate::SourceSet;
use crate::case::Case;
use crate::key_state::{WATERMARKS_KEY, damaged, load, parse_store_key, save, store_key, write};
use crate::watermark::{SourceCounts, Watermarks};

/// The second stage: what the facts of one facts partition, in their order, mean.
pub struct Correlator {
    rules: BTreeMap<SemanticHash, Arc<Rule>>,
    watermarks: Watermarks,
}

/// What one record of facts caused. The changes are already applied to the store.
#[derive(Debug, Default)]
pub struct Step {
    /// For the changelog.
    pub changes: Vec<StateChange>,
    /// For people.
    pub alerts: Vec<Alert>,
    /// Entries that came later than the lateness of their rule allows.
    pub late: Option<Fact>,
    /// What was counted.
    pub tally: CorrelateTally,
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
        let stored = store.get(&WATERMARKS_KEY)?;
        let known: Vec<(SourcePartition, Timestamp)> = match stored.as_deref().and_then(Value::decode) {
            Some(value) => postcard::from_bytes(value.payload).map_err(|error| damaged("watermarks", &error))?,
            None => Vec::new(),
        };
        let stateful = rules
            .rules()
            .iter()
            .filter(|rule| rule.is_stateful() && rule.mode != Mode::Off);
        let rules = stateful.map(|rule| (rule.hash, rule.clone())).collect();
        Ok(Self {
            rules,
            watermarks: Watermarks::new(sources, &known),
        })
    }

    /// The watermark of the events of all topics.
    pub fn watermark(&self) -> Timestamp {
        self.watermarks.of(SourceSet::EVENTS)
    }

    /// Evaluates a fact.
    ///
    /// # Errors
    /// If the store fails; then the task is to be rebuilt.
    pub fn on_fact<I: Image>(&self, fact: &Fact, store: &mut StateStore<I>) -> Result<Step, ImageError> {
        let mut step = Step::default();
        let Some(rule) = self.rules.get(&fact.rule) else {
            step.tally.unknown_rule += fact.entries.len() as u64;
            return Ok(step);
        };
        let case = self.case(rule, &fact.key);
        let store_key = store_key(fact.rule, &fact.key);
        let mut state = load(&case, store.get(&store_key)?.as_deref())?;
        for entry in &fact.entries {
            case.take(&mut state, fact, entry, &mut step);
        }
        case.settle(&mut state, &mut step);
        save(&case, store_key, &state, store, &mut step)?;
        Ok(step)
    }

    /// Takes over the progress of the sources, and does what was waiting for it.
    ///
    /// # Errors
    /// If the store fails; then the task is to be rebuilt.
    pub fn on_tick<I: Image>(&mut self, tick: &Tick, store: &mut StateStore<I>) -> Result<Step, ImageError> {
        let mut step = Step::default();
        if !self.watermarks.tick(tick) {
            return Ok(step);
        }
        let payload = postcard::to_stdvec(&self.watermarks.as_list()).expect("every length is known");
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
        for sources in SourceSet::ALL {
            let (clock, watermark) = (sources.clock(), self.watermarks.of(sources));
            loop {
                let due = store.due(clock, watermark, DUE_KEYS_MAX)?;
                if due.is_empty() {
                    break;
                }
                for store_key in due {
                    self.wake(store_key, store, &mut step)?;
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
        let case = self.case(rule, &key);
        let mut state = load(&case, store.get(&store_key)?.as_deref())?;
        case.settle(&mut state, step);
        save(&case, store_key, &state, store, step)
    }

    fn case<'a>(&self, rule: &'a Rule, key: &'a Key) -> Case<'a> {
        let sources = SourceSet::of(rule);
        Case {
            rule,
            key,
            watermark: self.watermarks.of(sources),
            sources,
        }
    }
}
