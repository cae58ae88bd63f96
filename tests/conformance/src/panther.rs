//! Panther's correlation rules, said in the pipe language: from the structure of `detection`, not rule by rule.
//!
//! | Panther | here |
//! |---|---|
//! | a signal of a member, `ID` | an event with `security_event` of that name |
//! | `Group` | `sequence (A) and (B)`: any order; with one member that is present, that member or its `count` |
//! | `Sequence` | `sequence (A) then (B)`; a chain of rules where steps have spans of their own |
//! | `MinMatchCount: n` | `count >= n` |
//! | `Absence` in a group | `without (B) around`; at the end of a sequence `without (B) after`, at its beginning `before` |
//! | `MatchCriteria`, `Match` of a transition | the key, `by a = b` or `on a = b` |
//! | `LookbackWindowMinutes` (15 if absent), `WithinTimeFrameMinutes` | `within` |
//! | `Schedule`, `EventEvaluationOrder: Chronological` | nothing: events are judged as they come, by their times |
//!
//! What has no translation that means the same is [`Unsaid`], with what is missing; so is every key that is not known.

mod detection;
mod outputs;

use std::ops::Range;

use detection::{Detection, Kind, Shape, Spans};
use serde_json::Value;

pub use outputs::events;

/// What cannot be said, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsaid(pub String);

/// The name of the rule that stands at this place of [`queries`]; a later one reads its alerts by it.
pub fn rule_name(place: usize) -> String {
    format!("rule-{place}")
}

/// The queries that mean what `detection` means. The last is the rule; it may read the alerts of those before it.
///
/// # Errors
/// [`Unsaid`], if there are none.
pub fn queries(detection: &Value) -> Result<Vec<String>, Unsaid> {
    let detection = Detection::read(detection)?;
    match &detection.shape {
        Shape::Group(kinds) => group(kinds, detection.lookback_minutes),
        Shape::Sequence { kinds, spans } => sequence(kinds, spans),
    }
}

/// The `security_event` that stands for the signals of a member of a group or sequence.
pub fn event_name(id: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    id.chars().map(plain).collect()
}

const EVERY_MATCH: &str = " | every_match";

/// What was said so far: what a following stage or rule begins with, and its key.
struct Said {
    queries: Vec<String>,
    /// The events that it holds at, as a filter.
    filter: String,
    /// The fields of the key on them.
    key: Vec<String>,
    /// The span of `count`, where it takes several of them.
    needs_count: Option<(u64, u64)>,
}

impl Said {
    fn of(kind: &Kind, key: &[String], window_minutes: u64) -> Self {
        Self {
            queries: Vec::new(),
            filter: kind.filter(),
            key: key.to_vec(),
            needs_count: (kind.at_least > 1).then_some((kind.at_least, window_minutes)),
        }
    }

    /// The query that is complete now is a rule, and what follows reads its alerts. Each match is an alert of its own,
    /// for the opening of an alert that goes on would be seen once only.
    fn into_rule(mut self, query: String) -> Self {
        self.queries.push(format!("{query}{EVERY_MATCH}"));
        self.filter = format!("alert:{}", rule_name(self.queries.len() - 1));
        self.needs_count = None;
        self
    }

    /// Counts, if it has to, so that a stage can follow that takes single events.
    fn counted(self) -> Self {
        match self.count() {
            Some(query) => self.into_rule(query),
            None => self,
        }
    }

    fn count(&self) -> Option<String> {
        let (at_least, minutes) = self.needs_count?;
        let group = match self.key.is_empty() {
            true => String::new(),
            false => format!(" | group by {}", self.key.join(", ")),
        };
        Some(format!(
            "{} | window {minutes}m{group} | count >= {at_least}",
            self.filter
        ))
    }

    /// As a step of a sequence.
    fn step(&self) -> String {
        match self.needs_count {
            Some((at_least, _)) => format!("({} | count >= {at_least})", self.filter),
            None => format!("({})", self.filter),
        }
    }

    /// It, and no event of `kind` near it.
    fn without(self, kind: &Kind, direction: &str, on: &Pairs, minutes: u64) -> Result<Self, Unsaid> {
        if kind.at_least > 1 {
            return Err(Unsaid(format!(
                "the absence of {} events: `without` asks for none",
                kind.at_least
            )));
        }
        let said = self.counted();
        let on = on.written("on", &said.key)?;
        let query = format!(
            "{} | without ({}) {direction}{on} within {minutes}m",
            said.filter,
            kind.filter()
        );
        Ok(said.into_rule(query))
    }

    fn done(mut self) -> Vec<String> {
        if let Some(query) = self.count() {
            self.queries.push(query);
        } else if let Some(last) = self.queries.last_mut() {
            // Nobody reads its alerts.
            last.truncate(last.len() - EVERY_MATCH.len());
        } else {
            self.queries.push(self.filter);
        }
        self.queries
    }
}

/// The fields that are equal on two sides.
struct Pairs<'a> {
    left: &'a [String],
    right: &'a [String],
}

impl Pairs<'_> {
    /// ` on a = b, c`. What stands on the left has to be known there: of an alert, only the fields of its key are.
    fn written(&self, word: &str, known: &[String]) -> Result<String, Unsaid> {
        if let Some(unknown) = self.left.iter().find(|field| !known.contains(field)) {
            let why = "an event that is matched to the one before it by other fields than to the one after it";
            return Err(Unsaid(format!("{why}: `{unknown}`")));
        }
        Ok(by(word, &[self.left, self.right]))
    }
}

/// ` by a = b = c, d`: the key of each side, in their order. Nothing, if there is no key.
fn by(word: &str, sides: &[&[String]]) -> String {
    let part = |place: usize| {
        let names: Vec<&str> = sides.iter().map(|side| side[place].as_str()).collect();
        match names.iter().all(|name| *name == names[0]) {
            true => names[0].to_owned(),
            false => names.join(" = "),
        }
    };
    let parts: Vec<String> = (0..sides[0].len()).map(part).collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" {word} {}", parts.join(", ")),
    }
}

/// All that are present within the window, in any order, and none of those that are absent in the window around.
fn group(kinds: &[Kind], window_minutes: u64) -> Result<Vec<String>, Unsaid> {
    let (absent, present): (Vec<&Kind>, Vec<&Kind>) = kinds.iter().partition(|kind| kind.is_absent);
    let first = present
        .first()
        .ok_or_else(|| Unsaid("a group of absences only: nothing says when to look".to_owned()))?;
    let mut said = Said::of(first, &first.key_after, window_minutes);
    if present.len() > 1 {
        let steps: Vec<String> = present.iter().map(|kind| Said::of(kind, &[], 0).step()).collect();
        let keys: Vec<&[String]> = present.iter().map(|kind| kind.key_after.as_slice()).collect();
        let query = format!(
            "sequence {}{} within {window_minutes}m",
            steps.join(" and "),
            by("by", &keys)
        );
        said = said.into_rule(query);
    }
    for kind in absent {
        let on = Pairs {
            left: &first.key_after,
            right: &kind.key_after,
        };
        said = said.without(kind, "around", &on, window_minutes)?;
    }
    Ok(said.done())
}

/// Each after the one before it, within the span of their transition.
fn sequence(kinds: &[Kind], spans: &Spans) -> Result<Vec<String>, Unsaid> {
    let begins_absent = kinds.first().is_some_and(|kind| kind.is_absent);
    let ends_absent = kinds.last().is_some_and(|kind| kind.is_absent);
    let present = usize::from(begins_absent)..kinds.len() - usize::from(ends_absent);
    if present.is_empty() || kinds[present.clone()].iter().any(|kind| kind.is_absent) {
        return Err(Unsaid("an absence between two steps, or of all of them".to_owned()));
    }
    let (start, end) = (present.start, present.end);
    let first = &kinds[start];
    let key = if end - start > 1 || ends_absent {
        &first.key_after
    } else {
        &first.key_before
    };
    let mut said = Said::of(first, key, spans.lookback_minutes);
    if begins_absent {
        if first.at_least > 1 {
            return Err(Unsaid(
                "an absence before several events that count as one step".to_owned(),
            ));
        }
        let on = Pairs {
            left: &first.key_before,
            right: &kinds[0].key_after,
        };
        // What follows may need the key of this step, so an absence that is matched by less cannot come first.
        said.key = first.key_before.clone();
        said = said.without(&kinds[0], "before", &on, spans.minutes[0])?;
    }
    said = steps(said, kinds, start..end, spans)?;
    if ends_absent {
        let on = Pairs {
            left: if end - start > 1 {
                &kinds[start].key_after
            } else {
                &kinds[end - 1].key_after
            },
            right: &kinds[end].key_before,
        };
        if end - start > 1 && kinds[end - 1].key_before != kinds[end - 1].key_after {
            return Err(other_fields(&kinds[end - 1]));
        }
        said = said.without(&kinds[end], "after", &on, spans.minutes[end - 1])?;
    }
    Ok(said.done())
}

/// The steps that are present: one sequence, if one span fits all of them, else a rule for each transition.
fn steps(said: Said, kinds: &[Kind], present: Range<usize>, spans: &Spans) -> Result<Said, Unsaid> {
    let (start, end) = (present.start, present.end);
    if end - start < 2 {
        return Ok(said);
    }
    if let Some(kind) = kinds[start + 1..end - 1]
        .iter()
        .find(|kind| kind.key_before != kind.key_after)
    {
        return Err(other_fields(kind));
    }
    let between = &spans.minutes[start..end - 1];
    if end - start == 2 || between.iter().all(|minutes| *minutes == spans.lookback_minutes) {
        let within = between[0];
        return then(said, &kinds[start].key_after, &kinds[start + 1..end], within);
    }
    if between.iter().sum::<u64>() > spans.lookback_minutes {
        return Err(Unsaid(
            "spans of transitions that add up to more than the whole may take".to_owned(),
        ));
    }
    let mut said = said;
    for (kind, minutes) in kinds[start + 1..end].iter().zip(between) {
        said = then(said, &kinds[start].key_after, std::slice::from_ref(kind), *minutes)?;
    }
    Ok(said)
}

fn then(said: Said, key: &[String], next: &[Kind], minutes: u64) -> Result<Said, Unsaid> {
    if let Some(unknown) = key.iter().find(|field| !said.key.contains(field)) {
        return Err(Unsaid(format!(
            "a step that is matched by `{unknown}`, which the absence before it does not share"
        )));
    }
    let mut sides = vec![key];
    sides.extend(next.iter().map(|kind| kind.key_before.as_slice()));
    let following: String = next
        .iter()
        .map(|kind| format!(" then {}", Said::of(kind, &[], 0).step()))
        .collect();
    let query = format!(
        "sequence {}{following}{} within {minutes}m",
        said.step(),
        by("by", &sides)
    );
    Ok(said.into_rule(query))
}

fn other_fields(kind: &Kind) -> Unsaid {
    Unsaid(format!(
        "the step `{}` is matched to the one before it by other fields than to the one after it",
        kind.id
    ))
}
