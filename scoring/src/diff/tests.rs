use weighhouse_types::{Digest, Epoch, WeightVector};

use super::*;
use crate::fixture::who;
use crate::rate::Rating;
use crate::standing::ScoredMiner;
use crate::weigh::{Abstain, Decision};

fn replayed(weights: &[(u16, u16)]) -> ReplayedEpoch {
    let scored = |(uid, _): &(u16, u16)| ScoredMiner {
        uid: Uid(*uid),
        who: who(*uid),
        score: weighhouse_types::Score::ZERO,
        attempts: 1,
        rating: Rating::Scored,
    };
    let scores: Vec<ScoredMiner> = weights.iter().map(scored).collect();
    let entries = weights.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect();
    let decision = match WeightVector::new(entries) {
        Ok(vector) => Decision::Weights { vector, version_key: 0, scores },
        Err(_) => Decision::Abstain { why: Abstain::NothingEarned { scored: 0 }, scores },
    };
    ReplayedEpoch {
        epoch: Epoch(1),
        recorded_policy: Digest::of(b""),
        judgements: 0,
        decision,
        intended: None,
        published: false,
        matches: None,
    }
}

#[test]
fn gains_and_losses_are_shares_averaged_over_common_epochs() {
    let mut differ = Differ::new();
    differ.epoch(&replayed(&[(1, 50), (2, 50)]), &replayed(&[(1, 50), (2, 50)]));
    differ.epoch(&replayed(&[(1, 50), (2, 50)]), &replayed(&[(1, 0), (2, 30), (3, 30)]));
    differ.epoch(&replayed(&[(1, 50)]), &replayed(&[]));
    let diff = differ.finish();
    assert_eq!((diff.epochs, diff.equal, diff.first_abstains, diff.second_abstains), (2, 1, 0, 1));
    let changes: Vec<_> = diff.changes.iter().map(|change| (change.uid.0, change.gain())).collect();
    assert_eq!(changes, [(3, 0.25), (1, -0.25)]);
    assert_eq!(diff.moved, 0.25);
}
