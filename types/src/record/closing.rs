//! Records that bring an epoch to its end: void rounds, receipts, and the closing record.

use std::collections::BTreeSet;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Fields, Record, fields::cut, hex_bytes};
use crate::{Block, Digest, Epoch};

/// The longest account of why a round is void, in bytes.
const WHY_BYTES_MAX: usize = 1 << 10;

/// A round that failed through the validator's own trouble. Nobody is charged for it, and it isn't asked again: whoever has
/// no verdict in it by now gets none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct VoidRound {
    pub epoch: Epoch,
    pub round: u32,
    pub cause: VoidCause,
    pub why: String,
}

impl VoidRound {
    /// Cuts the account to a length that is fit for a record.
    pub fn new(epoch: Epoch, round: u32, cause: VoidCause, why: &str) -> Self {
        Self { epoch, round, cause, why: cut(why, WHY_BYTES_MAX) }
    }
}

/// The part of the validator that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidCause {
    /// The reference gave no word: a model, or the server that runs it.
    #[codec(index = 0)]
    Reference,
    /// The judge was away, slow or wrong.
    #[codec(index = 1)]
    Judge,
    /// There was no room in a queue or a pool of ours.
    #[codec(index = 2)]
    Capacity,
    /// The round was never asked: the validator was away or had no permit, or nobody served.
    #[codec(index = 3)]
    Unasked,
    /// Nothing came back from anybody: the network between here and all of them failed, and not each of them.
    #[codec(index = 4)]
    Network,
    /// The validator's own miner, which is asked with every round as the others are, gave no answer or a late one.
    #[codec(index = 5)]
    Canary,
}

impl VoidCause {
    pub const ALL: [Self; 6] =
        [Self::Reference, Self::Judge, Self::Capacity, Self::Unasked, Self::Network, Self::Canary];

    /// As in JSON, tables and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Judge => "judge",
            Self::Capacity => "capacity",
            Self::Unasked => "unasked",
            Self::Network => "network",
            Self::Canary => "canary",
        }
    }
}

/// An answer that the validator acknowledges to have received: a leaf of the tree whose root closes the epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
pub struct Receipt {
    pub challenge: Digest,
    /// The digest of the framed answer.
    pub answer: Digest,
    /// The miner's, over request, answer and model.
    #[serde(with = "hex_bytes")]
    pub signature: Vec<u8>,
}

impl Receipt {
    /// Every answer that was received in the epoch of these records, once, in the order of the records.
    pub fn all<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<Self> {
        let mut known = BTreeSet::new();
        let received = records.into_iter().filter_map(|record| match record {
            // An answer taken over from an earlier epoch has its receipt there.
            Record::Judged(judged) if judged.asked_in == judged.epoch => {
                Some((judged.challenge, judged.exchange.as_ref()?))
            }
            Record::Answered(answered) => Some((answered.challenge, answered.outcome.as_ref().ok()?)),
            _ => None,
        });
        let receipts = received.map(|(challenge, exchange)| Self {
            challenge,
            answer: exchange.answer,
            signature: exchange.signature.clone(),
        });
        receipts.filter(|receipt| known.insert(receipt.clone())).collect()
    }
}

/// The end of an epoch's evidence: after it come only news of intents.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EpochClosed {
    pub epoch: Epoch,
    /// The newest finalised block when the epoch was closed.
    pub block: Block,
    pub counts: EpochCounts,
    /// The root of the Merkle tree (RFC 6962) over the SCALE of the epoch's [`Receipt`]s.
    pub receipts: Digest,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// The number of an epoch's records by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EpochCounts {
    pub challenges: u32,
    /// Receipts: the leaves of the closing record's tree.
    pub receipts: u32,
    pub verdicts: u32,
    pub void_rounds: u32,
}

impl EpochCounts {
    pub fn of<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> Self {
        let count = |is: fn(&Record) -> bool| {
            u32::try_from(records.clone().filter(|record| is(record)).count()).unwrap_or(u32::MAX)
        };
        Self {
            challenges: count(|record| matches!(record, Record::Asked(_))),
            receipts: u32::try_from(Receipt::all(records.clone()).len()).unwrap_or(u32::MAX),
            verdicts: count(|record| matches!(record, Record::Judged(_))),
            void_rounds: count(|record| matches!(record, Record::VoidRound(_))),
        }
    }
}
