//! The records of a validator's journal, version 2.
//!
//! An epoch's records alone give its vector back: the context carries in what earlier epochs left behind. Bytes
//! that several records share (requests, answers, reference outputs) are blobs, named by their SHA-256. A kind of task
//! puts its own bytes into blobs too (secrets, references, evidence, truths), and only that kind reads them.
//!
//! Records of version 1 are read by [`v1`] and become records of this version.

mod fields;

mod asked;
mod checks;
mod closing;
mod epoch;
mod judged;
mod later;
mod log;
mod receipts;

mod awaiting;

pub mod v1;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Blob, Block, Epoch, Intent, IntentUpdate, RegistrationId};

pub use asked::{ChallengeRecord, ChallengeScope, Exchange, Failure, FollowUp, StageRecord};
pub use awaiting::{LaterAnswer, LaterAnswers};
pub use checks::{CheckDraw, CheckedMiner, EarlierChecks, OpenWalk, RecentMarks};
pub use closing::{EpochClosed, EpochCounts, Receipt, VoidCause, VoidRound};
pub use epoch::{EpochContext, JudgeIdentity, StartedFrom, Trail, TrailEpoch};
pub use fields::{Field, FieldValue, Fields};
pub use judged::{Evidence, JointJudgement, JointMember, Likeness, VerdictRecord};
pub use later::{CarriedChallenge, ChallengePhase, PhaseChange};
pub use log::{CertifiedKey, CheckpointRecord, LogKeyUse, LogOpening, LogPlace, NextEpoch, key_name};
pub use receipts::{AnswerReceipt, RoundReceipts};

/// The version of every type in this module, and the one that is written.
pub const RECORD_VERSION: u16 = 2;

/// One entry of the journal. The SCALE index of each variant is its identity on disk.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// Bytes that other records name by digest.
    #[codec(index = 0)]
    Blob(Blob),
    #[codec(index = 1)]
    EpochOpened(Box<EpochContext>),
    #[codec(index = 2)]
    Asked(ChallengeRecord),
    #[codec(index = 3)]
    Judged(VerdictRecord),
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
    /// Trails behind the carried standings, where the policy's averages need more than the standing itself.
    #[codec(index = 8)]
    Trails { epoch: Epoch, trails: Vec<Trail> },
    /// Miners whose answers to a shared challenge were more alike than the judge expects.
    #[codec(index = 9)]
    Likeness(Likeness),
    /// The reference's word on one answer, where it can only be asked once the answer is there.
    #[codec(index = 10)]
    Evidence(Evidence),
    /// A later stage of a challenge is about to be asked.
    #[codec(index = 11)]
    FollowUp(FollowUp),
    /// A stage's end without a verdict yet.
    #[codec(index = 12)]
    Answered(StageRecord),
    #[codec(index = 13)]
    JudgedTogether(JointJudgement),
    #[codec(index = 14)]
    PhaseChange(PhaseChange),
    #[codec(index = 15)]
    CarriedChallenge(Box<CarriedChallenge>),
    #[codec(index = 16)]
    VoidRound(VoidRound),
    #[codec(index = 17)]
    EpochClosed(EpochClosed),
    /// A record of later date: its name and what it says. A reader that doesn't know the name refuses the record by it.
    #[codec(index = 18)]
    Extension(Extension),
    /// The time at which the validator first saw a finalised block, by its own clock, in microseconds since the Unix epoch.
    /// Nothing is decided by it.
    #[codec(index = 19)]
    BlockSeen { block: Block, unix_us: u64 },
    /// The checks of earlier epochs, right behind the context.
    #[codec(index = 20)]
    EarlierChecks(EarlierChecks),
    /// In the commit of a round's verdicts, before them.
    #[codec(index = 21)]
    CheckDraw(CheckDraw),
    /// In the commit of a round's verdicts, behind them.
    #[codec(index = 22)]
    RoundReceipts(RoundReceipts),
    /// Behind the closing record; once more where more witnesses have signed.
    #[codec(index = 23)]
    Checkpoint(CheckpointRecord),
}

/// A record whose layout is its fields alone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Extension {
    pub name: String,
    pub epoch: Epoch,
    pub fields: Fields,
}

impl Record {
    /// The name of what this version doesn't know in the record, if there is anything.
    pub fn unknown(&self) -> Option<String> {
        let fields = match self {
            Self::EpochOpened(context) => &context.fields,
            Self::Asked(asked) => &asked.fields,
            Self::FollowUp(follow_up) => &follow_up.fields,
            Self::Answered(answered) => &answered.fields,
            Self::Judged(judged) => &judged.fields,
            Self::Evidence(evidence) => &evidence.fields,
            Self::JudgedTogether(joint) => &joint.fields,
            Self::PhaseChange(change) => &change.fields,
            // It holds whole records, each of which may have unknown fields of its own.
            Self::CarriedChallenge(carried) => return carried.unknown(),
            Self::EpochClosed(closed) => &closed.fields,
            Self::EarlierChecks(checks) => &checks.fields,
            Self::CheckDraw(draw) => &draw.fields,
            Self::RoundReceipts(receipts) => &receipts.fields,
            Self::Checkpoint(checkpoint) => &checkpoint.fields,
            // This version has no extensions yet, so that each of them is a later version's.
            Self::Extension(extension) => return Some(extension.name.clone()),
            Self::Blob(_)
            | Self::Intent(_)
            | Self::IntentUpdate(_)
            | Self::Abstained { .. }
            | Self::Departed { .. }
            | Self::Trails { .. }
            | Self::Likeness(_)
            | Self::VoidRound(_)
            | Self::BlockSeen { .. } => return None,
        };
        fields.unknown().map(ToString::to_string)
    }
}

/// Byte strings as hexadecimal in JSON.
pub(crate) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        const_hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
