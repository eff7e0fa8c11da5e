//! The runtime's errors as refusals, by the runtime's own names.

use crate::Refusal;

/// Refusals whose name says it all. What carries figures is told in the runtime's words: an event has none.
pub(super) fn named(name: &str, docs: &str) -> Refusal {
    match name {
        "CanNotSetRootNetworkWeights" => Refusal::CanNotSetRootNetworkWeights,
        "HotKeyNotRegisteredInSubNet" => Refusal::HotKeyNotRegisteredInSubNet,
        "NeuronNoValidatorPermit" => Refusal::NeuronNoValidatorPermit,
        "MaxWeightExceeded" => Refusal::MaxWeightExceeded,
        "CommitRevealEnabled" => Refusal::CommitRevealEnabled,
        "CommitRevealDisabled" => Refusal::CommitRevealDisabled,
        "NoWeightsCommitFound" => Refusal::NoWeightsCommitFound,
        "ExpiredWeightCommit" => Refusal::ExpiredWeightCommit,
        "InputLengthsUnequal" => Refusal::InputLengthsUnequal,
        "SubNetRegistrationDisabled" => Refusal::RegistrationDisabled,
        "TooManyRegistrationsThisBlock" => Refusal::TooManyRegistrationsThisBlock,
        "NoNeuronIdAvailable" => Refusal::NoNeuronIdAvailable,
        "NonAssociatedColdKey" => Refusal::NonAssociatedColdKey,
        "AmountTooLow" => Refusal::AmountTooLow,
        "InvalidPort" => Refusal::InvalidPort,
        "InvalidIpAddress" => Refusal::InvalidIpAddress,
        "NotSubnetOwner" => Refusal::NotSubnetOwner,
        "InvalidChild" => Refusal::InvalidChild,
        "ProportionOverflow" => Refusal::ProportionOverflow,
        "ChildParentInconsistency" => Refusal::ChildParentInconsistency,
        "DelegateTakeTooLow" => Refusal::DelegateTakeTooLow,
        "HotKeyAccountNotExists" => Refusal::HotKeyAccountNotExists,
        "DynamicTempoBlockedByCommitReveal" => Refusal::DynamicTempoBlockedByCommitReveal,
        _ => other(name, docs),
    }
}

/// An error of no pallet.
pub(super) fn dispatch(text: &str) -> Refusal {
    other("DispatchError", text)
}

fn other(name: &str, docs: &str) -> Refusal {
    let docs = docs.trim().trim_end_matches('.').to_owned();
    Refusal::Other { name: name.to_owned(), docs }
}

/// The pool's reasons of its own, by the number in `Custom error: N`.
pub(super) fn custom(number: u8) -> Option<&'static str> {
    const NAMES: [&str; 28] = [
        "ColdkeyInSwapSchedule",
        "StakeAmountTooLow",
        "BalanceTooLow",
        "SubnetNotExists",
        "HotkeyAccountDoesntExist",
        "NotEnoughStakeToWithdraw",
        "RateLimitExceeded",
        "InsufficientLiquidity",
        "SlippageTooHigh",
        "TransferDisallowed",
        "HotKeyNotRegisteredInNetwork",
        "InvalidIpAddress",
        "ServingRateLimitExceeded",
        "InvalidPort",
        "ZeroMaxAmount",
        "InvalidRevealRound",
        "CommitNotFound",
        "CommitBlockNotInRevealRange",
        "InputLengthsUnequal",
        "UidNotFound",
        "EvmKeyAssociateRateLimitExceeded",
        "ColdkeySwapDisputed",
        "InvalidRealAccount",
        "FailedShieldedTxParsing",
        "InvalidShieldedTxPubKeyHash",
        "NonAssociatedColdKey",
        "DelegateTakeTooLow",
        "DelegateTakeTooHigh",
    ];
    if number == u8::MAX { Some("BadRequest") } else { NAMES.get(usize::from(number)).copied() }
}
