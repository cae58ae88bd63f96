//! The obviously right answer: every event at once, no faults, nothing expired, no code of the engine.

use std::collections::{BTreeMap, BTreeSet};

use event::{Event, Timestamp};

/// An episode as it must be in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Episode {
    /// The id of the rule.
    pub rule: String,
    /// The values of its group fields.
    pub key: Key,
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

/// An alert that opened, as an event: its id, its time, and the fields that it has.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The rule that it is of.
    pub rule: String,
    /// The event.
    pub alert: Seen,
}

/// The values of group fields.
type Key = Vec<String>;

fn of_user(event: &Event) -> Option<Key> {
    event.user_id.clone().map(|value| vec![value])
}

/// The episodes of the simulated rules (see [`crate::rules`]) over these events; of the rules that read alerts, over the
/// alerts that opened.
pub fn episodes(seen: &[Seen], opened: &[Opened]) -> Vec<Episode> {
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
        |event| event.source_ip.clone().map(|value| vec![value]),
        4,
        5 * MINUTE,
        5 * MINUTE,
        &mut episodes,
    );
    counted("guessing", &failed, of_user, 3, 10 * MINUTE, 30 * MINUTE, &mut episodes);
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
    chains(opened, &named("login_success"), &mut episodes);
    episodes.sort();
    episodes
}

/// The rules that read alerts.
fn chains(opened: &[Opened], logins: &[&Seen], episodes: &mut Vec<Episode>) {
    let of = |rules: &[&str]| -> Vec<&Seen> {
        let of_rules = opened.iter().filter(|opened| rules.contains(&opened.rule.as_str()));
        of_rules.map(|opened| &opened.alert).collect()
    };
    let anybody = |_: &Event| Some(Vec::new());
    let campaign = of(&["brute-force"]);
    counted("campaign", &campaign, anybody, 2, 120 * MINUTE, 120 * MINUTE, episodes);
    let trouble = of(&["takeover", "role"]);
    counted("trouble", &trouble, of_user, 2, 180 * MINUTE, 60 * MINUTE, episodes);
    let siege = of(&["campaign", "trouble", "page"]);
    counted("siege", &siege, anybody, 2, 360 * MINUTE, 60 * MINUTE, episodes);
    let guessing = of(&["guessing"]);
    for alert in guessing
        .iter()
        .filter(|alert| alert.event.user_id.as_deref() == Some("u-1"))
    {
        episodes.push(Episode {
            rule: "page".into(),
            key: Vec::new(),
            first: alert.time,
            last: alert.time,
            count: 1,
            events: [alert.event.event_id.clone()].into(),
        });
    }
    unanswered(&guessing, logins, 30 * MINUTE, episodes);
}

/// Alerts after which the user did not log in.
fn unanswered(alerts: &[&Seen], logins: &[&Seen], within: i64, episodes: &mut Vec<Episode>) {
    let logins = by_key(logins, of_user);
    for (key, group) in by_key(alerts, of_user) {
        let answers = |alert: &&&Seen| {
            let (from, to) = (alert.time.as_millis(), alert.time.as_millis() + within);
            let mut logins = logins.get(&key).into_iter().flatten();
            logins.any(|login| from < login.time.as_millis() && login.time.as_millis() <= to)
        };
        let alone: Vec<&Seen> = group.iter().filter(|alert| !answers(alert)).copied().collect();
        for run in runs(alone.iter().map(|alert| (alert.time.as_millis(), 0)).collect(), within) {
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            let inside = || {
                alone
                    .iter()
                    .filter(|alert| (first..=last).contains(&alert.time.as_millis()))
            };
            episodes.push(Episode {
                rule: "unanswered".into(),
                key: key.clone(),
                first: Timestamp::from_millis(first),
                last: Timestamp::from_millis(last),
                count: inside().count() as u64,
                events: inside().map(|alert| alert.event.event_id.clone()).collect(),
            });
        }
    }
}

fn by_key<'a>(seen: &[&'a Seen], key: impl Fn(&Event) -> Option<Key>) -> BTreeMap<Key, Vec<&'a Seen>> {
    let mut groups: BTreeMap<Key, Vec<&Seen>> = BTreeMap::new();
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
    key: impl Fn(&Event) -> Option<Key>,
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
            // What lies between the windows of two moments is in neither.
            let contributes = |seen: &&&Seen| {
                let time = seen.time.as_millis();
                run.iter().any(|(end, _)| (end - window..=*end).contains(&time))
            };
            let inside = || group.iter().filter(contributes);
            episodes.push(Episode {
                rule: rule.into(),
                key: key.clone(),
                first: Timestamp::from_millis(first),
                last: Timestamp::from_millis(last),
                count: weight(inside()),
                events: inside().map(|seen| seen.event.event_id.clone()).collect(),
            });
        }
    }
}

fn joined(rule: &str, left: &[&Seen], right: &[&Seen], within: i64, episodes: &mut Vec<Episode>) {
    let right = by_key(right, of_user);
    for (key, group) in by_key(left, of_user) {
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
                key: key.clone(),
                first: events.values().map(|seen| seen.time).min().unwrap_or_default(),
                last: events.values().map(|seen| seen.time).max().unwrap_or_default(),
                count: events.values().map(|seen| u64::from(seen.event.repeat)).sum(),
                events: events.keys().map(|id| (*id).to_owned()).collect(),
            });
        }
    }
}
