//! A vector that a validator means to publish, and how far it has come.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::record::hex_bytes;
use crate::{Block, Digest, Epoch, MechId, Netuid, WeightVector};

/// A vector the validator means to publish: one intent, one payload.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Intent {
    /// The digest of the payload's fields (see [`Intent::digest`]).
    pub id: Digest,
    pub epoch: Epoch,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub weights: WeightVector,
    pub version_key: u64,
    /// The intent of the same epoch that this one replaces, and why.
    pub supersedes: Option<(Digest, String)>,
}

impl Intent {
    pub fn digest(
        epoch: Epoch,
        netuid: Netuid,
        mechanism: MechId,
        weights: &WeightVector,
        version_key: u64,
    ) -> Digest {
        // Only what the chain gets: the same payload meant twice is one intent, whatever it supersedes.
        crate::Hasher::new("weighhouse/intent/v1")
            .part(&(epoch, netuid, mechanism, weights, version_key).encode())
            .finish()
    }
}

/// The secret that hides an intent's weights until they are revealed: durable before the commit is signed, and the same after a
/// restart.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Seal {
    /// Hashed together with the weights; the validator reveals both.
    #[codec(index = 0)]
    Salted { salt: Vec<u16> },
    /// Encrypted to a round of the chain's beacon; the chain opens it.
    #[codec(index = 1)]
    Timelocked {
        #[serde(with = "hex_bytes")]
        ciphertext: Vec<u8>,
        reveal_round: u64,
        version: u16,
        /// The block that the round was chosen for.
        opens_at: Block,
    },
}

/// State of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IntentState {
    /// Signed and about to be handed to the chain; can be included up to and with `expires`.
    #[codec(index = 0)]
    Signed {
        #[serde(with = "hex_bytes")]
        extrinsic: Vec<u8>,
        hash: Digest,
        expires: Block,
    },
    /// Finalised in this block and accepted.
    #[codec(index = 1)]
    Included { block: Block },
    /// Read back from the chain equal to its own upscaling of the intent. Of timelocked weights, the block is the one
    /// they were read at.
    #[codec(index = 2)]
    Published { block: Block },
    /// The extrinsic can't be included any more; the same payload may be signed anew.
    #[codec(index = 3)]
    Expired,
    /// The chain refused it, or the epoch ended first.
    #[codec(index = 4)]
    Failed { why: String },
    /// The chain asks for a commit first: this is what it will hold.
    #[codec(index = 5)]
    Sealed { seal: Seal },
    /// As `Signed`, of the commit.
    #[codec(index = 6)]
    Committing {
        #[serde(with = "hex_bytes")]
        extrinsic: Vec<u8>,
        hash: Digest,
        expires: Block,
    },
    /// The commit is finalised in this block. It belongs to this epoch of the chain's and is revealed in the one that is
    /// the reveal period later.
    #[codec(index = 7)]
    Committed { block: Block, epoch: Epoch },
    /// As `Signed`, of the reveal.
    #[codec(index = 8)]
    Revealing {
        #[serde(with = "hex_bytes")]
        extrinsic: Vec<u8>,
        hash: Digest,
        expires: Block,
    },
    /// The reveal is finalised in this block and accepted.
    #[codec(index = 9)]
    Revealed { block: Block },
    /// Committed to, and never revealed.
    #[codec(index = 10)]
    Missed { why: String },
}

impl IntentState {
    /// The block that the state names, where it names one.
    pub fn block(&self) -> Option<Block> {
        match self {
            Self::Included { block }
            | Self::Published { block }
            | Self::Committed { block, .. }
            | Self::Revealed { block } => Some(*block),
            // Signed bytes name a block as well, but only the one by which they expire.
            _ => None,
        }
    }

    /// True if nothing is left to do.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Published { .. } | Self::Failed { .. } | Self::Missed { .. })
    }

    /// True if signed bytes are with the chain and their fate isn't known yet.
    pub fn is_in_flight(&self) -> bool {
        matches!(self, Self::Signed { .. } | Self::Committing { .. } | Self::Revealing { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct IntentUpdate {
    pub intent: Digest,
    pub epoch: Epoch,
    pub state: IntentState,
}
