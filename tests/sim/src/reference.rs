//! The obviously right answer: every event at once, no faults, nothing expired, no code of the engine.

use std::collections::{BTreeMap, BTreeSet};

use event::{Event, Timestamp};

/// An episode as it must be in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Episode {
    /// The id of the rule.
    pub rule: String,
    /// The values of its group fields.
    pub key: Vec<String>,
    /// The first and last contributing event.
    pub first: Timestamp,
    /// See `first`.
    pub last: Timestamp,
    /// How many events contribute, repeats counted.
    pub count: u64,
    /// Their ids.
    pub events: BTreeSet<String>,
}

/// An event with the time it counts at.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The event.
    pub event: Event,
    /// Its effective time.
    pub time: Timestamp,
}

const MINUTE: i64 = 60_000;

/// The episodes of the simulated rules (see [`crate::rules`]) over these events.
pub fn episodes(seen: &[Seen]) -> Vec<Episode> {
    let mut episodes = Vec::new();
    // The topic may hold an event twice; it counts once.
    let mut unique: BTreeMap<&str, &Seen> = BTreeMap::new();
    for one in seen {
        unique.entry(&one.event.event_id).or_insert(one);
    }
    let all: Vec<&Seen> = unique.into_values().collect();
    let named = |name: &str| -> Vec<&Seen> {
        all.iter()
            .copied()
            .filter(|seen| seen.event.security_event.as_deref() == Some(name))
            .collect()
    };
    let failed = named("login_failed");
    counted(
        "brute-force",
        &failed,
        |event| event.source_ip.clone(),
        4,
        5 * MINUTE,
        5 * MINUTE,
        &mut episodes,
    );
    counted(
        "guessing",
        &failed,
        |event| event.user_id.clone(),
        3,
        10 * MINUTE,
        30 * MINUTE,
        &mut episodes,
    );
    joined(
        "takeover",
        &named("login_success"),
        &named("password_reset"),
        60 * MINUTE,
        &mut episodes,
    );
    for seen in named("role_changed") {
        episodes.push(Episode {
            rule: "role".into(),
            key: Vec::new(),
            first: seen.time,
            last: seen.time,
            count: seen.event.repeat.into(),
            events: [seen.event.event_id.clone()].into(),
        });
    }
    episodes.sort();
    episodes
}

fn by_key<'a>(seen: &[&'a Seen], key: impl Fn(&Event) -> Option<String>) -> BTreeMap<String, Vec<&'a Seen>> {
    let mut groups: BTreeMap<String, Vec<&Seen>> = BTreeMap::new();
    for one in seen {
        if let Some(key) = key(&one.event) {
            groups.entry(key).or_default().push(one);
        }
    }
    groups
}

fn weight<'a>(seen: impl Iterator<Item = &'a &'a Seen>) -> u64 {
    seen.map(|seen| u64::from(seen.event.repeat)).sum()
}

/// Moments that are at most `gap` apart, in runs.
fn runs(mut moments: Vec<(i64, i64)>, gap: i64) -> Vec<Vec<(i64, i64)>> {
    moments.sort_unstable();
    let mut runs: Vec<Vec<(i64, i64)>> = Vec::new();
    for moment in moments {
        match runs.last_mut() {
            Some(run) if moment.0 - run[run.len() - 1].0 <= gap => run.push(moment),
            _ => runs.push(vec![moment]),
        }
    }
    runs
}

fn counted(
    rule: &str,
    seen: &[&Seen],
    key: impl Fn(&Event) -> Option<String>,
    at_least: u64,
    window: i64,
    keep_alive: i64,
    episodes: &mut Vec<Episode>,
) {
    for (key, group) in by_key(seen, key) {
        let mut true_moments = Vec::new();
        for end in &group {
            let end = end.time.as_millis();
            let inside = || {
                group
                    .iter()
                    .filter(|seen| (end - window..=end).contains(&seen.time.as_millis()))
            };
            if weight(inside()) >= at_least {
                true_moments.push((end, inside().map(|seen| seen.time.as_millis()).min().unwrap_or(end)));
            }
        }
        for run in runs(true_moments, keep_alive) {
            let first = run.iter().map(|moment| moment.1).min().unwrap_or_default();
            let last = run[run.len() - 1].0;
            let inside = || {
                group
                    .iter()
                    .filter(|seen| (first..=last).contains(&seen.time.as_millis()))
            };
            episodes.push(Episode {
                rule: rule.into(),
                key: vec![key.clone()],
                first: Timestamp::from_millis(first),
                last: Timestamp::from_millis(last),
                count: weight(inside()),
                events: inside().map(|seen| seen.event.event_id.clone()).collect(),
            });
        }
    }
}

fn joined(rule: &str, left: &[&Seen], right: &[&Seen], within: i64, episodes: &mut Vec<Episode>) {
    let right = by_key(right, |event| event.user_id.clone());
    for (key, group) in by_key(left, |event| event.user_id.clone()) {
        let none = Vec::new();
        let others = right.get(&key).unwrap_or(&none);
        let mut pairs: Vec<(&Seen, &Seen)> = Vec::new();
        for one in group {
            let distance = |other: &&&Seen| (other.time.as_millis() - one.time.as_millis()).abs();
            let near = others.iter().filter(|other| distance(other) <= within);
            pairs.extend(
                near.min_by_key(|other| (distance(other), other.time))
                    .map(|other| (one, *other)),
            );
        }
        let moments = pairs.iter().map(|(one, _)| (one.time.as_millis(), 0)).collect();
        for run in runs(moments, within) {
            let of_run = |pair: &&(&Seen, &Seen)| run.iter().any(|moment| moment.0 == pair.0.time.as_millis());
            let mut events: BTreeMap<&str, &Seen> = BTreeMap::new();
            for (one, other) in pairs.iter().filter(of_run) {
                events.extend([
                    (one.event.event_id.as_str(), *one),
                    (other.event.event_id.as_str(), *other),
                ]);
            }
            episodes.push(Episode {
                rule: rule.into(),
                key: vec![key.clone()],
                first: events.values().map(|seen| seen.time).min().unwrap_or_default(),
                last: events.values().map(|seen| seen.time).max().unwrap_or_default(),
                count: events.values().map(|seen| u64::from(seen.event.repeat)).sum(),
                events: events.keys().map(|id| (*id).to_owned()).collect(),
            });
        }
    }
}
