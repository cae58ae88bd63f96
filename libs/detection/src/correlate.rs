use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event::{
    Alert, AlertId, AlertStatus, Fact, FactEntry, Key, SemanticHash, SourcePartition, StateChange, Tick, Timestamp,
};
use ruleset::{Mode, Pattern, Rule, RuleSet};
use serde::{Deserialize, Serialize};
use state::{Clock, Image, ImageError, StateStore, Value};

use crate::SourceSet;
use crate::alert;
use crate::episode::{self, Episode, Touched, Truth};
use crate::held::Held;
use crate::join::LEFT;
use crate::kept::Kept;
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

/// What a rule keeps for a key.
#[derive(Debug, Serialize, Deserialize)]
struct KeyState {
    held: Kept,
    /// In the order of time, more than the rule's keep-alive apart.
    episodes: Vec<Episode>,
}

/// The version of the stored form of a [`KeyState`], its first byte.
const STATE_VERSION: u8 = 1;
/// The store key of the watermarks; the keys of rules begin with [`RULE_PREFIX`].
const WATERMARKS_KEY: [u8; 1] = [0];
const RULE_PREFIX: u8 = 1;
/// How many keys are woken before the store is asked for more.
const DUE_KEYS_MAX: usize = 1000;

/// A rule and a key, while one record is evaluated.
struct Case<'a> {
    rule: &'a Rule,
    key: &'a Key,
    watermark: Timestamp,
    sources: SourceSet,
}

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

impl Case<'_> {
    /// One event of a fact.
    fn take(&self, state: &mut KeyState, fact: &Fact, entry: &FactEntry, step: &mut Step) {
        if entry.time < self.watermark.minus(self.rule.lateness()) {
            step.tally.late += 1;
            let late = step.late.get_or_insert_with(|| Fact {
                entries: Vec::new(),
                ..fact.clone()
            });
            late.entries.push(entry.clone());
            return;
        }
        let mut new = Held::new(fact, entry);
        if fact.side == LEFT && matches!(self.rule.pattern, Pattern::Join(_)) {
            new.values = values(fact, entry);
        }
        let Some(truths) = state.held.add(&self.rule.pattern, fact.side, new) else {
            step.tally.duplicate += 1;
            return;
        };
        step.tally.applied += 1;
        for truth in truths {
            self.hold(state, truth, fact, entry, step);
        }
    }

    /// The rule holds at a moment, because of `entry`.
    fn hold(&self, state: &mut KeyState, truth: Truth, fact: &Fact, entry: &FactEntry, step: &mut Step) {
        match episode::touch(&mut state.episodes, truth, self.rule.timing.keep_alive) {
            Touched::One => {}
            Touched::Joined(mut gone) => {
                let kept = state
                    .episodes
                    .iter()
                    .find(|episode| episode.first_true <= truth.at && truth.at <= episode.last_true);
                let merged_into = kept.map(|kept| kept.alert_id);
                let alert = alert::of_episode(self.rule, self.key, &mut gone, AlertStatus::Closed, Vec::new());
                self.emit(Alert { merged_into, ..alert }, step);
            }
            Touched::None => {
                // Not always the event that has just come: a late one may make several moments true, and each of
                // their episodes has an id of its own.
                let opening = state.held.at(truth).map_or("", |held| &held.event_id);
                let tenant = self.key.parts().next().unwrap_or_default();
                let alert_id = AlertId::new(tenant, &self.rule.id, self.rule.hash, self.key, opening, truth.at);
                let message = self.message(state, truth, fact, entry);
                let at = episode::insert(&mut state.episodes, Episode::new(alert_id, message, truth));
                self.tell(state, at, AlertStatus::Opened, step);
            }
        }
    }

    fn message(&self, state: &KeyState, truth: Truth, fact: &Fact, entry: &FactEntry) -> String {
        let of_left = state.held.at(truth).map_or(&[][..], |held| &held.values);
        let names = self.rule.key_fields();
        self.rule.message.render(|name| {
            let of_key = names
                .iter()
                .position(|known| *known == name)
                .and_then(|at| self.key.values().nth(at));
            let of_left = || {
                of_left
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone())
            };
            let of_entry = || fact.value(entry, name).map(|value| value.as_text().into_owned());
            of_key.map(str::to_owned).or_else(of_left).or_else(of_entry)
        })
    }

    /// After a record: tells of what grew, closes what is over, forgets what is too old.
    fn settle(&self, state: &mut KeyState, step: &mut Step) {
        for at in 0..state.episodes.len() {
            let episode = &mut state.episodes[at];
            let extent = state.held.extent(&self.rule.pattern, episode);
            episode.measured(extent);
            let over = episode.ends_after(self.rule.timing.keep_alive) < self.watermark;
            let was_closed = std::mem::replace(&mut episode.closed, over);
            if over && (!was_closed || extent != episode.told) {
                self.tell(state, at, AlertStatus::Closed, step);
            } else if !over && (was_closed || episode.is_news()) {
                self.tell(state, at, AlertStatus::Updated, step);
            }
        }
        self.forget(state, step);
    }

    fn forget(&self, state: &mut KeyState, step: &mut Step) {
        let timing = &self.rule.timing;
        let horizon = self.watermark.minus(timing.lateness);
        let oldest_moment = horizon.minus(self.looks_back());
        state
            .episodes
            .retain(|episode| !episode.closed || episode.ends_after(timing.keep_alive) >= oldest_moment);
        step.tally.forgotten += state.held.prune(self.rule, &mut state.episodes, horizon);
    }

    /// How much older than itself a moment may be that an event makes true: a right event may come after its left.
    fn looks_back(&self) -> Duration {
        match &self.rule.pattern {
            Pattern::Join(pattern) => pattern.within,
            _ => Duration::ZERO,
        }
    }

    /// Emits an episode as it is now.
    fn tell(&self, state: &mut KeyState, at: usize, status: AlertStatus, step: &mut Step) {
        let episode = &mut state.episodes[at];
        let evidence = state.held.evidence(&self.rule.pattern, episode);
        episode.told = state.held.extent(&self.rule.pattern, episode);
        episode.measured(episode.told);
        let alert = alert::of_episode(self.rule, self.key, episode, status, evidence);
        self.emit(alert, step);
    }

    fn emit(&self, alert: Alert, step: &mut Step) {
        if self.rule.mode == Mode::Live && self.rule.generates {
            step.alerts.push(alert);
        }
    }

    /// The next moment at which time alone changes something: an episode ends, or there is nothing left to keep.
    fn wake_after(&self, state: &KeyState) -> Timestamp {
        let timing = &self.rule.timing;
        let span = self.rule.pattern.reach();
        let ends = state
            .episodes
            .iter()
            .filter(|episode| !episode.closed)
            .map(|episode| episode.ends_after(timing.keep_alive));
        let episodes_gone = state
            .episodes
            .iter()
            .map(|episode| episode.ends_after(timing.keep_alive).plus(self.looks_back()))
            .map(|moment| moment.plus(timing.lateness));
        let events_gone = state
            .held
            .newest()
            .map(|newest| newest.plus(span).plus(timing.lateness));
        let gone = episodes_gone.chain(events_gone).max().unwrap_or(Timestamp::MAX);
        ends.min().unwrap_or(gone)
    }
}

fn values(fact: &Fact, entry: &FactEntry) -> Vec<(String, String)> {
    let pairs = fact.names.iter().zip(&entry.values);
    pairs
        .filter_map(|(name, value)| Some((name.clone(), value.as_ref()?.as_text().into_owned())))
        .collect()
}

fn store_key(rule: SemanticHash, key: &Key) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(17 + key.as_bytes().len());
    bytes.push(RULE_PREFIX);
    bytes.extend_from_slice(&rule.0);
    bytes.extend_from_slice(key.as_bytes());
    bytes.into_boxed_slice()
}

fn parse_store_key(bytes: &[u8]) -> Option<(SemanticHash, Key)> {
    let (rule, key) = bytes.strip_prefix(&[RULE_PREFIX])?.split_first_chunk::<16>()?;
    Some((SemanticHash(*rule), Key::from_bytes(key)))
}

fn damaged(what: &str, error: &dyn std::fmt::Display) -> ImageError {
    ImageError::Corrupt(format!("{what}: {error}"))
}

fn load(case: &Case<'_>, stored: Option<&[u8]>) -> Result<KeyState, ImageError> {
    let Some(stored) = stored else {
        return Ok(KeyState {
            held: Kept::new(&case.rule.pattern),
            episodes: Vec::new(),
        });
    };
    match Value::decode(stored).and_then(|value| value.payload.split_first()) {
        Some((&STATE_VERSION, body)) => postcard::from_bytes(body).map_err(|error| damaged("key state", &error)),
        _ => Err(damaged("key state", &"of an unknown version")),
    }
}

fn save<I: Image>(
    case: &Case<'_>,
    store_key: Box<[u8]>,
    state: &KeyState,
    store: &mut StateStore<I>,
    step: &mut Step,
) -> Result<(), ImageError> {
    if state.held.is_empty() && state.episodes.is_empty() {
        if store.get(&store_key)?.is_some() {
            write(
                StateChange {
                    key: store_key,
                    value: None,
                },
                store,
                step,
            )?;
        }
        return Ok(());
    }
    let payload = postcard::to_extend(state, vec![STATE_VERSION]).expect("every length is known");
    let value = Value {
        clock: case.sources.clock(),
        wake_after: case.wake_after(state),
        payload: &payload,
    }
    .encode();
    if store.get(&store_key)?.as_deref() == Some(&value) {
        return Ok(());
    }
    write(
        StateChange {
            key: store_key,
            value: Some(value),
        },
        store,
        step,
    )
}

fn write<I: Image>(change: StateChange, store: &mut StateStore<I>, step: &mut Step) -> Result<(), ImageError> {
    store.apply(change.clone())?;
    step.changes.push(change);
    Ok(())
}
