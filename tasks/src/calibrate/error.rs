//! Why a task isn't calibrated.

use weighhouse_types::text::TextError;

use crate::error::TaskError;

/// A failure to calibrate.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    #[error("kind = \"{kind}\" has no limits to calibrate")]
    Nothing { kind: &'static str },
    #[error("no challenges to measure by")]
    NoChallenges,
    #[error("there is no cheat named {name:?} in the table")]
    NoCheat { name: String },
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("{who}: {why}")]
    Answer { who: String, why: String },
    #[error(
        "{who} answers greedily only, and the task samples by gumbel/v1: calibrate a task with sampler = \"greedy\""
    )]
    GreedyOnly { who: String },
    #[error("an honest answer of {who} is refused whatever the limits: {why}")]
    Form { who: String, why: String },
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the figures: {0}")]
    Json(#[from] serde_json::Error),
}

/// A failure to write limits into a task's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the task file has no line {0:?} to write limits below")]
    NoSection(&'static str),
}
