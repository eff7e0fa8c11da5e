//! Whose signatures an audit demands on an epoch's checkpoint.

use weighhouse_types::{EpochContext, Hotkey};

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
