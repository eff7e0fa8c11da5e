//! Two policies over the same epochs: who gains, who loses, by how much.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_types::{RegistrationId, Uid};

use crate::replay::ReplayedEpoch;

#[cfg(test)]
mod tests;

/// One miner under both policies, averaged over the epochs in which both gave a vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub uid: Uid,
    pub who: RegistrationId,
    /// Mean share of the vector under the first policy, in [0, 1].
    pub before: f64,
    /// The same under the second.
    pub after: f64,
}

impl Change {
    /// Share under the second policy less that under the first, in [-1, 1].
    pub fn gain(&self) -> f64 {
        self.after - self.before
    }
}

/// Effect of a change of policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// Epochs in which both gave a vector.
    pub epochs: u64,
    /// Epochs in which only the first, or only the second, abstained.
    pub first_abstains: u64,
    pub second_abstains: u64,
    /// Miners whose share changes, the largest gain first.
    pub changes: Vec<Change>,
    /// Half the sum of all changes, on average over epochs: the share of emission that moves, in [0, 1].
    pub moved: f64,
    /// Epochs whose vectors are equal to the byte.
    pub equal: u64,
}

/// Collects pairs of replayed epochs.
#[derive(Clone, Debug, Default)]
pub struct Differ {
    diff: Diff,
    sums: BTreeMap<RegistrationId, (Uid, f64, f64)>,
    moved: f64,
}

impl Differ {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one epoch under both policies.
    pub fn epoch(&mut self, first: &ReplayedEpoch, second: &ReplayedEpoch) {
        match (first.vector(), second.vector()) {
            (None, None) => {}
            (None, Some(_)) => self.diff.first_abstains += 1,
            (Some(_), None) => self.diff.second_abstains += 1,
            (Some(one), Some(other)) => {
                self.diff.epochs += 1;
                self.diff.equal += u64::from(one == other);
                self.compare(first, second);
            }
        }
    }

    fn compare(&mut self, first: &ReplayedEpoch, second: &ReplayedEpoch) {
        let mut epoch: BTreeMap<RegistrationId, (f64, f64)> = BTreeMap::new();
        for (uid, who, share) in first.shares() {
            self.sums.entry(who).or_insert((uid, 0.0, 0.0));
            epoch.entry(who).or_default().0 = share;
        }
        for (uid, who, share) in second.shares() {
            self.sums.entry(who).or_insert((uid, 0.0, 0.0));
            epoch.entry(who).or_default().1 = share;
        }
        for (who, (before, after)) in epoch {
            self.moved += (after - before).abs() / 2.0;
            if let Some((_, befores, afters)) = self.sums.get_mut(&who) {
                *befores += before;
                *afters += after;
            }
        }
    }

    pub fn finish(mut self) -> Diff {
        let epochs = self.diff.epochs.max(1) as f64;
        let change = |(who, (uid, before, after)): (RegistrationId, (Uid, f64, f64))| Change {
            uid,
            who,
            before: before / epochs,
            after: after / epochs,
        };
        let mut changes: Vec<Change> =
            self.sums.into_iter().map(change).filter(|change| change.gain() != 0.0).collect();
        // Equal gains go by registration, so that a report comes out the same each time.
        changes.sort_by(|one, other| other.gain().total_cmp(&one.gain()).then(one.who.cmp(&other.who)));
        self.diff.moved = self.moved / epochs;
        self.diff.changes = changes;
        self.diff
    }
}
