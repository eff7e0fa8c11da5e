//! The forms in which an intent's weights reach the chain: always the same uids, values and version key.

use weighhouse_chain::SetWeights;
use weighhouse_chain::rules::reveal;
use weighhouse_chain::votes;
use weighhouse_types::{Digest, Hotkey, Intent, Uid};

/// The weights as a call carries them.
pub(super) fn set_weights(intent: &Intent) -> SetWeights {
    SetWeights {
        netuid: intent.netuid,
        mechanism: intent.mechanism,
        uids: intent.weights.uids(),
        values: intent.weights.values(),
        version_key: intent.version_key,
    }
}

/// The weights as the chain stores them.
pub(crate) fn stored(intent: &Intent) -> Vec<(Uid, u16)> {
    votes::stored(&intent.weights)
}

/// The hash that commits to the weights under a salt.
pub(super) fn commit_hash(hotkey: &Hotkey, intent: &Intent, salt: &[u16]) -> Digest {
    let (uids, values) = (intent.weights.uids(), intent.weights.values());
    let index = reveal::storage_index(intent.netuid, intent.mechanism);
    reveal::commit_hash(hotkey, index, &uids, &values, salt, intent.version_key)
}
