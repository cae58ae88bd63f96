//! The explanation for programs: an object for each event, and one at the end.

use detection::{Answer, Explained, HeldView};
use event::{Alert, Timestamp};
use serde_json::{Map, Value, json};

use super::Told;
use super::stages::Became;
use super::summary::{Summary, word};
use super::tree::{HELD_LISTED, side_name};

pub(super) fn event(told: &Told<'_>) -> Value {
    let side = |side: &Explained| {
        json!({
            "side": side_name(told.rule, side.side),
            "answer": answer(&side.answer),
            "key": values(&side.key),
            "has_key": side.found.is_some(),
        })
    };
    json!({
        "place": told.place,
        "time": told.event.time,
        "event_id": told.event.event_id,
        "sides": told.sides.iter().map(side).collect::<Vec<_>>(),
        "became": told.became.iter().map(became).collect::<Vec<_>>(),
        "alerts": told.alerts,
    })
}

pub(super) fn end(alerts: &[Alert], summary: &Summary, hidden: u64) -> Value {
    let kept_out = summary.kept_out().into_iter();
    let kept_out =
        kept_out.map(|(condition, said, count)| json!({"condition": condition, "said": said, "events": count}));
    json!({
        "alerts": alerts,
        "not_shown": hidden,
        "events": summary.events,
        "unread": summary.unread,
        "passed": summary.passed,
        "without_key": summary.without_key,
        "taken": summary.taken,
        "suppressed": summary.suppressed,
        "duplicate": summary.duplicate,
        "late": summary.late,
        "no_value": summary.no_value,
        "opened": summary.opened,
        "kept_out": kept_out.collect::<Vec<_>>(),
    })
}

fn answer(answer: &Answer) -> Value {
    json!({
        "condition": answer.condition,
        "says": word(answer.truth),
        "saw": values(&answer.saw),
        "parts": answer.parts.iter().map(self::answer).collect::<Vec<_>>(),
    })
}

fn values(values: &[(String, Option<String>)]) -> Map<String, Value> {
    values
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect()
}

fn became(became: &Became) -> Value {
    let view = &became.view;
    let hidden = view.held.len().saturating_sub(HELD_LISTED);
    let held = |held: &HeldView| json!({"role": held.role, "time": held.time, "event_id": held.event_id, "weight": held.weight});
    let episodes = view.episodes.iter().map(|episode| {
        json!({
            "alert_id": episode.alert_id,
            "first_true": episode.held_at.0,
            "last_true": episode.held_at.1,
            "count": episode.count,
            "is_closed": episode.is_closed,
        })
    });
    json!({
        "key": became.key.values().collect::<Vec<_>>(),
        "level": became.level,
        "time": became.time,
        "fate": format!("{:?}", became.fate).to_lowercase(),
        "progress": became.progress,
        "watermark": Some(view.watermark).filter(|watermark| *watermark > Timestamp::MIN),
        "held": view.held[hidden..].iter().map(held).collect::<Vec<_>>(),
        "held_not_shown": hidden,
        "episodes": episodes.collect::<Vec<_>>(),
    })
}
