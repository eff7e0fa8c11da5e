//! Refusal of records that no vector follows from.

use weighhouse_types::{Epoch, Hotkey, Uid};

use crate::policy::PolicyError;

/// Records that are not one epoch's, or contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeighError {
    #[error("no record opens the epoch")]
    NoContext,
    #[error("a second record opens an epoch: {second} after {first}")]
    SecondContext { first: Epoch, second: Epoch },
    #[error("{0}")]
    Policy(#[from] PolicyError),
    #[error("the epoch's metagraph shows uid {uid} at position {position}")]
    MetagraphOrder { uid: Uid, position: usize },
    #[error("likeness of epoch {found}, the records open epoch {opened}")]
    LikenessElsewhere { found: Epoch, opened: Epoch },
    #[error("a trail of {who} without a carried standing")]
    TrailWithoutStanding { who: Hotkey },
    #[error("the trail of {who} comes twice, or holds a window that no policy makes")]
    Trail { who: Hotkey },
    #[error("trails of epoch {found}, the records open epoch {opened}")]
    TrailsElsewhere { found: Epoch, opened: Epoch },
    #[error("a second record takes over the checks of earlier epochs")]
    SecondChecks,
    #[error("checks of epoch {found}, the records open epoch {opened}")]
    ChecksElsewhere { found: Epoch, opened: Epoch },
    #[error("the earlier checks of {who} come twice or out of order")]
    ChecksOrder { who: Hotkey },
    #[error("uid {uid} was judged in epoch {judged}, the records open epoch {opened}")]
    WrongEpoch { uid: Uid, judged: Epoch, opened: Epoch },
    #[error("departures of epoch {departed}, the records open epoch {opened}")]
    DepartedElsewhere { departed: Epoch, opened: Epoch },
    #[error("uid {uid} was judged but is not in the epoch's metagraph")]
    UnknownUid { uid: Uid },
    #[error("uid {uid} was judged as {judged}, another registration than the epoch's metagraph shows")]
    WrongRegistration { uid: Uid, judged: Hotkey },
    #[error("uid {uid} was judged twice on one challenge of round {round}")]
    JudgedTwice { uid: Uid, round: u32 },
    #[error("the carried standing of {who} comes twice or out of order")]
    CarriedOrder { who: Hotkey },
    #[error("the carried standing of {who} is from epoch {judged_in}, not from before this one")]
    CarriedFromFuture { who: Hotkey, judged_in: Epoch },
}
