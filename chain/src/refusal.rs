//! Refusals of a call, by the runtime's own error names and with the figures and advice that the name leaves out.
//!
//! One list for both chains, because the ledger's refusals are part of its recorded blocks: an index never changes.

use parity_scale_codec::{Decode, Encode};
use serde::Serialize;
use weighhouse_types::{Block, Digest, Hotkey, Netuid, Rao, Uid};

/// Reason for which a call had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, thiserror::Error)]
#[serde(tag = "refusal")]
pub enum Refusal {
    #[codec(index = 0)]
    #[error("SubnetNotExists: there is no subnet {netuid}")]
    SubnetNotExists { netuid: Netuid },
    #[codec(index = 1)]
    #[error("CanNotSetRootNetworkWeights: the root subnet takes no weights")]
    CanNotSetRootNetworkWeights,
    #[codec(index = 2)]
    #[error("WeightVecNotEqualSize: {uids} uids but {values} values")]
    WeightVecNotEqualSize { uids: u32, values: u32 },
    #[codec(index = 3)]
    #[error("MechanismDoesNotExist: the subnet has no mechanism {mechanism}")]
    MechanismDoesNotExist { mechanism: u8 },
    #[codec(index = 4)]
    #[error("UidsLengthExceedUidsInSubNet: {uids} uids, the subnet has {neurons}")]
    UidsLengthExceedUidsInSubNet { uids: u32, neurons: u32 },
    #[codec(index = 5)]
    #[error("HotKeyNotRegisteredInSubNet: register the hotkey first")]
    HotKeyNotRegisteredInSubNet,
    #[codec(index = 6)]
    #[error("NotEnoughStakeToSetWeights: {missing} rao more are needed")]
    NotEnoughStakeToSetWeights { missing: Rao },
    #[codec(index = 7)]
    #[error("IncorrectWeightVersionKey: the subnet asks for version key {required} or higher")]
    IncorrectWeightVersionKey { required: u64 },
    #[codec(index = 8)]
    #[error("SettingWeightsTooFast: wait {blocks} more blocks")]
    SettingWeightsTooFast { blocks: u64 },
    #[codec(index = 9)]
    #[error(
        "NeuronNoValidatorPermit: permits go to the highest stakes at each epoch; stake more or wait for the next"
    )]
    NeuronNoValidatorPermit,
    #[codec(index = 10)]
    #[error("DuplicateUids: uid {uid} comes twice")]
    DuplicateUids { uid: Uid },
    #[codec(index = 11)]
    #[error("UidVecContainInvalidOne: there is no uid {uid}")]
    UidVecContainInvalidOne { uid: Uid },
    #[codec(index = 12)]
    #[error("WeightVecLengthIsLow: {length} weights, the subnet asks for at least {minimum}")]
    WeightVecLengthIsLow { length: u32, minimum: u32 },
    #[codec(index = 13)]
    #[error("MaxWeightExceeded: a weight is over the subnet's limit")]
    MaxWeightExceeded,
    #[codec(index = 14)]
    #[error("CommitRevealEnabled: plain weights are refused while commit-reveal is on")]
    CommitRevealEnabled,
    #[codec(index = 15)]
    #[error("RegistrationDisabled: the subnet takes no registrations")]
    RegistrationDisabled,
    #[codec(index = 16)]
    #[error("TooManyRegistrationsThisBlock: try again in the next block")]
    TooManyRegistrationsThisBlock,
    #[codec(index = 17)]
    #[error("HotKeyAlreadyRegisteredInSubNet: the hotkey has uid {uid}")]
    HotKeyAlreadyRegisteredInSubNet { uid: Uid },
    #[codec(index = 18)]
    #[error("RegistrationPriceLimitExceeded: registering costs {burn} rao now")]
    RegistrationPriceLimitExceeded { burn: Rao },
    #[codec(index = 19)]
    #[error("NotEnoughBalance: {missing} rao more are needed")]
    NotEnoughBalance { missing: Rao },
    #[codec(index = 20)]
    #[error("NoNeuronIdAvailable: every uid is immune from pruning")]
    NoNeuronIdAvailable,
    #[codec(index = 21)]
    #[error("NonAssociatedColdKey: the hotkey doesn't belong to this coldkey")]
    NonAssociatedColdKey,
    #[codec(index = 22)]
    #[error("NotEnoughStakeToWithdraw: the hotkey has {staked} rao staked")]
    NotEnoughStakeToWithdraw { staked: Rao },
    #[codec(index = 23)]
    #[error("AmountTooLow: zero is no amount")]
    AmountTooLow,
    #[codec(index = 24)]
    #[error("ServingRateLimitExceeded: wait {blocks} more blocks")]
    ServingRateLimitExceeded { blocks: u64 },
    #[codec(index = 25)]
    #[error("InvalidPort: port 0 can't be served on")]
    InvalidPort,
    #[codec(index = 26)]
    #[error("InvalidIpAddress: that address can't be served on")]
    InvalidIpAddress,
    #[codec(index = 27)]
    #[error("InvalidCertificate: a certificate holds a public key of 1 to 64 bytes")]
    InvalidCertificate,
    #[codec(index = 28)]
    #[error("NotSubnetOwner: only the subnet owner's coldkey may do this")]
    NotSubnetOwner,
    #[codec(index = 29)]
    #[error("InvalidHyperparameter: {name} {why}")]
    InvalidHyperparameter { name: String, why: String },
    #[codec(index = 30)]
    #[error("Unsupported: this chain has no {what} yet")]
    Unsupported { what: String },
    #[codec(index = 31)]
    #[error("ExistentialDeposit: an account holds at least {minimum} rao")]
    ExistentialDeposit { minimum: Rao },
    #[codec(index = 32)]
    #[error("CommitRevealDisabled: commit-reveal is off in this subnet; set the weights plainly")]
    CommitRevealDisabled,
    #[codec(index = 33)]
    #[error("CommittingWeightsTooFast: wait {blocks} more blocks")]
    CommittingWeightsTooFast { blocks: u64 },
    #[codec(index = 34)]
    #[error("TooManyUnrevealedCommits: {maximum} commits wait already; reveal them or let them expire")]
    TooManyUnrevealedCommits { maximum: u32 },
    #[codec(index = 35)]
    #[error("NoWeightsCommitFound: the hotkey has no commit to reveal; commit first")]
    NoWeightsCommitFound,
    #[codec(index = 36)]
    #[error("RevealTooEarly: it can be revealed in epoch {epoch}, now is epoch {now}")]
    RevealTooEarly { epoch: u64, now: u64 },
    #[codec(index = 37)]
    #[error("ExpiredWeightCommit: its epoch is over; commit anew")]
    ExpiredWeightCommit,
    #[codec(index = 38)]
    #[error(
        "InvalidRevealCommitHashNotMatch: no commit has the hash {hash}; reveal exactly what was committed, salt included"
    )]
    InvalidRevealCommitHashNotMatch { hash: Digest },
    #[codec(index = 39)]
    #[error("InputLengthsUnequal: the lists of a batch must be of one length")]
    InputLengthsUnequal,
    #[codec(index = 40)]
    #[error("IncorrectCommitRevealVersion: this chain asks for version {required}")]
    IncorrectCommitRevealVersion { required: u16 },
    #[codec(index = 41)]
    #[error("InvalidRevealRound: round {round} is over, the newest is {last}; encrypt to a later one")]
    InvalidRevealRound { round: u64, last: u64 },
    /// The runtime's own call can't hold more bytes, so it has no name for this.
    #[codec(index = 42)]
    #[error("CommitTooLarge: {bytes} bytes are over the limit of {maximum}")]
    CommitTooLarge { bytes: u32, maximum: u32 },
    #[codec(index = 43)]
    #[error("SpaceLimitExceeded: {bytes} bytes are over the limit of {maximum}")]
    SpaceLimitExceeded { bytes: u32, maximum: u32 },
    #[codec(index = 44)]
    #[error("TooManyChildren: a hotkey has at most {maximum}")]
    TooManyChildren { maximum: u32 },
    #[codec(index = 45)]
    #[error("InvalidChild: a hotkey can't be its own child")]
    InvalidChild,
    #[codec(index = 46)]
    #[error("DuplicateChild: {hotkey} comes twice")]
    DuplicateChild { hotkey: Hotkey },
    #[codec(index = 47)]
    #[error("ProportionOverflow: the proportions exceed 2^64 - 1 together")]
    ProportionOverflow,
    #[codec(index = 48)]
    #[error("ChildParentInconsistency: a child can't be a parent of the same hotkey")]
    ChildParentInconsistency,
    #[codec(index = 49)]
    #[error("NotEnoughStakeToSetChildkeys: {missing} rao more are needed")]
    NotEnoughStakeToSetChildkeys { missing: Rao },
    #[codec(index = 50)]
    #[error("InvalidChildkeyTake: at most {maximum} of 65535 can be kept")]
    InvalidChildkeyTake { maximum: u16 },
    #[codec(index = 51)]
    #[error("TxChildkeyTakeRateLimitExceeded: wait {blocks} more blocks before raising it again")]
    TxChildkeyTakeRateLimitExceeded { blocks: u64 },
    #[codec(index = 52)]
    #[error("DelegateTakeTooHigh: at most {maximum} of 65535 can be kept")]
    DelegateTakeTooHigh { maximum: u16 },
    #[codec(index = 53)]
    #[error("DelegateTakeTooLow: that is what it is already")]
    DelegateTakeTooLow,
    #[codec(index = 54)]
    #[error("DelegateTxRateLimitExceeded: wait {blocks} more blocks before raising it again")]
    DelegateTxRateLimitExceeded { blocks: u64 },
    #[codec(index = 55)]
    #[error("TxRateLimitExceeded: wait {blocks} more blocks")]
    TxRateLimitExceeded { blocks: u64 },
    #[codec(index = 56)]
    #[error("HotKeyAccountNotExists: the hotkey was never registered")]
    HotKeyAccountNotExists,
    #[codec(index = 57)]
    #[error("TempoOutOfBounds: allowed are {minimum} to {maximum}")]
    TempoOutOfBounds { minimum: u16, maximum: u16 },
    #[codec(index = 58)]
    #[error("ActivityCutoffFactorMilliOutOfBounds: allowed are {minimum} to {maximum}")]
    ActivityCutoffFactorMilliOutOfBounds { minimum: u32, maximum: u32 },
    #[codec(index = 59)]
    #[error(
        "DynamicTempoBlockedByCommitReveal: an epoch ahead of time would lose committed weights; turn commit-reveal off first"
    )]
    DynamicTempoBlockedByCommitReveal,
    #[codec(index = 60)]
    #[error("EpochTriggerAlreadyPending: an epoch is to run at block {at} already")]
    EpochTriggerAlreadyPending { at: Block },
    #[codec(index = 61)]
    #[error("AutoEpochAlreadyImminent: the next epoch runs in {blocks} blocks anyway")]
    AutoEpochAlreadyImminent { blocks: u64 },
    #[codec(index = 62)]
    #[error("AdminActionProhibitedDuringWeightsWindow: wait {blocks} blocks, until the epoch has run")]
    AdminActionProhibitedDuringWeightsWindow { blocks: u64 },
    #[codec(index = 63)]
    #[error("TooManyUIDsPerMechanism: uids times mechanisms are at most {maximum}")]
    TooManyUidsPerMechanism { maximum: u32 },
    #[codec(index = 64)]
    #[error("InvalidValue: {name} {why}")]
    InvalidValue { name: String, why: String },
    /// An error of the runtime that has no place above, in the runtime's words.
    #[codec(index = 65)]
    #[error("{name}: {docs}")]
    Other { name: String, docs: String },
}

impl Refusal {
    /// The chain's name of it, without figures and advice.
    pub fn name(&self) -> String {
        let text = self.to_string();
        text.split_once(':').map_or(text.as_str(), |(name, _)| name).to_owned()
    }
}
