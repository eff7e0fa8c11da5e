//! `WitnessService`'s messages to and from the domain's types.

use weighhouse_types::{CertifiedKey, Digest, Epoch, Hotkey, MechId, Netuid};

use crate::chain::{ChainMessageError, bytes32, narrow};
use crate::v1;

/// The most nodes of a consistency proof between trees of fewer than 2^64 leaves.
pub const CONSISTENCY_NODES_MAX: usize = 65;
const SIGNATURE_BYTES: usize = 64;

/// A message about keys and checkpoints that no validator sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertifiedKeyError {
    #[error(transparent)]
    Field(#[from] ChainMessageError),
    #[error("no key")]
    NoKey,
    #[error("the signature has not 64 bytes")]
    Signature,
    #[error("the proof has more than {CONSISTENCY_NODES_MAX} nodes")]
    Proof,
}

/// A request for a witness's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignAsked {
    pub netuid: Netuid,
    pub mechanism: MechId,
    /// The log's.
    pub key: CertifiedKey,
    /// A signed note.
    pub checkpoint: String,
    /// The size from which the proof leads to the checkpoint.
    pub old_size: u64,
    pub proof: Vec<Digest>,
}

impl From<CertifiedKey> for v1::CertifiedKey {
    fn from(key: CertifiedKey) -> Self {
        let CertifiedKey { hotkey, first_epoch, key, signature } = key;
        Self { hotkey: hotkey.0.to_vec(), first_epoch: first_epoch.0, key: key.to_vec(), signature }
    }
}

impl TryFrom<v1::CertifiedKey> for CertifiedKey {
    type Error = CertifiedKeyError;

    fn try_from(message: v1::CertifiedKey) -> Result<Self, CertifiedKeyError> {
        if message.signature.len() != SIGNATURE_BYTES {
            return Err(CertifiedKeyError::Signature);
        }
        Ok(Self {
            hotkey: Hotkey(bytes32("hotkey", &message.hotkey)?),
            first_epoch: Epoch(message.first_epoch),
            key: bytes32("key", &message.key)?,
            signature: message.signature,
        })
    }
}

impl From<CosignAsked> for v1::CosignRequest {
    fn from(asked: CosignAsked) -> Self {
        let CosignAsked { netuid, mechanism, key, checkpoint, old_size, proof } = asked;
        Self {
            netuid: netuid.0.into(),
            mechanism: mechanism.0.into(),
            key: Some(key.into()),
            checkpoint,
            old_size,
            proof: proof.into_iter().map(|node| node.0.to_vec()).collect(),
        }
    }
}

impl TryFrom<v1::CosignRequest> for CosignAsked {
    type Error = CertifiedKeyError;

    fn try_from(message: v1::CosignRequest) -> Result<Self, CertifiedKeyError> {
        if message.proof.len() > CONSISTENCY_NODES_MAX {
            return Err(CertifiedKeyError::Proof);
        }
        let proof = message.proof.iter().map(|node| Ok(Digest(bytes32("proof", node)?)));
        Ok(Self {
            netuid: Netuid(narrow("netuid", message.netuid)?),
            mechanism: MechId(narrow("mechanism", message.mechanism)?),
            key: message.key.ok_or(CertifiedKeyError::NoKey)?.try_into()?,
            checkpoint: message.checkpoint,
            old_size: message.old_size,
            proof: proof.collect::<Result<_, ChainMessageError>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> v1::CosignRequest {
        let key = v1::CertifiedKey {
            hotkey: vec![1; 32],
            first_epoch: 3,
            key: vec![2; 32],
            signature: vec![3; 64],
        };
        v1::CosignRequest {
            netuid: 1,
            mechanism: 0,
            key: Some(key),
            checkpoint: "a note".to_owned(),
            old_size: 5,
            proof: vec![vec![4; 32]; 3],
        }
    }

    #[test]
    fn a_request_comes_back_as_it_was_sent() {
        let read = CosignAsked::try_from(message()).expect("a sound message");
        assert_eq!(v1::CosignRequest::from(read), message());
    }

    #[test]
    fn what_no_validator_sends_is_refused() {
        let changes: [fn(&mut v1::CosignRequest); 6] = [
            |it| it.key = None,
            |it| it.netuid = 1 << 16,
            |it| it.mechanism = 256,
            |it| it.proof = vec![vec![0; 32]; CONSISTENCY_NODES_MAX + 1],
            |it| it.proof[0].push(0),
            |it| it.key.as_mut().expect("a key").signature.truncate(63),
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut changed = message();
            change(&mut changed);
            assert!(CosignAsked::try_from(changed).is_err(), "change {nth}");
        }
    }
}
