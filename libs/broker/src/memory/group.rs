use std::collections::{BTreeMap, BTreeSet};

use crate::{Offset, TopicPartition};

/// The name of a member within its group.
pub type MemberId = u64;

/// A consumer group with cooperative hand-over: a partition goes to its next owner only when its owner gave it up.
#[derive(Default)]
pub(super) struct Group {
    members: BTreeMap<MemberId, Vec<TopicPartition>>,
    owners: BTreeMap<TopicPartition, MemberId>,
    /// The owner each partition is meant for.
    targets: BTreeMap<TopicPartition, MemberId>,
    pub(super) committed: BTreeMap<TopicPartition, Offset>,
}

impl Group {
    /// Adds a member that wants `partitions`.
    pub(super) fn join(&mut self, member: MemberId, partitions: Vec<TopicPartition>) {
        self.members.insert(member, partitions);
        self.rebalance();
    }

    /// Removes a member; what it owned is free at once.
    pub(super) fn leave(&mut self, member: MemberId) {
        if self.members.remove(&member).is_some() {
            self.owners.retain(|_, owner| *owner != member);
            self.rebalance();
        }
    }

    pub(super) fn is_member(&self, member: MemberId) -> bool {
        self.members.contains_key(&member)
    }

    pub(super) fn owner(&self, partition: &TopicPartition) -> Option<MemberId> {
        self.owners.get(partition).copied()
    }

    pub(super) fn reads(&self, partition: &TopicPartition) -> bool {
        self.targets.contains_key(partition)
    }

    /// What `member` owns and is to hand over.
    pub(super) fn to_give_up(&self, member: MemberId) -> Vec<TopicPartition> {
        let leaving = self
            .owners
            .iter()
            .filter(|(partition, owner)| **owner == member && self.targets.get(*partition) != Some(&member));
        leaving.map(|(partition, _)| partition.clone()).collect()
    }

    pub(super) fn give_up(&mut self, member: MemberId, partitions: &[TopicPartition]) {
        for partition in partitions {
            if self.owner(partition) == Some(member) {
                self.owners.remove(partition);
            }
        }
    }

    /// Takes what is meant for `member` and free, and names it.
    pub(super) fn take_free(&mut self, member: MemberId) -> Vec<TopicPartition> {
        let meant = self
            .targets
            .iter()
            .filter(|(_, target)| **target == member)
            .map(|(partition, _)| partition);
        let free: Vec<_> = meant
            .filter(|partition| !self.owners.contains_key(*partition))
            .cloned()
            .collect();
        self.owners
            .extend(free.iter().map(|partition| (partition.clone(), member)));
        free
    }

    /// Decides anew who is to own what: as even as can be, and owners keep what they may (KIP-429, cooperative sticky).
    fn rebalance(&mut self) {
        let wanted: BTreeSet<_> = self.members.values().flatten().cloned().collect();
        let mut load: BTreeMap<MemberId, usize> = self.members.keys().map(|member| (*member, 0)).collect();
        let share = wanted.len().div_ceil(load.len().max(1));
        self.targets.clear();
        let mut homeless = Vec::new();
        for partition in wanted {
            let keeper = self
                .owners
                .get(&partition)
                .copied()
                .filter(|owner| load.get(owner).is_some_and(|held| *held < share));
            match keeper {
                Some(owner) => {
                    *load.entry(owner).or_default() += 1;
                    self.targets.insert(partition, owner);
                }
                None => homeless.push(partition),
            }
        }
        for partition in homeless {
            let willing = load
                .iter()
                .filter(|(member, _)| self.members[*member].contains(&partition));
            if let Some((&member, _)) = willing.min_by_key(|(_, held)| **held) {
                *load.entry(member).or_default() += 1;
                self.targets.insert(partition, member);
            }
        }
    }
}
