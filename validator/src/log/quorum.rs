//! Whose signatures an audit demands on an epoch's checkpoint, and whose are on it.

use weighhouse_merkle::SignedNote;
use weighhouse_types::{CertifiedKey, EpochContext, Hotkey, LogKeyUse, LogPlace};
use weighhouse_wallet::certified::verify_certified;

use super::keys::verifier;

/// Witnesses of an epoch, and how many of them have to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) who: Vec<Hotkey>,
    pub(crate) quorum: usize,
}

/// A majority of the other validators whose weights counted when the epoch was opened; nobody where there were none. A permit alone
/// makes no witness: on a small subnet miners have one too.
pub(crate) fn witnesses_of(context: &EpochContext) -> Wanted {
    let neurons = context.state.metagraph.neurons.iter();
    let validates = |hotkey: &Hotkey| *hotkey != context.validator;
    let who: Vec<Hotkey> = neurons
        .filter(|neuron| neuron.validator_permit && neuron.validator_trust > 0 && validates(&neuron.hotkey))
        .map(|neuron| neuron.hotkey)
        .collect();
    let quorum = if who.is_empty() { 0 } else { who.len() / 2 + 1 };
    Wanted { who, quorum }
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
