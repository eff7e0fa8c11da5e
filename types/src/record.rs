//! The records of a validator's journal, version 1.
//!
//! An epoch's records alone give its vector back: the context carries in what earlier epochs left behind. Bytes
//! that several records share (requests, answers, reference outputs) are blobs, named by their SHA-256.

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    Beacon, Block, Digest, Epoch, Hotkey, Intent, IntentUpdate, Judgement, Mark, MechId, Netuid,
    RegistrationId, Standing, SubnetState, Uid,
};

/// The version of every type in this module. A reader refuses any other.
pub const RECORD_VERSION: u16 = 1;

/// One entry of the journal. The SCALE index of each variant is its identity on disk.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Bytes that other records name by digest.
    #[codec(index = 0)]
    Blob {
        #[serde(with = "hex_bytes")]
        bytes: Vec<u8>,
    },
    #[codec(index = 1)]
    EpochOpened(Box<EpochContext>),
    #[codec(index = 2)]
    Asked(Asked),
    #[codec(index = 3)]
    Judged(Judged),
    #[codec(index = 4)]
    Intent(Intent),
    #[codec(index = 5)]
    IntentUpdate(IntentUpdate),
    /// The epoch published nothing, and why.
    #[codec(index = 6)]
    Abstained { epoch: Epoch, why: String },
    /// Registrations that left their uid after the epoch was opened, found just before weighing: they get nothing.
    #[codec(index = 7)]
    Departed { epoch: Epoch, block: Block, who: Vec<RegistrationId> },
    /// What carried standings rest on, where the policy's averages need more than the standing itself.
    #[codec(index = 8)]
    Trails { epoch: Epoch, trails: Vec<Trail> },
    /// Miners whose answers to a shared challenge were more alike than the judge expects.
    #[codec(index = 9)]
    Likeness(Likeness),
    /// What the reference says of one answer, where it can only be asked once the answer is there.
    #[codec(index = 10)]
    Evidence(Evidence),
}

/// What a [`Standing`] rests on: needed by windows, significance, ramps and places that have to be held.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Trail {
    pub who: RegistrationId,
    /// The epoch of the first verdict.
    pub since: Epoch,
    /// Variance of the average, in 10^-12.
    pub variance: u64,
    /// Share of the newest judged epoch's challenges answered in time, in billionths.
    pub answered: u32,
    /// The newest judged epoch's capacity over the policy's, in billionths.
    pub capacity: u32,
    /// The place among the ranked when the epoch before was weighed.
    pub place: Option<u16>,
    /// The newest epochs, oldest first.
    pub window: Vec<TrailEpoch>,
}

/// One epoch in a [`Trail`]'s window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct TrailEpoch {
    pub epoch: Epoch,
    pub mean: Mark,
    pub count: u32,
    /// Variance of the epoch's values, in 10^-12.
    pub variance: u64,
}

/// One shared round's likeness beyond what the judge expects.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Likeness {
    pub epoch: Epoch,
    pub round: u32,
    /// Everybody whose answer was compared, ascending.
    pub compared: Vec<RegistrationId>,
    /// Groups of at least two, each ascending, in the order of their first.
    pub groups: Vec<Vec<RegistrationId>>,
}

/// All that an epoch's decision depends on besides its judgements.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EpochContext {
    pub epoch: Epoch,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub genesis: Digest,
    pub validator: Hotkey,
    /// Metagraph, hyperparameters and schedule at the block where this epoch was opened.
    pub state: SubnetState,
    pub beacon: Beacon,
    /// The policy file, verbatim.
    #[serde(with = "hex_bytes")]
    pub policy: Vec<u8>,
    /// The task file, verbatim; it names the reference model by digest.
    #[serde(with = "hex_bytes")]
    pub task: Vec<u8>,
    /// What the epoch before left behind, ascending by registration.
    pub carried: Vec<Standing>,
    pub software: String,
}

/// Whom a challenge was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum ChallengeScope {
    /// The same for every miner of the round.
    #[codec(index = 0)]
    Shared,
    /// For one hotkey only.
    #[codec(index = 1)]
    Private { miner: Hotkey },
}

/// A challenge that is about to be sent: durable before the first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Asked {
    pub challenge: Digest,
    pub epoch: Epoch,
    pub round: u32,
    pub scope: ChallengeScope,
    /// The VRF output that seeds the challenge, and its proof under the validator's hotkey.
    #[serde(with = "hex_bytes")]
    pub vrf_output: Vec<u8>,
    #[serde(with = "hex_bytes")]
    pub vrf_proof: Vec<u8>,
    /// The blob of the reference's output.
    pub reference: Digest,
}

/// What went over the wire, by blob.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Exchange {
    /// The framed request as sent.
    pub request: Digest,
    /// The framed answer as received.
    pub answer: Digest,
    /// The model the miner says it ran; covered by its signature.
    pub model: Digest,
    /// The encoded answer signature from the trailer.
    #[serde(with = "hex_bytes")]
    pub signature: Vec<u8>,
    /// Measured by the validator, from the first byte sent to the last received.
    pub latency_us: u64,
}

/// The reference's word on one miner's answer; written in one commit with the verdict that rests on it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Evidence {
    pub epoch: Epoch,
    pub round: u32,
    pub challenge: Digest,
    pub who: RegistrationId,
    /// The blob that holds it.
    pub blob: Digest,
    /// How many of the answer's tokens fell into each bin of the sequential test; empty where the task has none.
    pub bins: Vec<u32>,
}

/// Why there is no answer to judge.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum Failure {
    /// The neuron published no axon, or one that can't be dialled.
    #[codec(index = 0)]
    NoAxon,
    #[codec(index = 1)]
    Unreachable,
    #[codec(index = 2)]
    DeadlineExceeded,
    /// The miner refused or failed with this gRPC status code.
    #[codec(index = 3)]
    Status { code: u8 },
    /// The answer is over the cap.
    #[codec(index = 4)]
    Oversized,
    /// Not a gRPC answer, or one that can't be decoded.
    #[codec(index = 5)]
    Undecodable,
    /// No answer signature, or a wrong one.
    #[codec(index = 6)]
    BadSignature,
}

impl Failure {
    /// As in exported tables: a query compares with it.
    pub fn code(&self) -> String {
        match self {
            Self::NoAxon => "no axon".to_owned(),
            Self::Unreachable => "unreachable".to_owned(),
            Self::DeadlineExceeded => "deadline exceeded".to_owned(),
            Self::Status { code } => format!("grpc status {code}"),
            Self::Oversized => "oversized".to_owned(),
            Self::Undecodable => "undecodable".to_owned(),
            Self::BadSignature => "bad signature".to_owned(),
        }
    }

    /// Whether something came back, though no answer.
    pub fn is_unusable(&self) -> bool {
        matches!(self, Self::Oversized | Self::Undecodable | Self::BadSignature)
    }
}

/// In a sentence: "silent 2 times: unreachable", "1 answer over the size cap".
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAxon => f.write_str("no axon to dial"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::DeadlineExceeded => f.write_str("deadline exceeded"),
            Self::Status { code } => write!(f, "gRPC status {code}"),
            Self::Oversized => f.write_str("over the size cap"),
            Self::Undecodable => f.write_str("not decodable"),
            Self::BadSignature => f.write_str("without a valid signature"),
        }
    }
}

/// One attempt's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Judged {
    pub challenge: Digest,
    pub epoch: Epoch,
    pub round: u32,
    pub uid: Uid,
    pub who: RegistrationId,
    /// `None` when nothing judgeable came back; the judgement then says why.
    pub exchange: Option<Exchange>,
    pub judgement: Judgement,
}

/// Byte strings as hexadecimal in JSON.
pub(crate) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
