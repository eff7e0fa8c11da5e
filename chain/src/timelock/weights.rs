//! Payload that a validator seals: its weights, and its hotkey so that nobody else can hand the same bytes in.

use parity_scale_codec::{Decode, Encode};
use rand::CryptoRng;
use weighhouse_types::{Hotkey, TIMELOCK_KEY_BYTES, Uid};

use super::{SIGNATURE_BYTES, TimelockError, decrypt, encrypt};

/// The sealed message, as SCALE.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WeightsPayload {
    /// The committer's public key.
    pub hotkey: Vec<u8>,
    pub uids: Vec<Uid>,
    pub values: Vec<u16>,
    pub version_key: u64,
}

/// The form from before the hotkey was part of it; the chain still takes it.
#[derive(Decode)]
struct Unbound {
    uids: Vec<Uid>,
    values: Vec<u16>,
    version_key: u64,
}

/// Seals weights so that the chain opens them at the round.
pub fn seal_weights(
    public_key: &[u8; TIMELOCK_KEY_BYTES],
    round: u64,
    payload: &WeightsPayload,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, TimelockError> {
    encrypt(public_key, round, &payload.encode(), rng)
}

/// Opens a commit as the chain does: weights bound to another hotkey are refused.
pub fn open_weights(
    ciphertext: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
    committer: &Hotkey,
) -> Result<WeightsPayload, TimelockError> {
    let message = decrypt(ciphertext, signature)?;
    match WeightsPayload::decode(&mut &message[..]) {
        // The chain compares the first 32 bytes, and reads a message with fewer as the older form.
        Ok(payload) if payload.hotkey.get(..32) == Some(&committer.0[..]) => Ok(payload),
        Ok(payload) if payload.hotkey.len() >= 32 => Err(TimelockError::OtherHotkey),
        _ => {
            let Unbound { uids, values, version_key } =
                Unbound::decode(&mut &message[..]).map_err(|_| TimelockError::NotWeights)?;
            Ok(WeightsPayload { hotkey: committer.0.to_vec(), uids, values, version_key })
        }
    }
}
