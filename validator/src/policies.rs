//! The policy that is live, and the one that the owner has staged for a later block.
//!
//! Every policy file is parsed once, where it comes in: at the start, or when it is staged.

mod shadow;

use weighhouse_scoring::replay::Replay;
use weighhouse_scoring::{Policy, PolicyError};
use weighhouse_seams::Storage;
use weighhouse_types::{Block, Digest, SubnetState};

use crate::rollout::{POLICY_FILE, ROLLOUT_FILE, Rollout, RolloutError};

/// A policy file's bytes, and what they say.
#[derive(Clone, Debug)]
pub(crate) struct PolicyFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) policy: Policy,
}

impl PolicyFile {
    fn parse(bytes: Vec<u8>) -> Result<Self, PolicyError> {
        let policy = Policy::parse(&bytes)?;
        Ok(Self { bytes, policy })
    }

    pub(crate) fn hash(&self) -> Digest {
        Policy::hash(&self.bytes)
    }
}

/// A policy that waits for its block.
#[derive(Debug)]
struct StagedPolicy {
    file: PolicyFile,
    rollout: Rollout,
    shadow: Replay,
}

/// The live policy, and a staged one if there is one.
#[derive(Debug)]
pub(crate) struct Policies {
    live: PolicyFile,
    staged: Option<StagedPolicy>,
}

impl Policies {
    /// Begins with the policy of the configuration.
    pub(crate) fn new(live: Vec<u8>) -> Result<Self, PolicyError> {
        Ok(Self { live: PolicyFile::parse(live)?, staged: None })
    }

    pub(crate) fn live(&self) -> &PolicyFile {
        &self.live
    }

    /// The policy of an epoch that begins with this block, as far as is known now.
    pub(crate) fn upcoming(&self, begins: Option<Block>) -> &PolicyFile {
        let is_due =
            |staged: &&StagedPolicy| begins.is_some_and(|begins| begins >= staged.rollout.activation_block);
        self.staged.as_ref().filter(is_due).map_or(&self.live, |staged| &staged.file)
    }

    /// Reads the staging folder, and makes the staged policy the live one if its block has come for the epoch that `state`
    /// shows. Returns the block that a staged policy still waits for; after an error the live policy stays.
    pub(crate) fn follow(
        &mut self,
        folder: Option<&dyn Storage>,
        genesis: Digest,
        state: &SubnetState,
    ) -> Result<Option<Block>, RolloutError> {
        if let Some(folder) = folder
            && let Err(error) = self.restage(folder, genesis, state)
        {
            // A staged policy that can't be verified must not become live through an error that passes.
            self.staged = None;
            return Err(error);
        }
        let Some(staged) = &self.staged else { return Ok(None) };
        let activation = staged.rollout.activation_block;
        if state.schedule.last_epoch_block < activation {
            return Ok(Some(activation));
        }
        self.live = staged.file.clone();
        Ok(None)
    }

    fn restage(
        &mut self,
        folder: &dyn Storage,
        genesis: Digest,
        state: &SubnetState,
    ) -> Result<(), RolloutError> {
        let read = |name| folder.read(name).map_err(|error| RolloutError::Io(error.to_string()));
        let (bytes, rollout) = match (read(POLICY_FILE)?, read(ROLLOUT_FILE)?) {
            (None, None) => {
                self.staged = None;
                return Ok(());
            }
            (Some(bytes), Some(rollout)) => (bytes, Rollout::parse(&rollout)?),
            (Some(_), None) => return Err(RolloutError::Half { there: POLICY_FILE, missing: ROLLOUT_FILE }),
            (None, Some(_)) => return Err(RolloutError::Half { there: ROLLOUT_FILE, missing: POLICY_FILE }),
        };
        // The folder is read at every block; verifying and parsing happen only when something has changed.
        let is_known = |staged: &StagedPolicy| staged.file.bytes == bytes && staged.rollout == rollout;
        if self.staged.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let metagraph = &state.metagraph;
        let owner =
            metagraph.owner.and_then(|uid| metagraph.neuron(uid)).ok_or(RolloutError::NoOwner)?.hotkey;
        rollout.verify(genesis, metagraph.netuid, owner)?;
        let found = Policy::hash(&bytes);
        if found != rollout.policy {
            return Err(RolloutError::OtherPolicy { signed: rollout.policy, found });
        }
        let file = PolicyFile::parse(bytes)?;
        let shadow = Replay::under(file.policy.clone());
        self.staged = Some(StagedPolicy { file, rollout, shadow });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
