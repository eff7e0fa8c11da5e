//! The vocabulary every other crate speaks: identities, amounts, blocks, the metagraph, judgements, weights, and
//! the records of a validator's journal.
//!
//! Everything here is a value. Nothing reads a clock, a file or a socket, and every number that decides something
//! is an integer.

pub mod address;
pub mod config;
mod digest;
mod ids;
mod ss58;
pub mod tao;

mod commit;
mod metagraph;

mod judge;
mod judgement;
mod weights;

mod blob;
mod intent;
pub mod notify;
pub mod profile;
mod receipt;
mod record;
pub mod sample;
pub mod scans;
pub mod sealed;
mod statement;
mod tensor;
pub mod text;

pub use blob::Blob;
pub use commit::{
    Child, CommitContent, Commitment, Delegation, MechanismRows, Mechanisms, Rounds, TIMELOCK_KEY_BYTES,
    Timelock, WeightCommit,
};
pub use digest::{Digest, Hasher};
pub use ids::{Block, Coldkey, Epoch, Hotkey, MechId, Netuid, Rao, RegistrationId, Uid};
pub use intent::{Intent, IntentState, IntentUpdate, Seal};
pub use judge::{
    DrawSeed, DrawnChallenge, JointVerdicts, JudgeAttempt, JudgeDescription, JudgeLimits, JudgeTerms,
    LaterChallenge,
};
pub use judgement::{Detail, Gist, Judgement, Mark, Outcome, Reason, Remark, RemarkError, Score, Standing};
pub use metagraph::{
    Axon, Beacon, Certificate, Head, Hyperparameters, Metagraph, Neuron, Schedule, SubnetState,
};
pub use receipt::{Acknowledgement, PATH_MAX, ReceiptedRound};
pub use record::{
    AnswerReceipt, CarriedChallenge, CertifiedKey, ChallengePhase, ChallengeRecord, ChallengeScope,
    CheckDraw, CheckedMiner, CheckpointRecord, EarlierChecks, EpochClosed, EpochContext, EpochCounts,
    Evidence, Exchange, Extension, Failure, Field, FieldValue, Fields, FollowUp, JointJudgement, JointMember,
    JudgeIdentity, LaterAnswer, LaterAnswers, Likeness, LogKeyUse, LogOpening, LogPlace, NextEpoch, OpenWalk,
    PhaseChange, RECORD_VERSION, Receipt, RecentMarks, Record, RoundReceipts, StageRecord, StartedFrom,
    Trail, TrailEpoch, VerdictRecord, VoidCause, VoidRound, key_name, v1,
};
pub use ss58::{SS58_PREFIX, Ss58Error};
pub use statement::{JudgedAnswer, Loss, LossExample, PayStatement, SubnetPay, ToldReason};
pub use tensor::{Datatype, InferAnswer, InferRequest, Tensor, TensorError};
pub use weights::{WeightVector, WeightVectorError};
