//! An intent that the subnet's rules of now would refuse, in the form that they take: the same shares under the live version key and
//! limits, as a new intent that names the one it supersedes.

use weighhouse_chain::Refusal;
use weighhouse_journal::Publication;
use weighhouse_scoring::{Limits, conform};
use weighhouse_types::{Intent, IntentState, SubnetState, Uid};

/// The intent that takes a refused one's place; `None` where the refusal has another cause, or something of it is on the chain.
pub(super) fn successor(publication: &Publication, refusal: &Refusal, state: &SubnetState) -> Option<Intent> {
    let untouched = matches!(publication.state, None | Some(IntentState::Expired));
    let mends = publication.committed.is_none() && untouched && is_of_changed_rules(refusal);
    let old = Some(&publication.intent).filter(|_| mends)?;
    let shares: Vec<(Uid, f64)> =
        old.weights.entries().iter().map(|(uid, value)| (*uid, f64::from(*value))).collect();
    let weights = conform(&shares, &Limits::of(state)).ok()?;
    let version_key = old.version_key.max(state.hyperparameters.weights_version_key);
    let id = Intent::digest(old.epoch, old.netuid, old.mechanism, &weights, version_key);
    let why = format!("the subnet's rules changed in mid-epoch, and the chain would refuse it: {refusal}");
    // The same payload again would be refused again.
    (id != old.id).then(|| Intent {
        id,
        weights,
        version_key,
        supersedes: Some((old.id, why)),
        ..old.clone()
    })
}

/// Tells whether a refusal comes of hyperparameters that the weights weren't made for.
pub(super) fn is_of_changed_rules(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::IncorrectWeightVersionKey { .. }
            | Refusal::WeightVecLengthIsLow { .. }
            | Refusal::MaxWeightExceeded
    )
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Block, Epoch, Hotkey, MechId, Netuid, WeightVector, sample};

    use super::*;

    fn publication() -> Publication {
        let weights = WeightVector::new(vec![(Uid(1), 40_000), (Uid(2), 65_535)]).expect("a vector");
        let (epoch, netuid, mechanism) = (Epoch(3), Netuid(1), MechId(0));
        let id = Intent::digest(epoch, netuid, mechanism, &weights, 1);
        Publication::new(Intent { id, epoch, netuid, mechanism, weights, version_key: 1, supersedes: None })
    }

    fn subnet(neurons: u16) -> SubnetState {
        let neurons =
            (0..neurons).map(|uid| weighhouse_chain::testing::neuron(uid, Hotkey([1; 32]), 1, false));
        let mut state = sample::subnet(Epoch(3), Block(9), neurons.collect());
        state.hyperparameters.min_allowed_weights = 0;
        state.hyperparameters.max_weights_limit = u16::MAX;
        state
    }

    #[test]
    fn the_same_shares_are_meant_under_the_live_key_and_limits() {
        let (old, mut state) = (publication(), subnet(5));
        state.hyperparameters.weights_version_key = 7;
        let key = Refusal::IncorrectWeightVersionKey { required: 7 };
        let new = successor(&old, &key, &state).expect("a successor");
        assert_eq!((new.version_key, &new.weights), (7, &old.intent.weights));
        let (superseded, why) = new.supersedes.expect("named");
        assert!(superseded == old.intent.id && new.id != superseded, "{why}");
        assert!(why.contains("version"), "{why}");

        state.hyperparameters.min_allowed_weights = 4;
        let length = Refusal::WeightVecLengthIsLow { length: 2, minimum: 4 };
        let new = successor(&old, &length, &state).expect("a successor");
        let padded = [(Uid(0), 0), (Uid(1), 40_000), (Uid(2), 65_535), (Uid(3), 0)];
        assert_eq!(new.weights.entries(), padded);
    }

    #[test]
    fn what_mends_nothing_is_not_meant() {
        let (mut old, mut state) = (publication(), subnet(5));
        let key = Refusal::IncorrectWeightVersionKey { required: 1 };
        assert_eq!(successor(&old, &key, &state), None, "the payload would be the same");
        state.hyperparameters.weights_version_key = 7;
        assert_eq!(successor(&old, &Refusal::SettingWeightsTooFast { blocks: 3 }, &state), None);
        old.advance(IntentState::Committed { block: Block(5), epoch: Epoch(3) });
        assert_eq!(successor(&old, &key, &state), None, "a commit can't be taken back");
    }
}
