//! Errors that end a step of the validator; `fault` says what follows.

use weighhouse_chain::ChainError;
use weighhouse_journal::JournalError;
use weighhouse_scoring::{PolicyError, WeighError};
use weighhouse_seams::PoolError;
use weighhouse_tasks::TaskError;
use weighhouse_types::{Hotkey, LogKeyUse, Netuid};

use crate::moving::MarkError;

/// An error that ends a step, or keeps a validator from opening.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    #[error(
        "hotkey {hotkey} is not registered in subnet {netuid}; register it with `weighhouse chain register --netuid {netuid} \
         --wallet WALLET --hotkey HOTKEY`"
    )]
    NotRegistered { hotkey: Hotkey, netuid: Netuid },
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Moved(#[from] MarkError),
    #[error(
        "{folder}: is a journal of `weighhouse weights put`, whose scores were made elsewhere; name another folder in journal.dir"
    )]
    ScoredElsewhere { folder: String },
    #[error(transparent)]
    Start(#[from] crate::start::StartError),
    #[error("{file}: {}", unreadable_key(*.of))]
    LogKey { file: String, of: LogKeyUse },
    #[error("the journal can't be weighed: {0}")]
    Weigh(#[from] WeighError),
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(
        "nothing came back from any of {asked} miners: look at this machine's way out (firewall, route, file descriptors)"
    )]
    Unheard { asked: usize },
    #[error(
        "our own canary, asked as miners are, failed: {why}; look at this machine's load and file descriptors (rounds.canary)"
    )]
    Canary { why: String },
    #[error("{why}: look at this machine's way out (firewall, route)")]
    CutOff { why: String },
}

fn unreadable_key(of: LogKeyUse) -> &'static str {
    match of {
        LogKeyUse::Log => {
            "no key of a validator's log; restore it from a copy, or move it out of the folder, and a new log begins with the next \
             epoch"
        }
        LogKeyUse::Witness => {
            "no key of a witness; restore it from a copy, or move it out of the folder, and a new key is made at the next start"
        }
    }
}
