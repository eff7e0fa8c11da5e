//! Records of challenges whose truth comes in a later epoch than the one that asked.
//!
//! A challenge is open from its [`ChallengeRecord`] on, takes no more answers once it is closed, and ends resolved or lapsed. Each epoch
//! that begins in between takes it over whole in a [`CarriedChallenge`], so that the file of the epoch that resolves it
//! is enough to reach its verdicts again.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{ChallengeRecord, Fields, StageRecord};
use crate::{Beacon, Digest, Epoch};

/// A step of a challenge whose truth comes later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct PhaseChange {
    /// The epoch in which the step was made.
    pub epoch: Epoch,
    pub challenge: Digest,
    /// The epoch that asked.
    pub asked_in: Epoch,
    pub phase: ChallengePhase,
    /// Names the operator whose word a truth is, where it can't be derived.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// Phase of a challenge that lives longer than its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum ChallengePhase {
    /// Answers were taken and their signatures checked; more are not.
    #[codec(index = 0)]
    Closed,
    /// The truth is known: the blob holds it, as the kind writes it. Verdicts follow in the same commit.
    #[codec(index = 1)]
    Resolved { truth: Digest },
    /// No truth came in time. Nobody is judged.
    #[codec(index = 2)]
    Lapsed { why: String },
}

/// A challenge of an earlier epoch that is neither resolved nor lapsed, taken over when an epoch opens. The blobs that
/// its records name are in this epoch's file as well.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CarriedChallenge {
    /// The epoch that takes it over; `asked.epoch` is the one that asked.
    pub epoch: Epoch,
    pub asked: ChallengeRecord,
    /// The beacon of the epoch that asked: with the task file it gives the VRF's input back.
    pub beacon: Beacon,
    /// The blob of the task file of the epoch that asked.
    pub task: Digest,
    /// The epoch in which it was closed; `None` while it takes answers.
    pub closed_in: Option<Epoch>,
    /// Every stage with every miner so far, in the order of their records.
    pub answers: Vec<StageRecord>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

impl CarriedChallenge {
    /// The first field, of its own or of the records within, that this version doesn't know.
    pub(super) fn unknown(&self) -> Option<String> {
        let answers = self.answers.iter().map(|answered| &answered.fields);
        let mut all = [&self.fields, &self.asked.fields].into_iter().chain(answers);
        all.find_map(Fields::unknown).map(ToString::to_string)
    }
}
