//! Commitments of hotkeys on the chain, and weights that stay hidden until they are revealed.

use parity_scale_codec::{Decode, Encode};
use serde::Serialize;

use crate::{Block, Coldkey, Digest, Epoch, Hotkey};

/// Weights that a validator has committed to and that were neither revealed nor have expired.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct WeightCommit {
    /// They are to be revealed in the epoch that is the subnet's reveal period after this one.
    pub epoch: Epoch,
    pub block: Block,
    pub content: CommitContent,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "committed", rename_all = "snake_case")]
pub enum CommitContent {
    /// The BLAKE2b-256 hash of the weights and a salt; the validator reveals them.
    #[codec(index = 0)]
    Hash { hash: Digest },
    /// Encrypted to a round of the chain's beacon; the chain reveals them.
    #[codec(index = 1)]
    Timelocked { ciphertext: Vec<u8>, reveal_round: u64 },
}

/// Bytes that a neuron has published for anyone to read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Commitment {
    /// The block of the publication.
    pub block: Block,
    pub data: Vec<u8>,
}

/// A subnet's mechanisms, each with its own weights, bonds and incentive.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Mechanisms {
    /// At least 1.
    pub count: u8,
    /// Each mechanism's share of the emission as a fraction of 65535; `None` where they share it evenly.
    pub emission_split: Option<Vec<u16>>,
}

impl Default for Mechanisms {
    /// One mechanism, as most subnets have.
    fn default() -> Self {
        Self { count: 1, emission_split: None }
    }
}

/// A mechanism's figures per uid besides weights and bonds; position is the uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct MechanismRows {
    /// The block of the last weights, commit or registration.
    pub last_update: Vec<Block>,
    pub incentive: Vec<u16>,
}

/// A hotkey and its share of the parent's stake, as a fraction of 2^64 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Child {
    pub proportion: u64,
    pub hotkey: Hotkey,
}

/// Child keys and takes of a hotkey in a subnet: the stake it speaks for, and its part of others' dividends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Delegation {
    pub coldkey: Coldkey,
    /// Kept of the dividends of those who stake on the hotkey, as a fraction of 65535.
    pub take: u16,
    /// Kept of the dividends that the parents' stake earned, as a fraction of 65535.
    pub childkey_take: u16,
    pub children: Vec<Child>,
    /// Each with the proportion of its stake that it gives to this hotkey.
    pub parents: Vec<Child>,
    /// Children that were set and take effect at a later block.
    pub pending: Option<(Block, Vec<Child>)>,
}

/// Bytes of a compressed point of BLS12-381's second group.
pub const TIMELOCK_KEY_BYTES: usize = 96;

/// The beacon that a chain opens timelocked weights with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timelock {
    /// The version that `commit_timelocked_weights` must name.
    pub version: u16,
    /// Compressed, in G2. Signatures are in G1.
    pub public_key: [u8; TIMELOCK_KEY_BYTES],
    pub rounds: Rounds,
    /// The newest round whose signature the chain holds.
    pub last_round: u64,
}

/// When a beacon's rounds come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// Round `n` comes with block `n`.
    Blocks,
    /// Round 1 came at `genesis`, in seconds since the Unix epoch, and one each `period` seconds since. Blocks come
    /// each `block_millis` on average.
    Clock { genesis: u64, period: u64, block_millis: u64 },
}
