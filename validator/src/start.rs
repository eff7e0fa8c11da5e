//! The start of a new validator: the averages that another validator's epochs left, once its verdicts were reached again.
//!
//! Without them a new validator knows nobody, and its first weights are far from those of the others.

use std::io;

use serde::{Deserialize, Serialize};
use weighhouse_journal::{Segment, SegmentError, epoch_of_name, segment_name};
use weighhouse_scoring::{Closing, WeighError};
use weighhouse_seams::Storage;
use weighhouse_types::{Digest, LogPlace, Record, Standing, StartedFrom, Trail};

use crate::audit::opening;

/// The file in a new journal's folder.
const FILE: &str = "start.json";

/// What a new validator's first epoch is opened with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    pub from: StartedFrom,
    pub place: LogPlace,
    /// Of the policy's and the task's bytes: averages under others mean something else.
    pub policy: Digest,
    pub task: Digest,
    pub standings: Vec<Standing>,
    pub trails: Vec<Trail>,
}

/// Why there is nothing to start from.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error(transparent)]
    Weigh(#[from] WeighError),
    #[error("no record opens the epoch")]
    NoContext,
    #[error("the epoch isn't over: no closing record ends it")]
    Open,
    #[error("the scores of this epoch were made elsewhere: nothing can be taken from them")]
    ScoredElsewhere,
    #[error("the journal has epochs of its own, and goes on from them")]
    HasEpochs,
    #[error("can't write it: {0}")]
    Io(#[from] io::Error),
    #[error(
        "{file}: no start of a validator ({why}); make it anew with `weighhouse validator start-from`, or remove it"
    )]
    Unreadable { file: String, why: String },
}

impl Start {
    /// What an epoch leaves to the next one. Its verdicts are the caller's to reach again first.
    ///
    /// # Errors
    /// A file that can't be read as an epoch that is over and was judged.
    pub fn of(file: &[u8]) -> Result<Self, StartError> {
        let segment = Segment::read(file)?;
        let context = opening(segment.records()).ok_or(StartError::NoContext)?;
        if context.fields.are_scored_elsewhere() {
            return Err(StartError::ScoredElsewhere);
        }
        if !segment.records().iter().any(|record| matches!(record, Record::EpochClosed(_))) {
            return Err(StartError::Open);
        }
        let Closing { standings, trails } = weighhouse_scoring::closing(segment.records())?;
        Ok(Self {
            from: StartedFrom { validator: context.validator, epoch: context.epoch, root: segment.root() },
            place: LogPlace {
                genesis: context.genesis,
                netuid: context.netuid,
                mechanism: context.mechanism,
            },
            policy: Digest::of(&context.policy),
            task: Digest::of(&context.task),
            standings,
            trails,
        })
    }

    /// Puts it where a validator with this folder finds it when it opens its first epoch.
    ///
    /// # Errors
    /// A folder with epochs of its own, or that can't be written.
    pub fn write(&self, storage: &dyn Storage) -> Result<(), StartError> {
        if storage.list()?.iter().any(|name| epoch_of_name(name).is_some()) {
            return Err(StartError::HasEpochs);
        }
        let json = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        Ok(storage.write_atomic(FILE, &json)?)
    }

    pub(crate) fn read(storage: &dyn Storage) -> Result<Option<Self>, StartError> {
        let Some(bytes) = storage.read(FILE)? else { return Ok(None) };
        let unreadable = |error: serde_json::Error| StartError::Unreadable {
            file: storage.describe(FILE),
            why: error.to_string(),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
    }

    /// Why an epoch that is opened with this policy and task can't begin with it.
    pub(crate) fn unfit(&self, place: &LogPlace, policy: &[u8], task: &[u8]) -> Option<&'static str> {
        if self.place != *place {
            Some("it is of another chain, subnet or mechanism")
        } else if self.policy != Digest::of(policy) {
            Some("its policy is another one")
        } else if self.task != Digest::of(task) {
            Some("its task is another one")
        } else {
            None
        }
    }
}

/// The task file of the newest epoch in a journal's folder; `None` of an empty or unreadable one.
pub fn task_under_way(storage: &dyn Storage) -> Option<Vec<u8>> {
    let mut epochs: Vec<_> = storage.list().ok()?.iter().filter_map(|name| epoch_of_name(name)).collect();
    epochs.sort_unstable();
    // A crash may have left the newest without its opening.
    epochs.iter().rev().take(2).find_map(|epoch| {
        let bytes = storage.read(&segment_name(*epoch)).ok()??;
        let (segment, _) = Segment::read_whole_commits(&bytes).ok()?;
        opening(segment.records()).map(|context| context.task.clone())
    })
}
