//! Records of what was asked and what came back: challenges, later stages of one challenge, exchanges.

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Fields, hex_bytes};
use crate::{Digest, Epoch, Hotkey, RegistrationId, Uid};

/// Miners that a challenge was made for.
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
pub struct ChallengeRecord {
    pub challenge: Digest,
    pub epoch: Epoch,
    pub round: u32,
    pub scope: ChallengeScope,
    /// The VRF output that seeds the challenge, and its proof under the validator's hotkey.
    #[serde(with = "hex_bytes")]
    pub vrf_output: Vec<u8>,
    #[serde(with = "hex_bytes")]
    pub vrf_proof: Vec<u8>,
    /// The kind of task that drew it. Version 1 leaves this empty: the epoch's task file says it.
    pub kind: String,
    /// The blob of the framed request of the first stage. Version 1 names it in exchanges only. Where the question is divided among
    /// the miners that `fields` names, it is the whole, and each is sent the part that its [`FollowUp`] of stage 0 names.
    pub request: Option<Digest>,
    /// The blob of what the kind keeps to itself, as the kind writes it; absent where the seed gives it back.
    pub secret: Option<Digest>,
    /// The blob of the reference's output, as the kind writes it; absent where the reference comes after the answers.
    pub reference: Option<Digest>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// The request of a later stage of a challenge (a reveal after a commit), or one miner's part of a question that is divided: durable
/// before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct FollowUp {
    pub challenge: Digest,
    pub epoch: Epoch,
    pub round: u32,
    /// Counts from 1: stage 0 is the one that [`ChallengeRecord`] opens, and has a record of its own where not all are asked the
    /// same.
    pub stage: u8,
    /// The miner that the request was made for; absent where all get the same.
    pub who: Option<RegistrationId>,
    /// The blob of the framed request.
    pub request: Digest,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// Request and answer as they went over the wire, by blob.
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

/// The end of one stage with one miner, where a verdict doesn't follow in the same commit: an earlier stage of several,
/// or an answer whose truth comes later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct StageRecord {
    pub challenge: Digest,
    /// The epoch in which the exchange took place.
    pub epoch: Epoch,
    pub round: u32,
    pub stage: u8,
    pub uid: Uid,
    pub who: RegistrationId,
    pub outcome: Result<Exchange, Failure>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
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

    /// True if something came back, though no answer.
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
