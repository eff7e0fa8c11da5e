//! Whose signatures an audit demands on an epoch's checkpoint, and whose are on it.

use weighhouse_merkle::SignedNote;
use weighhouse_scoring::Policy;
use weighhouse_scoring::policy::Fraction;
use weighhouse_types::{CertifiedKey, EpochContext, Hotkey, LogKeyUse, LogPlace};
use weighhouse_wallet::certified::verify_certified;

use super::keys::verifier;

/// Witnesses of an epoch, and how many of them have to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) who: Vec<Hotkey>,
    pub(crate) quorum: usize,
}

/// Of the other validators whose weights counted when the epoch was opened, more than the policy's share; nobody where there were
/// none. A permit alone makes no witness: on a small subnet miners have one too.
pub(crate) fn witnesses_of(context: &EpochContext) -> Wanted {
    let neurons = context.state.metagraph.neurons.iter();
    let validates = |hotkey: &Hotkey| *hotkey != context.validator;
    let who: Vec<Hotkey> = neurons
        .filter(|neuron| neuron.validator_permit && neuron.validator_trust > 0 && validates(&neuron.hotkey))
        .map(|neuron| neuron.hotkey)
        .collect();
    // What can't be read gives no vector either, which the audit says.
    let share = Policy::parse(&context.policy).map_or(Fraction::HALF, |policy| policy.witness_share());
    let quorum = quorum(who.len(), share);
    Wanted { who, quorum }
}

fn quorum(validators: usize, share: Fraction) -> usize {
    let of_them = validators as u64 * share.billionths() / Fraction::ONE.billionths();
    // Below 1, so that the share is never all of them.
    validators.min(of_them as usize + 1)
}

/// A witness whose signature on a checkpoint is not what it is said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("witness {witness}: {why}")]
pub struct WrongWitness {
    pub witness: Hotkey,
    pub why: String,
}

/// The hotkeys that have certified these keys, each of which has signed the note.
pub(crate) fn signers(
    note: &SignedNote,
    keys: &[CertifiedKey],
    place: &LogPlace,
) -> Result<Vec<Hotkey>, WrongWitness> {
    let signer = |key: &CertifiedKey| {
        let wrong = |why: String| WrongWitness { witness: key.hotkey, why };
        let witness = verifier(key, place, LogKeyUse::Witness);
        let witness = witness.ok_or_else(|| wrong("its key has no name".to_owned()))?;
        verify_certified(key, place, LogKeyUse::Witness).map_err(|error| wrong(error.to_string()))?;
        witness.verify(note).map_err(|error| wrong(error.to_string()))?;
        Ok(key.hotkey)
    };
    keys.iter().map(signer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_share_have_to_sign_and_any_two_quorums_share_a_witness() {
        let quorums = |share: f64| {
            let share = Fraction::from_f64(share).expect("a fraction");
            [0, 1, 2, 3, 4, 9, 64].map(|validators| quorum(validators, share))
        };
        assert_eq!(quorums(0.5), [0, 1, 2, 2, 3, 5, 33]);
        assert_eq!(quorums(0.66), [0, 1, 2, 2, 3, 6, 43]);
        assert_eq!(quorums(0.999_999_999), [0, 1, 2, 3, 4, 9, 64]);
        for validators in 1..100 {
            assert!(2 * quorum(validators, Fraction::HALF) > validators);
        }
    }
}
