//! Records of what was found: verdicts, what they rest on, and findings about several answers together.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Exchange, Fields};
use crate::{Digest, Epoch, Judgement, RegistrationId, Uid};

/// One attempt's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct VerdictRecord {
    pub challenge: Digest,
    /// The epoch whose weights the verdict counts for.
    pub epoch: Epoch,
    pub round: u32,
    pub uid: Uid,
    pub who: RegistrationId,
    /// `None` when nothing judgeable came back; the judgement then says why.
    pub exchange: Option<Exchange>,
    pub judgement: Judgement,
    /// The epoch that asked: an earlier one than `epoch` where the truth came later.
    pub asked_in: Epoch,
    /// The stage that `exchange` belongs to. Earlier stages are in records of [`StageRecord`](super::StageRecord).
    pub stage: u8,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// The reference's word on one miner's answer; written in one commit with the verdict that rests on it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Evidence {
    pub epoch: Epoch,
    pub round: u32,
    pub challenge: Digest,
    pub who: RegistrationId,
    /// The blob that holds it, as the kind writes it.
    pub blob: Digest,
    /// Number of the answer's tokens in each bin of the sequential test; empty where the task has none.
    pub bins: Vec<u32>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
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

/// Answers that were judged together: written in one commit with its members' verdicts, ahead of them. The verdicts
/// follow from the members' answers and from `findings`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct JointJudgement {
    pub epoch: Epoch,
    pub round: u32,
    /// The epoch that asked, as in [`VerdictRecord`].
    pub asked_in: Epoch,
    /// Everybody whose answer went in, ascending.
    pub members: Vec<JointMember>,
    /// The blob of what the kind found of them together, as the kind writes it; absent where the answers give it back.
    pub findings: Option<Digest>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// One answer within a [`JointJudgement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
pub struct JointMember {
    pub challenge: Digest,
    pub who: RegistrationId,
}
