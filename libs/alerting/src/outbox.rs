use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use event::{Alert, AlertId, Severity, Timestamp};

use crate::{Next, Outcome, Retry};

/// The name of a delivery within one process.
pub type DeliveryId = u64;

/// One record of an alert on its way to one route.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its name; a greater one was queued later.
    pub id: DeliveryId,
    /// What is told.
    pub alert: Arc<Alert>,
}

/// How fast a destination takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time from one message to the next.
    pub interval: Duration,
    /// How many may be sent at once after a silence; at least 1.
    pub burst: u32,
}

/// What an [`Outbox`] never exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts in the air at once; at least 1.
    pub attempts_max: usize,
    /// How fast the destination takes messages.
    pub pace: Option<Pace>,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The other end has it.
    Sent {
        /// How many attempts it took.
        attempts: u32,
    },
    /// It was given up.
    Dead {
        /// How many attempts were made.
        attempts: u32,
        /// Why.
        reason: String,
    },
}

/// What waits for one destination, and what goes next.
///
/// Deliveries of one alert go one after the other, in the order of their queueing. Among alerts the most severe goes
/// first, then the longest queued. One that backs off keeps no other back; when the destination asks to be left
/// alone, all wait.
#[derive(Debug)]
pub struct Outbox {
    retry: Retry,
    limits: Limits,
    lanes: BTreeMap<AlertId, Lane>,
    due: BTreeSet<Turn>,
    later: BTreeSet<(Timestamp, Turn)>,
    flying: BTreeMap<DeliveryId, AlertId>,
    /// The destination asked for silence until then.
    quiet_until: Timestamp,
    /// When the next message would be due if all were sent evenly.
    paced_until: Timestamp,
}

/// The deliveries of one alert.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    /// An attempt is in the air: of the first that waits, or of one that was cancelled.
    is_flying: bool,
}

#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    queued_at: Timestamp,
    attempts: u32,
}

/// The place of a lane in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    severity: Reverse<Severity>,
    id: DeliveryId,
    alert_id: AlertId,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(retry: Retry, limits: Limits) -> Self {
        Self {
            retry,
            limits,
            lanes: BTreeMap::new(),
            due: BTreeSet::new(),
            later: BTreeSet::new(),
            flying: BTreeMap::new(),
            quiet_until: Timestamp::MIN,
            paced_until: Timestamp::MIN,
        }
    }

    /// Queues a delivery.
    pub fn push(&mut self, delivery: Delivery, now: Timestamp) {
        let lane = self.lanes.entry(delivery.alert.alert_id).or_default();
        let is_first = lane.waiting.is_empty() && !lane.is_flying;
        if is_first {
            self.due.insert(turn(&delivery));
        }
        lane.waiting.push_back(Waiting {
            delivery,
            queued_at: now,
            attempts: 0,
        });
    }

    /// The delivery to attempt now, if any may be; to be called until there is none. Its end is told with
    /// [`Outbox::finished`].
    pub fn next(&mut self, now: Timestamp) -> Option<Delivery> {
        while let Some((_, turn)) = self.later.first().copied().filter(|(at, _)| *at <= now) {
            self.later.pop_first();
            self.due.insert(turn);
        }
        if self.flying.len() >= self.limits.attempts_max.max(1) || now < self.quiet_until || self.due.is_empty() {
            return None;
        }
        if let Some(pace) = self.limits.pace {
            self.paced_until = paced(pace, self.paced_until, now)?;
        }
        let turn = self.due.pop_first()?;
        let lane = self.lanes.get_mut(&turn.alert_id)?;
        lane.is_flying = true;
        let first = lane.waiting.front_mut()?;
        first.attempts = first.attempts.saturating_add(1);
        self.flying.insert(turn.id, turn.alert_id);
        Some(first.delivery.clone())
    }

    /// Takes note of how an attempt ended. `None` if it is tried again, or was cancelled meanwhile. `jitter` is as
    /// [`Retry::next`] wants it.
    pub fn finished(&mut self, id: DeliveryId, outcome: Outcome, now: Timestamp, jitter: u32) -> Option<Verdict> {
        let alert_id = self.flying.remove(&id)?;
        if let Outcome::Retriable {
            retry_after: Some(after),
            ..
        } = &outcome
        {
            self.quiet_until = self.quiet_until.max(now.plus(*after));
        }
        let lane = self.lanes.get_mut(&alert_id)?;
        lane.is_flying = false;
        let verdict = lane.decide(&self.retry, id, outcome, now, jitter);
        if let Some(Next::Retry(after)) = verdict {
            let first = lane.waiting.front()?;
            self.later.insert((now.plus(after), turn(&first.delivery)));
            return None;
        }
        let ended = verdict.and_then(|next| lane.pop(next));
        match lane.waiting.front() {
            Some(first) => {
                self.due.insert(turn(&first.delivery));
            }
            None => {
                self.lanes.remove(&alert_id);
            }
        }
        ended
    }

    /// Forgets every delivery that is not to be kept. Attempts in the air end unheard, and until they do, their alerts
    /// wait: a late trigger must not overtake a resolve.
    pub fn retain(&mut self, keep: impl Fn(DeliveryId) -> bool) {
        for lane in self.lanes.values_mut() {
            let first = lane.waiting.front().map(|waiting| waiting.delivery.id);
            lane.waiting.retain(|waiting| keep(waiting.delivery.id));
            let is_changed = lane.waiting.front().map(|waiting| waiting.delivery.id) != first;
            if let (true, false, Some(first)) = (is_changed, lane.is_flying, lane.waiting.front()) {
                self.due.insert(turn(&first.delivery));
            }
        }
        self.lanes.retain(|_, lane| lane.is_flying || !lane.waiting.is_empty());
        self.due.retain(|turn| keep(turn.id));
        self.later.retain(|(_, turn)| keep(turn.id));
    }

    /// Whether an attempt is in the air.
    pub fn has_attempts(&self) -> bool {
        !self.flying.is_empty()
    }

    /// Whether nothing waits and nothing is in the air.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}

impl Lane {
    /// What to do after the attempt `id`; `None` if it is not that of the first that waits.
    fn decide(&self, retry: &Retry, id: DeliveryId, outcome: Outcome, now: Timestamp, jitter: u32) -> Option<Next> {
        let first = self.waiting.front().filter(|first| first.delivery.id == id)?;
        let severity = first.delivery.alert.severity;
        Some(retry.next(severity, first.attempts, outcome, now.since(first.queued_at), jitter))
    }

    fn pop(&mut self, next: Next) -> Option<Verdict> {
        let attempts = self.waiting.pop_front()?.attempts;
        match next {
            Next::Delivered => Some(Verdict::Sent { attempts }),
            Next::Dead(reason) => Some(Verdict::Dead { attempts, reason }),
            Next::Retry(_) => None,
        }
    }
}

fn turn(delivery: &Delivery) -> Turn {
    Turn {
        severity: Reverse(delivery.alert.severity),
        id: delivery.id,
        alert_id: delivery.alert.alert_id,
    }
}

/// One message at `now`, if the pace allows it: the end of the time that it uses up.
fn paced(pace: Pace, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let ahead = pace.interval.saturating_mul(pace.burst.saturating_sub(1));
    let from = until.max(now);
    (from.since(now) <= ahead).then(|| from.plus(pace.interval))
}

#[cfg(test)]
mod tests;
