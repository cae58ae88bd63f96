use std::time::Duration;

use event::{Alert, AlertId, AlertStatus, Fact, FactEntry, Key, Source, Timestamp};
use ruleset::{Mode, Pattern, Rule};

use crate::absence;
use crate::alert;
use crate::chain::{Chains, Reading};
use crate::correlate::Step;
use crate::episode::{self, Episode, Extent, Touched, Truth};
use crate::kept::Added;
use crate::key_state::KeyState;
use crate::opening::Opening;

/// How many episodes of a key are remembered. Beyond it the oldest are closed and forgotten, and that is counted.
const EPISODES_MAX: usize = 1000;

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
        match state.held.kind_mut().add(self.rule, fact, entry) {
            Added::Known => step.tally.duplicate += 1,
            Added::NoValue => step.tally.no_value += 1,
            Added::Taken(truths) => {
                step.tally.applied += 1;
                for truth in truths {
                    self.hold(state, truth, Some((fact, entry)), step);
                }
            }
        }
    }

    /// The rule holds at a moment, because of an event that has just come or because the watermark has passed.
    fn hold(&self, state: &mut KeyState, truth: Truth, news: Option<(&Fact, &FactEntry)>, step: &mut Step) {
        match episode::touch(&mut state.episodes, truth, self.rule.timing.link()) {
            Touched::One => {}
            Touched::Joined(mut gone) => {
                let kept = state
                    .episodes
                    .iter()
                    .find(|episode| episode.first_true <= truth.at && truth.at <= episode.last_true);
                let merged_into = kept.map(|kept| kept.alert_id);
                let alert = alert::of_episode(self.rule, self.key, &mut gone, AlertStatus::Closed, &[]);
                self.emit(Alert { merged_into, ..alert }, step);
            }
            Touched::None => {
                // Not always the event that has just come: a late one may make several moments true, and each of
                // their episodes has an id of its own.
                let opening = state.held.kind().at(truth).map_or("", |held| &held.event_id);
                let tenant = self.key.parts().next().unwrap_or_default();
                let alert_id = AlertId::new(tenant, &self.rule.id, self.rule.hash, self.key, opening, truth.at);
                let message = self.message(state, truth, news);
                let opening = Opening::of_episode(self.rule, self.key, alert_id, &message, truth.at);
                self.chains.feed(&opening, &mut step.derived(self.at));
                let at = episode::insert(&mut state.episodes, Episode::new(alert_id, message, truth));
                self.tell(state, at, AlertStatus::Opened, step);
            }
        }
    }

    fn message(&self, state: &KeyState, truth: Truth, news: Option<(&Fact, &FactEntry)>) -> String {
        let of_moment = state.held.kind().at(truth).map_or(&[][..], |held| &held.values);
        let names = self.rule.key_fields();
        self.rule.message.render(|name| {
            let of_key = names
                .iter()
                .position(|known| *known == name)
                .and_then(|at| self.key.values().nth(at));
            let of_moment = || {
                of_moment
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone())
            };
            let of_news = || {
                let (fact, entry) = news?;
                fact.value(entry, name).map(|value| value.as_text().into_owned())
            };
            of_key.map(str::to_owned).or_else(of_moment).or_else(of_news)
        })
    }

    /// After a record: decides what is final, tells of what grew, closes what is over, forgets what is too old.
    pub(crate) fn settle(&self, state: &mut KeyState, step: &mut Step) {
        let final_before = self.watermark.minus(self.rule.lateness());
        for truth in state.held.kind_mut().decide(self.rule, final_before) {
            self.hold(state, truth, None, step);
        }
        for at in 0..state.episodes.len() {
            let episode = &mut state.episodes[at];
            let extent = state.held.kind().extent(self.rule, episode);
            episode.measured(extent);
            if let Some(status) = self.news(episode, extent) {
                self.tell(state, at, status, step);
            }
        }
        self.forget(state, step);
    }

    /// What people are to be told of an episode that is so now. Takes note of whether it is closed.
    fn news(&self, episode: &mut Episode, extent: Extent) -> Option<AlertStatus> {
        let timing = &self.rule.timing;
        let quiet = self.ends(episode, timing.keep_alive) < self.watermark;
        let over = self.ends(episode, self.rule.timing.link()) < self.watermark;
        let suppresses = self.rule.timing.link() > timing.keep_alive;
        let was_closed = episode.closed;
        episode.closed = quiet || (was_closed && suppresses);
        if quiet && !was_closed || over && extent != episode.told {
            return Some(AlertStatus::Closed);
        }
        let goes_on = !quiet && if was_closed { !suppresses } else { episode.is_news() };
        goes_on.then_some(AlertStatus::Updated)
    }

    fn forget(&self, state: &mut KeyState, step: &mut Step) {
        let horizon = self.watermark.minus(self.rule.lateness());
        let oldest_moment = horizon.minus(self.looks_back());
        let link = self.rule.timing.link();
        state
            .episodes
            .retain(|episode| !episode.closed || episode.ends_after(link) >= oldest_moment);
        let excess = state.episodes.len().saturating_sub(EPISODES_MAX);
        for at in 0..excess {
            if !state.episodes[at].closed {
                self.tell(state, at, AlertStatus::Closed, step);
            }
        }
        state.episodes.drain(..excess);
        step.tally.forgotten += excess as u64;
        step.tally.forgotten += state.held.kind_mut().prune(self.rule, &mut state.episodes, horizon);
    }

    /// What the watermark has to pass so that an episode is over, if moments of it are at most `gap` apart. A rule that
    /// is not monotone may find a moment only after its time.
    fn ends(&self, episode: &Episode, gap: Duration) -> Timestamp {
        let end = episode.ends_after(gap);
        if self.rule.pattern.is_monotone() {
            end
        } else {
            end.plus(self.looks_back()).plus(self.rule.timing.grace)
        }
    }

    /// How much older than itself a moment may be that an event makes true, or that is decided once the watermark has
    /// passed an event: a right event may come after its left.
    fn looks_back(&self) -> Duration {
        match &self.rule.pattern {
            Pattern::Join(pattern) => pattern.within,
            Pattern::Absence(pattern) => absence::looks_ahead(pattern),
            Pattern::Aggregate(pattern) if !pattern.is_monotone() => pattern.window.reach(),
            Pattern::Each(_)
            | Pattern::Count(_)
            | Pattern::Aggregate(_)
            | Pattern::Sequence(_)
            | Pattern::NewValue(_) => Duration::ZERO,
        }
    }

    /// Emits an episode as it is now.
    fn tell(&self, state: &mut KeyState, at: usize, status: AlertStatus, step: &mut Step) {
        let episode = &mut state.episodes[at];
        let kind = state.held.kind();
        episode.told = kind.extent(self.rule, episode);
        episode.measured(episode.told);
        let inside = kind.inside(self.rule, episode);
        let alert = alert::of_episode(self.rule, self.key, episode, status, &inside);
        self.emit(alert, step);
    }

    fn emit(&self, alert: Alert, step: &mut Step) {
        if self.rule.mode == Mode::Live && self.rule.generates {
            step.alerts.push(alert);
        }
    }

    /// The next moment at which time alone changes something: something is decided, an episode ends, or there is nothing
    /// left to keep.
    pub(crate) fn wake_after(&self, state: &KeyState) -> Timestamp {
        let lateness = self.rule.lateness();
        let kind = state.held.kind();
        let decided = kind.undecided(self.rule).map(|moment| moment.plus(lateness));
        let end = |episode: &Episode| {
            let over = self.ends(episode, self.rule.timing.link());
            if episode.closed {
                // It is closed before it is over only where it is suppressed.
                (over >= self.watermark).then_some(over)
            } else {
                Some(self.ends(episode, self.rule.timing.keep_alive))
            }
        };
        let ends = state.episodes.iter().filter_map(end);
        let gone = |episode: &Episode| {
            episode
                .ends_after(self.rule.timing.link())
                .plus(self.looks_back())
                .plus(lateness)
        };
        let episodes_gone = state.episodes.iter().map(gone).max();
        let newest = kind.newest();
        let events_gone = newest.map(|newest| newest.plus(self.rule.pattern.reach()).plus(lateness));
        let gone = episodes_gone.max(events_gone).unwrap_or(Timestamp::MAX);
        ends.chain(decided).min().unwrap_or(gone)
    }
}
