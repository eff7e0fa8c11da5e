//! Choice of the neuron that makes room for a new one when a subnet is full.

use weighhouse_types::{Block, Hyperparameters, Rao, Uid};

/// Facts about a neuron that pruning looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) uid: Uid,
    pub(crate) emission: Rao,
    pub(crate) registered_at: Block,
    /// The subnet owner's own neuron, which is never pruned.
    pub(crate) immortal: bool,
}

impl Candidate {
    /// The lowest goes first.
    fn rank(&self) -> (Rao, Block, Uid) {
        (self.emission, self.registered_at, self.uid)
    }
}

/// The uid to prune: the lowest emission, then the oldest registration, then the lowest uid. A neuron that is no
/// longer immune goes first as long as more than `min_non_immune_uids` of them are left, else the best of the
/// immune ones; `None` where neither can go.
pub(crate) fn neuron_to_prune(
    candidates: &[Candidate],
    block: Block,
    rules: &Hyperparameters,
) -> Option<Uid> {
    let immune = |candidate: &&Candidate| {
        block.saturating_since(candidate.registered_at) < u64::from(rules.immunity_period)
    };
    let (immune, free): (Vec<&Candidate>, Vec<&Candidate>) =
        candidates.iter().filter(|candidate| !candidate.immortal).partition(immune);
    let from = if free.len() > usize::from(rules.min_non_immune_uids) { free } else { immune };
    from.into_iter().min_by_key(|candidate| candidate.rank()).map(|candidate| candidate.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: fn() -> Hyperparameters =
        || Hyperparameters { immunity_period: 100, min_non_immune_uids: 1, ..Hyperparameters::default() };

    fn candidates(rows: &[(u64, u64)]) -> Vec<Candidate> {
        let row = |(uid, (emission, registered_at)): (usize, &(u64, u64))| Candidate {
            uid: Uid(u16::try_from(uid).expect("few")),
            emission: Rao(*emission),
            registered_at: Block(*registered_at),
            immortal: false,
        };
        rows.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_lowest_emission_goes_then_the_oldest_then_the_lowest_uid() {
        let at = Block(1000);
        assert_eq!(neuron_to_prune(&candidates(&[(5, 1), (4, 9), (6, 0)]), at, &RULES()), Some(Uid(1)));
        assert_eq!(neuron_to_prune(&candidates(&[(4, 9), (4, 3), (6, 0)]), at, &RULES()), Some(Uid(1)));
        assert_eq!(neuron_to_prune(&candidates(&[(4, 3), (4, 3), (6, 0)]), at, &RULES()), Some(Uid(0)));
    }

    #[test]
    fn an_immune_neuron_goes_only_when_too_few_others_are_left() {
        let at = Block(1000);
        assert_eq!(neuron_to_prune(&candidates(&[(9, 1), (8, 1), (0, 950)]), at, &RULES()), Some(Uid(1)));
        assert_eq!(neuron_to_prune(&candidates(&[(9, 1), (3, 901), (0, 950)]), at, &RULES()), Some(Uid(2)));
        assert_eq!(neuron_to_prune(&candidates(&[(9, 1)]), at, &RULES()), None);
    }

    #[test]
    fn immunity_ends_after_the_period() {
        let rules = Hyperparameters { min_non_immune_uids: 0, ..RULES() };
        let rows = candidates(&[(0, 500), (9, 1)]);
        assert_eq!(neuron_to_prune(&rows, Block(599), &rules), Some(Uid(1)));
        assert_eq!(neuron_to_prune(&rows, Block(600), &rules), Some(Uid(0)));
    }

    #[test]
    fn the_owner_is_never_pruned() {
        let mut rows = candidates(&[(0, 1), (9, 1), (8, 1)]);
        rows[0].immortal = true;
        assert_eq!(neuron_to_prune(&rows, Block(1000), &RULES()), Some(Uid(2)));
        rows.iter_mut().for_each(|row| row.immortal = true);
        assert_eq!(neuron_to_prune(&rows, Block(1000), &RULES()), None);
    }
}
