use std::collections::BTreeMap;

use event::{Fact, FactEntry, Key, SemanticHash};

/// Facts on their way to the topic `facts`. Those of one rule, side, key and level are packed into one.
#[derive(Debug, Default)]
pub struct Facts(BTreeMap<(SemanticHash, u8, Key, u8), Fact>);

/// Whom an entry is for.
pub(crate) struct Addressed<'a> {
    pub(crate) rule: SemanticHash,
    pub(crate) level: u8,
    pub(crate) side: u8,
    pub(crate) key: Key,
    /// The names of the values that each entry carries: the same for all of a rule.
    pub(crate) names: &'a [String],
}

impl Facts {
    /// The facts, in the order of rule, side, key and level.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.values()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, to: Addressed<'_>, entry: FactEntry) {
        let Addressed {
            rule,
            level,
            side,
            key,
            names,
        } = to;
        let new = || Fact {
            rule,
            level,
            side,
            key: key.clone(),
            names: names.to_vec(),
            entries: Vec::new(),
        };
        let fact = self.0.entry((rule, side, key.clone(), level)).or_insert_with(new);
        fact.entries.push(entry);
    }
}
