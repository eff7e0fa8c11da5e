//! Records about a whole epoch: the context that opens it, and the averages that it carries in.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Fields, hex_bytes};
use crate::sealed::{Author, ChainRoot};
use crate::{Beacon, Digest, Epoch, Hotkey, Mark, MechId, Netuid, RegistrationId, Standing, SubnetState};

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
    /// Standings that the epoch before left behind, ascending by registration.
    pub carried: Vec<Standing>,
    pub software: String,
    /// The judge that the task file asks for. Records of version 1 don't say: absent means version 1 of the task's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeIdentity>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

impl EpochContext {
    /// A miner who answers a challenge, as its commitment names it.
    pub fn author(&self, challenge: Digest, hotkey: Hotkey, root: Option<ChainRoot>) -> Author {
        Author { genesis: self.genesis, netuid: self.netuid, challenge: challenge.to_string(), hotkey, root }
    }

    /// The kind of task that the epoch asks. Records of version 1 have it in the task file alone; `None` where that can't be read.
    pub fn kind(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct KindLine {
            kind: String,
        }
        if let Some(judge) = &self.judge {
            return Some(judge.kind.clone());
        }
        // Of the task file only this line is read: its other keys may be those of a later version.
        let text = std::str::from_utf8(&self.task).ok()?;
        crate::config::parse(text).ok().map(|KindLine { kind }| kind)
    }

    /// The version of the judge that reaches this epoch's verdicts.
    pub fn judge_version(&self) -> u32 {
        self.judge.as_ref().map_or(JudgeIdentity::FIRST_VERSION, |judge| judge.version)
    }
}

/// The judge whose verdicts an epoch records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct JudgeIdentity {
    /// The kind of task, as in the task file.
    pub kind: String,
    pub version: u32,
    /// The digest of the files of a judge that runs out of process; absent for one that is part of the software. A
    /// remote judge's digest is its operator's word: the context's fields then name the operator.
    pub digest: Option<Digest>,
}

impl JudgeIdentity {
    /// The version of a judge whose task file names none.
    pub const FIRST_VERSION: u32 = 1;
}

/// The epoch of another validator whose averages a new validator began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartedFrom {
    pub validator: Hotkey,
    pub epoch: Epoch,
    /// The Merkle root over its records.
    pub root: Digest,
}

/// Figures that a [`Standing`] rests on: needed by windows, significance, ramps and places that have to be held.
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
