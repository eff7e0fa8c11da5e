//! That an answer was received, as a miner can show it to others; `wallet::receipt` signs and checks it.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{AnswerReceipt, Digest, Epoch, EpochContext, Hotkey, MechId, Netuid};

/// The most nodes of a proof: no round has more answers than its tree would have leaves.
pub const PATH_MAX: usize = 32;

/// The round whose answers are signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ReceiptedRound {
    pub genesis: Digest,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub validator: Hotkey,
    pub epoch: Epoch,
    pub round: u32,
    /// When the validator recorded the round, by its clock, in microseconds since the Unix epoch.
    pub unix_us: u64,
}

/// One answer that a validator has signed for, with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub round: ReceiptedRound,
    pub receipt: AnswerReceipt,
    /// The leaf's place among so many.
    pub index: u64,
    pub size: u64,
    pub path: Vec<Digest>,
    pub signature: Vec<u8>,
}

impl ReceiptedRound {
    /// The round of an epoch that this context opened.
    pub fn of(context: &EpochContext, round: u32, unix_us: u64) -> Self {
        let EpochContext { genesis, netuid, mechanism, validator, epoch, .. } = *context;
        Self { genesis, netuid, mechanism, validator, epoch, round, unix_us }
    }
}
