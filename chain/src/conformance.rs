//! Checks that every chain passes, asked through [`Chain`] alone, in two levels: [`transport()`] for any chain that signs, submits
//! and finalises; [`subnet()`] for one with registration, weights and epochs.
//!
//! A chain, or the actors at hand, that can't execute a check leave it unexecuted, by name and with the reason: a suite
//! that passes says what it has not seen. Blocks are the caller's affair; every wait has a limit.

mod hidden;
mod stage;
mod subnet;
mod transport;

use std::fmt;

use async_trait::async_trait;
use weighhouse_types::{Block, Netuid};
use weighhouse_wallet::keypair::Keypair;

use crate::{Call, Chain, ChainError, Event, Refusal, SharedChain};

pub use subnet::subnet;
pub use transport::transport;

/// Makes connections to one chain.
#[async_trait]
pub trait Connect: Send + Sync {
    async fn connect(&self) -> Result<SharedChain, ChainError>;
}

/// A neuron's keys.
#[derive(Debug)]
pub struct Actor {
    pub hotkey: Keypair,
    pub coldkey: Keypair,
}

/// Keys that the suite acts with. The chain must know them already; a check that lacks an actor stays unexecuted.
#[derive(Debug)]
pub struct Actors {
    pub netuid: Netuid,
    /// The coldkey of the subnet's owner.
    pub owner: Option<Keypair>,
    /// Registered, with stake, a permit and a coldkey that holds something.
    pub validators: Vec<Actor>,
    /// Registered, with a coldkey that holds something.
    pub miners: Vec<Actor>,
    /// Not registered; the coldkey can pay for it.
    pub newcomer: Option<Actor>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseVerdict {
    Passed,
    Failed(String),
    /// Neither passed nor failed: why it could not be tried.
    Unexecuted(String),
}

/// Verdicts of the checks, in their order.
#[derive(Clone, Debug, Default)]
pub struct Report(pub Vec<(&'static str, CaseVerdict)>);

impl Report {
    /// The checks that failed, and why.
    pub fn failed(&self) -> Vec<(&'static str, String)> {
        let failed = |(name, verdict): &(&'static str, CaseVerdict)| match verdict {
            CaseVerdict::Failed(why) => Some((*name, why.clone())),
            CaseVerdict::Passed | CaseVerdict::Unexecuted(_) => None,
        };
        self.0.iter().filter_map(failed).collect()
    }

    /// The checks that could not be tried.
    pub fn unexecuted(&self) -> Vec<&'static str> {
        let names = self.0.iter().filter(|(_, verdict)| matches!(verdict, CaseVerdict::Unexecuted(_)));
        names.map(|(name, _)| *name).collect()
    }

    fn note(&mut self, name: &'static str, outcome: Result<(), CaseStop>) {
        let verdict = match outcome {
            Ok(()) => CaseVerdict::Passed,
            Err(CaseStop::Failed(why)) => CaseVerdict::Failed(why),
            Err(CaseStop::Unexecuted(why)) => CaseVerdict::Unexecuted(why),
            Err(CaseStop::Expired) => CaseVerdict::Failed("the call was in no block".to_owned()),
        };
        self.0.push((name, verdict));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in &self.0 {
            match verdict {
                CaseVerdict::Passed => writeln!(f, "passed      {name}")?,
                CaseVerdict::Failed(why) => writeln!(f, "FAILED      {name}: {why}")?,
                CaseVerdict::Unexecuted(why) => writeln!(f, "unexecuted  {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// Why a check ended early.
#[derive(Clone, Debug)]
enum CaseStop {
    Failed(String),
    Unexecuted(String),
    /// The call was in no block.
    Expired,
}

impl From<ChainError> for CaseStop {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Unsupported { .. } | ChainError::Refused(Refusal::Unsupported { .. }) => {
                Self::Unexecuted(error.to_string())
            }
            ChainError::Expired { .. } => Self::Expired,
            error => Self::Failed(error.to_string()),
        }
    }
}

type CheckResult = Result<(), CaseStop>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { Err(CaseStop::Failed(what())) }
}

fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> CheckResult {
    ensure(found == expected, || format!("{what} is {found:?}, expected {expected:?}"))
}

/// Someone of the actors, or a check that can't be tried.
fn need<'a, T>(who: &str, actor: Option<&'a T>) -> Result<&'a T, CaseStop> {
    actor.ok_or_else(|| CaseStop::Unexecuted(format!("no {who} is at hand")))
}

/// The refusal that a call must meet.
async fn refused(chain: &dyn Chain, signer: &Keypair, call: Call) -> Result<Refusal, CaseStop> {
    match chain.execute(signer, call).await {
        Err(ChainError::Refused(refusal @ Refusal::Unsupported { .. })) => {
            Err(ChainError::Refused(refusal).into())
        }
        Err(ChainError::Refused(refusal)) => Ok(refusal),
        Err(error) => Err(error.into()),
        Ok((block, events)) => Err(CaseStop::Failed(format!("taken in block {block}: {events:?}"))),
    }
}

async fn included(chain: &dyn Chain, signer: &Keypair, call: Call) -> Result<(Block, Vec<Event>), CaseStop> {
    Ok(chain.execute(signer, call).await?)
}
