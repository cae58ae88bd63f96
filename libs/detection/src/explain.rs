//! Why a rule takes an event or does not, and what it holds for a key: a view for people, of the same conditions and the
//! same state that decide. Nothing here changes anything.

use std::sync::Arc;

use event::{AlertId, DecodeError, Key, Source, SourcePartition, SourceTopic, Timestamp};
use jiff::tz::TimeZone;
use ruleset::{Pattern, Predicate, Rule, Test};
use state::{Image, ImageError, StateStore};

use crate::correlate::Correlator;
use crate::episode::Episode;
use crate::extract::Extractor;
use crate::held::Held;
use crate::key_state::{load, store_key};
use crate::matching::key_of;
use crate::predicate::{Condition, Truth};
use crate::subject::{Slot, Slots, Subject};

/// How much of a value is shown, in characters.
const SHOWN: usize = 200;

/// Asks an event every condition of a rule, one by one.
pub struct Explainer {
    rule: Arc<Rule>,
    sides: Vec<Side>,
    extractor: Extractor,
}

/// One kind of event that a rule takes.
struct Side {
    number: u8,
    question: Question,
    key: Vec<(String, Slot)>,
}

/// A condition, and those inside it.
struct Question {
    text: String,
    condition: Condition,
    /// The fields that it reads itself.
    reads: Vec<(String, Slot)>,
    reads_tags: bool,
    parts: Vec<Question>,
}

/// What one kind of event of a rule makes of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// 0 for the left, 1 for the right, else the step.
    pub side: u8,
    /// What the conditions say.
    pub answer: Answer,
    /// The fields of the key and their values.
    pub key: Vec<(String, Option<String>)>,
    /// The key, if every field has a value.
    pub found: Option<Key>,
}

/// What a condition says of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The condition.
    pub condition: String,
    /// What it says.
    pub truth: Truth,
    /// What it saw: fields and their values.
    pub saw: Vec<(String, Option<String>)>,
    /// What the conditions inside it say.
    pub parts: Vec<Answer>,
}

/// What a rule holds for a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyView {
    /// How far the rule is.
    pub watermark: Timestamp,
    /// The events it holds.
    pub held: Vec<HeldView>,
    /// Its episodes, in order.
    pub episodes: Vec<EpisodeView>,
}

/// An event that a rule holds.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldView {
    /// As what.
    pub role: String,
    /// Its effective time.
    pub time: Timestamp,
    /// Its id.
    pub event_id: String,
    /// How many events it stands for.
    pub weight: u32,
}

/// An episode of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeView {
    /// Its alert.
    pub alert_id: AlertId,
    /// The first and the last moment at which the rule held.
    pub held_at: (Timestamp, Timestamp),
    /// How many events contributed.
    pub count: u64,
    /// Whether it is over.
    pub is_closed: bool,
}

impl Explainer {
    /// For one rule.
    pub fn new(rule: &Arc<Rule>) -> Self {
        let zone = TimeZone::get(&rule.timing.timezone).unwrap_or(TimeZone::UTC);
        let mut slots = Slots::default();
        let sides = rule.pattern.sides().into_iter().map(|side| Side {
            number: side.number,
            question: Question::new(side.filter, &zone, &mut slots),
            key: side
                .key
                .into_iter()
                .map(|name| (name.to_owned(), slots.slot(name)))
                .collect(),
        });
        Self {
            sides: sides.collect(),
            rule: Arc::clone(rule),
            extractor: Extractor::new(&mut slots),
        }
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What each kind of event of the rule makes of the value of a record of `events.*`.
    ///
    /// # Errors
    /// If it is not a canonical event.
    pub fn explain(&self, record: &[u8], arrival: Timestamp) -> Result<Vec<Explained>, DecodeError> {
        let reading = self.extractor.read(record, arrival, Vec::new())?;
        let explained = |side: &Side| Explained {
            side: side.number,
            answer: side.question.ask(&reading.subject),
            key: seen(&side.key, &reading.subject),
            found: key_of(
                &reading.tenant,
                side.key.iter().map(|(_, slot)| reading.subject.value(*slot).cloned()),
            ),
        };
        Ok(self.sides.iter().map(explained).collect())
    }
}

impl Question {
    fn new(predicate: &Predicate, zone: &TimeZone, slots: &mut Slots) -> Self {
        let (text, inside): (_, &[Predicate]) = match predicate {
            Predicate::All(parts) => ("all of".to_owned(), parts),
            Predicate::Any(parts) => ("any of".to_owned(), parts),
            Predicate::Not(part) => ("not".to_owned(), std::slice::from_ref(part)),
            Predicate::Unless(part) => ("unless".to_owned(), std::slice::from_ref(part)),
            Predicate::Field { .. }
            | Predicate::Anywhere(_)
            | Predicate::Service(_)
            | Predicate::Word(_)
            | Predicate::Hour(..)
            | Predicate::Weekday(..)
            | Predicate::Alert(_) => (bare(&predicate.to_string()), &[]),
        };
        Self {
            text,
            condition: Condition::new(predicate, zone, slots),
            reads: reads(predicate)
                .into_iter()
                .map(|name| (name.to_owned(), slots.slot(name)))
                .collect(),
            reads_tags: matches!(predicate, Predicate::Word(_)),
            parts: inside.iter().map(|part| Self::new(part, zone, slots)).collect(),
        }
    }

    fn ask(&self, subject: &Subject<'_>) -> Answer {
        let mut saw = seen(&self.reads, subject);
        if self.reads_tags {
            saw.push(("tags".to_owned(), Some(subject.tags.join(", "))));
        }
        Answer {
            condition: self.text.clone(),
            truth: self.condition.ask(subject),
            saw,
            parts: self.parts.iter().map(|part| part.ask(subject)).collect(),
        }
    }
}

/// A condition without its parentheses.
fn bare(written: &str) -> String {
    let inside = written.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inside.unwrap_or(written).to_owned()
}

/// The fields that a condition reads itself.
fn reads(predicate: &Predicate) -> Vec<&str> {
    match predicate {
        Predicate::Field { name, test } => {
            let other = match test {
                Test::Relates(_, other) => Some(other.as_str()),
                Test::Exists
                | Test::Matches(_)
                | Test::Compare(..)
                | Test::In(_)
                | Test::Every(_)
                | Test::Regex(_)
                | Test::Network(_)
                | Test::Calendar(..) => None,
            };
            [name.as_str()].into_iter().chain(other).collect()
        }
        Predicate::Service(_) => vec!["service", "metadata.service", "security_event"],
        Predicate::Word(_) => vec!["message"],
        Predicate::Hour(..) | Predicate::Weekday(..) => vec!["time"],
        Predicate::All(_)
        | Predicate::Any(_)
        | Predicate::Not(_)
        | Predicate::Unless(_)
        | Predicate::Anywhere(_)
        | Predicate::Alert(_) => Vec::new(),
    }
}

fn seen(reads: &[(String, Slot)], subject: &Subject<'_>) -> Vec<(String, Option<String>)> {
    let shown = |slot: &Slot| {
        let value = subject.value(*slot)?;
        Some(value.as_text().chars().take(SHOWN).collect())
    };
    reads.iter().map(|(name, slot)| (name.clone(), shown(slot))).collect()
}

impl Correlator {
    /// What a rule holds for a key.
    ///
    /// # Errors
    /// If the store fails.
    pub fn view<I: Image>(&self, rule: &Rule, key: &Key, store: &StateStore<I>) -> Result<KeyView, ImageError> {
        let nowhere = Source {
            partition: SourcePartition {
                topic: SourceTopic::Facts,
                partition: 0,
            },
            offset: 0,
        };
        let case = self.case(rule, key, nowhere);
        let state = load(&case, store.get(&store_key(rule.hash, key))?.as_deref())?;
        let roles = state.held.kind().roles().into_iter();
        let mut held: Vec<HeldView> = roles.map(HeldView::of).collect();
        held.sort_by_key(|held| held.time);
        Ok(KeyView {
            watermark: case.watermark,
            held,
            episodes: state.episodes.iter().map(EpisodeView::of).collect(),
        })
    }
}

impl HeldView {
    fn of((role, held): (String, &Held)) -> Self {
        Self {
            role,
            time: held.time,
            event_id: held.event_id.clone(),
            weight: held.weight,
        }
    }
}

impl EpisodeView {
    fn of(episode: &Episode) -> Self {
        Self {
            alert_id: episode.alert_id,
            held_at: (episode.first_true, episode.last_true),
            count: episode.count,
            is_closed: episode.closed,
        }
    }
}

impl KeyView {
    /// How far the rule is from holding at an event at `time`: what the window that ends there has, and what it needs.
    /// Nothing for patterns that no number tells it of.
    pub fn progress(&self, rule: &Rule, time: Timestamp) -> Vec<String> {
        let within = |role: Option<&str>| -> u64 {
            let since = time.minus(rule.pattern.reach());
            let inside = self.held.iter().filter(|held| since <= held.time && held.time <= time);
            let inside = inside.filter(|held| role.is_none_or(|role| held.role == role));
            inside.map(|held| u64::from(held.weight)).sum()
        };
        let told = |has: u64, needs: u64| match needs.saturating_sub(has) {
            0 => format!("{has} of {needs}"),
            missing => format!("{has} of {needs}: {missing} missing"),
        };
        match &rule.pattern {
            Pattern::Count(count) => vec![told(within(None), count.threshold.at_least)],
            Pattern::Sequence(sequence) if sequence.is_ordered => (1..)
                .zip(&sequence.steps)
                .map(|(number, step)| {
                    let role = format!("step {number}");
                    format!("step {number}: {}", told(within(Some(&role)), step.at_least))
                })
                .collect(),
            Pattern::Each(_)
            | Pattern::Aggregate(_)
            | Pattern::Join(_)
            | Pattern::Sequence(_)
            | Pattern::Absence(_)
            | Pattern::NewValue(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
