//! Errors of a chain: unreachable, contradicting itself, or refusing a call.

use weighhouse_types::{Block, Digest, Netuid};

use crate::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("chain {endpoint} can't be reached: {why}")]
    Unreachable { endpoint: String, why: String },
    #[error("chain {endpoint} didn't answer in {seconds} s")]
    TimedOut { endpoint: String, seconds: u64 },
    #[error("chain {endpoint} has genesis {actual}, expected {expected}: it is another chain")]
    WrongGenesis { endpoint: String, expected: Digest, actual: Digest },
    #[error("the chain's runtime {spec} has {what}: this program doesn't know it yet, look for a newer one")]
    Runtime { spec: u32, what: String },
    #[error(
        "block {block} is {one} but {other}: one of them is wrong, leave it out of the chain's endpoints"
    )]
    EndpointsDisagree { block: Block, one: String, other: String },
    #[error(
        "{one} and {other} answer {what} differently for the same block: one of them is wrong, leave it out of the \
         chain's endpoints"
    )]
    AnswersDisagree { what: String, one: String, other: String },
    #[error("finalised block {block} was {was} and is {is} now: the chain or an endpoint can't be trusted")]
    FinalityBroken { block: Block, was: Digest, is: Digest },
    #[error("there is no subnet {0}")]
    NoSubnet(Netuid),
    #[error("block {block} is not known here; the newest is {head}")]
    NoBlock { block: Block, head: Block },
    #[error(
        "{endpoint} keeps the newest blocks alone, and no longer the one that was asked for: name an archive node among the \
         chain's endpoints"
    )]
    Discarded { endpoint: String },
    #[error(
        "the call is in block {block}, whose events no endpoint keeps any more: name an archive node among the chain's endpoints"
    )]
    OutcomeDiscarded { block: Block },
    #[error(
        "no epoch of subnet {netuid} ran in block {block}; `weighhouse chain metagraph` shows when the next runs"
    )]
    NoEpoch { netuid: Netuid, block: Block },
    #[error("this chain has no {what} yet")]
    Unsupported { what: &'static str },
    /// The call never reached a block.
    #[error("the chain didn't take the call: {0}")]
    NotAccepted(String),
    /// The call is in a block and had no effect.
    #[error("{0}")]
    Refused(Refusal),
    #[error("the signed call was not included by block {last}")]
    Expired { last: Block },
    #[error("{path}: {why}; {fix}")]
    State { path: String, why: String, fix: &'static str },
    #[error("the chain sent something that can't be read: {0}")]
    Undecodable(String),
}
