use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::episode::{Episode, Truth};
use crate::held::{self, Held};
use crate::kept::EVIDENCE_MAX;

/// Events at which a rule holds by themselves, decided for good.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proven {
    /// In order.
    held: Vec<Held>,
}

impl Proven {
    /// Adds an event, and says at which moment the rule holds.
    pub(crate) fn add(&mut self, new: Held) -> Truth {
        let truth = Truth {
            at: new.time,
            source: new.source,
            first: new.time,
            last: new.time,
        };
        held::insert(&mut self.held, new);
        truth
    }

    pub(crate) fn at(&self, truth: Truth) -> Option<&Held> {
        held::find(&self.held, truth)
    }

    /// The events of an episode that are held.
    pub(crate) fn inside(&self, episode: &Episode) -> &[Held] {
        let from = self.held.partition_point(|held| held.time < episode.first_true);
        let upto = self.held.partition_point(|held| held.time <= episode.last_true);
        &self.held[from..upto.max(from)]
    }

    /// Forgets what is in no episode. What an episode has beyond the evidence is counted in it.
    pub(crate) fn prune(&mut self, episodes: &mut [Episode]) {
        let (mut at, mut inside) = (0, 0);
        self.held.retain(|held| {
            while episodes.get(at).is_some_and(|episode| episode.last_true < held.time) {
                (at, inside) = (at + 1, 0);
            }
            let Some(episode) = episodes.get_mut(at).filter(|episode| episode.first_true <= held.time) else {
                return false;
            };
            inside += 1;
            if inside > EVIDENCE_MAX {
                episode.omitted_events += 1;
                episode.omitted_weight += u64::from(held.weight);
            }
            inside <= EVIDENCE_MAX
        });
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = (String, &Held)> {
        held::as_role("held true", &self.held)
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        held::newest(&self.held)
    }
}
