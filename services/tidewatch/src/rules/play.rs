use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow};
use event::{Alert, DEFAULT_TENANT, Event, Timestamp};
use formats::Choice;
use ruleset::{Mode, Rule, RuleSet, RuleTest, TestEvent};
use serde_json::Value;

use crate::offline::Offline;

/// The year of lines that name none.
const YEAR: i16 = 2026;

/// The alerts of the rule that the events of one of its tests raise, in order of opening. The rules whose alerts it reads
/// run too; every one of them as if it were live.
pub(super) fn play(rule: &Rule, all: &RuleSet, test: &RuleTest) -> Result<Vec<Alert>> {
    let mut offline = Offline::new(&with_what_it_reads(rule, all))?;
    let mut arrival = Timestamp::MIN;
    for (index, written) in test.events.iter().enumerate() {
        let event = event(index, written, test.format).with_context(|| format!("event {}", index + 1))?;
        arrival = arrival.max(event.time);
        offline.push(&event, arrival)?;
    }
    let mut alerts = offline.finish()?;
    alerts.retain(|alert| alert.rule_id == rule.id);
    Ok(alerts)
}

pub(super) fn with_what_it_reads(rule: &Rule, all: &RuleSet) -> RuleSet {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let mut found = vec![rule];
    let mut next = 0;
    while let Some(rule) = found.get(next).copied() {
        next += 1;
        for id in rule.alerts_read() {
            let read = all.rules().iter().find(|known| known.id == id);
            if let Some(read) = read.filter(|_| wanted.insert(id)) {
                found.push(read);
            }
        }
    }
    let live = |rule: &Rule| Rule {
        mode: Mode::Live,
        generates: true,
        ..rule.clone()
    };
    RuleSet::new(found.into_iter().map(live))
}

/// An event as a producer would send it: through the format, with what is absent filled in.
fn event(index: usize, written: &TestEvent, format: Choice) -> Result<Event> {
    // A test stands in for the credential, which in production says whose an event is.
    let (bytes, format, tenant) = match written {
        TestEvent::Fields(fields) => {
            let tenant = fields.get("tenant").and_then(Value::as_str);
            (serde_json::to_vec(fields)?, "json".parse()?, tenant)
        }
        TestEvent::Line(line) => (line.as_bytes().to_vec(), format, None),
    };
    let tenant = tenant.unwrap_or(DEFAULT_TENANT);
    let mut context = formats::Context::new(tenant, Timestamp::from_millis(0));
    context.year = Some(YEAR);
    let decoded = format.decode(&bytes, &context);
    let mut event = decoded.map_err(|rejection| anyhow!("{}", rejection.detail))?.event;
    if event.event_id.is_empty() {
        event.event_id = format!("event-{}", index + 1);
    }
    Ok(event)
}
