use event::{Alert, AlertId, AlertStatus, Fact, FactEntry, Key, Source, Timestamp};
use ruleset::{Mode, Pattern, Rule};
use std::time::Duration;

use crate::alert;
use crate::chain::{Chains, Reading};
use crate::correlate::Step;
use crate::episode::{self, Episode, Touched, Truth};
use crate::held::Held;
use crate::join::LEFT;
use crate::key_state::KeyState;
use crate::opening::Opening;

/// A rule and a key, while one record is evaluated.
pub(crate) struct Case<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) key: &'a Key,
    pub(crate) watermark: Timestamp,
    pub(crate) reading: Reading,
    pub(crate) chains: &'a Chains,
    /// The record that is evaluated.
    pub(crate) at: Source,
}

impl Case<'_> {
    /// One event of a fact.
    pub(crate) fn take(&self, state: &mut KeyState, fact: &Fact, entry: &FactEntry, step: &mut Step) {
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
                let opening = Opening::of_episode(self.rule, self.key, alert_id, &message, truth.at);
                self.chains.feed(&opening, &mut step.derived(self.at));
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
    pub(crate) fn settle(&self, state: &mut KeyState, step: &mut Step) {
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
    pub(crate) fn wake_after(&self, state: &KeyState) -> Timestamp {
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
