//! The explanation for people: what is inside something is indented below it.

use detection::{Answer, Explained, KeyView};
use event::{Alert, Timestamp};
use ruleset::{Pattern, Rule};

use super::Told;
use super::stages::Became;
use super::summary::{Summary, word};
use crate::output::{counted, printable};

/// How many of the events that are held are listed: the newest.
pub(super) const HELD_LISTED: usize = 20;

pub(super) fn head(rule: &Rule) -> String {
    format!("{}: {} ({})", rule.id, rule.title, rule.file)
}

pub(super) fn event(told: &Told<'_>) -> String {
    let Told {
        rule,
        place,
        event,
        sides,
        became,
        alerts,
    } = told;
    let mut lines = vec![format!("{place}  {}  {}", event.time, event.event_id)];
    for side in sides {
        if sides.len() > 1 {
            lines.push(format!("  {}:", side_name(rule, side.side)));
        }
        answer(&side.answer, 1, &mut lines);
        if side.answer.truth == detection::Truth::Yes && !side.key.is_empty() {
            lines.push(format!("  key: {}", key(side)));
        }
    }
    became.iter().for_each(|became| fate(became, &mut lines));
    alerts
        .iter()
        .for_each(|alert| lines.push(format!("  {}", alert_line(alert))));
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

pub(super) fn end(alerts: &[Alert], summary: &Summary, hidden: u64) -> String {
    let mut lines = Vec::new();
    if !alerts.is_empty() {
        lines.push("when nothing more comes:".to_owned());
        lines.extend(alerts.iter().map(|alert| format!("  {}", alert_line(alert))));
    }
    if hidden > 0 {
        lines.push(format!("{} not shown: --limit or --key", counted(hidden, "more event")));
    }
    lines.extend(summary.lines());
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

/// What a side of the rule is called.
pub(super) fn side_name(rule: &Rule, side: u8) -> String {
    match &rule.pattern {
        Pattern::Join(_) | Pattern::Absence(_) if side == 0 => "left".to_owned(),
        Pattern::Join(_) | Pattern::Absence(_) => "right".to_owned(),
        Pattern::Sequence(_) => format!("step {}", u16::from(side) + 1),
        Pattern::Each(_) | Pattern::Count(_) | Pattern::Aggregate(_) | Pattern::NewValue(_) => "event".to_owned(),
    }
}

fn answer(answer: &Answer, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let values = |(name, value): &(String, Option<String>)| match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("no {name}"),
    };
    let saw: Vec<String> = answer.saw.iter().map(values).collect();
    let saw = if saw.is_empty() {
        String::new()
    } else {
        format!("  [{}]", saw.join("; "))
    };
    lines.push(format!("{indent}{:<7} {}{saw}", word(answer.truth), answer.condition));
    for part in &answer.parts {
        self::answer(part, depth + 1, lines);
    }
}

fn key(side: &Explained) -> String {
    let values = side.key.iter().map(|(name, value)| match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("{name} has no value"),
    });
    let values = values.collect::<Vec<_>>().join(", ");
    match side.found {
        Some(_) => values,
        None => format!("none, so it counts nowhere: {values}"),
    }
}

fn fate(became: &Became, lines: &mut Vec<String>) {
    let Became {
        key,
        level,
        fate,
        view,
        progress,
        ..
    } = became;
    let what = if *level > 0 { "the alert of another rule, " } else { "" };
    let values: Vec<&str> = key.values().collect();
    lines.push(format!("  {what}under ({}): {}", values.join(", "), fate.as_str()));
    progress.iter().for_each(|line| lines.push(format!("    {line}")));
    held(view, lines);
    for episode in &view.episodes {
        let state = if episode.is_closed { "closed" } else { "open" };
        let (first, last) = episode.held_at;
        lines.push(format!(
            "    episode {state}, true from {first} to {last}: {}",
            counted(episode.count, "event")
        ));
    }
}

fn held(view: &KeyView, lines: &mut Vec<String>) {
    let hidden = view.held.len().saturating_sub(HELD_LISTED);
    let held = counted(view.held.len() as u64, "event");
    let watermark = match view.watermark {
        Timestamp::MIN => "no watermark yet".to_owned(),
        watermark => format!("watermark {watermark}"),
    };
    lines.push(format!("    {held} held; {watermark}"));
    if hidden > 0 {
        lines.push(format!("      … {hidden} older"));
    }
    for held in &view.held[hidden..] {
        let weight = if held.weight == 1 {
            String::new()
        } else {
            format!(" x{}", held.weight)
        };
        lines.push(format!("      {}  {}  {}{weight}", held.time, held.event_id, held.role));
    }
}

fn alert_line(alert: &Alert) -> String {
    format!(
        "alert {}: {} ({}, {} to {})",
        alert.status.as_str(),
        alert.message,
        counted(alert.count, "event"),
        alert.first_event_at,
        alert.last_event_at
    )
}
