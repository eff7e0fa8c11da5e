//! A change of policy that all validators of a subnet make at one block: the owner signs the new policy's hash and the
//! block, each validator stages both files, runs the new policy in the shadow of the live one, and switches at the first
//! epoch that begins at or after the block.
//!
//! A roll-out that doesn't verify changes nothing: the live policy stays, and the log says why.

use serde::{Deserialize, Serialize};
use weighhouse_scoring::diff::Differ;
use weighhouse_scoring::replay::Replay;
use weighhouse_scoring::{Policy, PolicyError};
use weighhouse_seams::Storage;
use weighhouse_types::config::{self, ConfigError};
use weighhouse_types::{Block, Digest, Hasher, Hotkey, Netuid, Record, SubnetState};
use weighhouse_wallet::keypair::{self, Keypair};

#[cfg(test)]
mod tests;

/// The file in the staging folder that holds the new policy.
pub const POLICY_FILE: &str = "policy.toml";
/// The file in the staging folder that holds the owner's word.
pub const ROLLOUT_FILE: &str = "rollout.toml";
/// The version of the roll-out file's format.
const VERSION: u32 = 1;
/// A roll-out file is refused above this size.
const FILE_MAX: usize = 4096;

/// The owner's word: from this block on, this policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    version: u32,
    pub genesis: Digest,
    pub netuid: Netuid,
    /// SHA-256 of the policy file's bytes.
    pub policy: Digest,
    /// The policy is live from the first epoch that begins at or after this block.
    pub activation_block: Block,
    /// The subnet owner's hotkey.
    pub owner: Hotkey,
    /// sr25519 over the fields above, in hexadecimal.
    signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolloutError {
    #[error("{ROLLOUT_FILE}: {0}")]
    Text(#[from] ConfigError),
    #[error("{ROLLOUT_FILE} is no text of at most {FILE_MAX} bytes")]
    NotText,
    #[error("{ROLLOUT_FILE} has version {found}, this software reads version {VERSION}")]
    Version { found: u32 },
    #[error("{POLICY_FILE}: {0}")]
    Policy(#[from] PolicyError),
    #[error(
        "{ROLLOUT_FILE} is for policy {signed}, {POLICY_FILE} is {found}: stage the two that belong together"
    )]
    OtherPolicy { signed: Digest, found: Digest },
    #[error("the roll-out is for subnet {found} of chain {genesis}, not for this one")]
    Elsewhere { found: Netuid, genesis: Digest },
    #[error("the roll-out is signed by {signer}, the subnet's owner is {owner}")]
    NotOwner { signer: Hotkey, owner: Hotkey },
    #[error("the subnet's owner has no uid here, so nobody can sign a roll-out")]
    NoOwner,
    #[error("the roll-out's signature is wrong")]
    Signature,
    #[error("{0}")]
    Io(String),
    #[error("{there} is there without {missing}: a roll-out needs both")]
    Half { there: &'static str, missing: &'static str },
}

impl Rollout {
    /// Signs a roll-out with the owner's hotkey.
    pub fn sign(
        owner: &Keypair,
        genesis: Digest,
        netuid: Netuid,
        policy: Digest,
        activation_block: Block,
    ) -> Self {
        let hotkey = owner.hotkey();
        let mut rollout = Self {
            version: VERSION,
            genesis,
            netuid,
            policy,
            activation_block,
            owner: hotkey,
            signature: String::new(),
        };
        rollout.signature = const_hex::encode(owner.sign(&rollout.message()));
        rollout
    }

    /// The file's text, one field a line.
    pub fn to_toml(&self) -> String {
        format!(
            "version = {}\ngenesis = \"{}\"\nnetuid = {}\npolicy = \"{}\"\nactivation_block = {}\nowner = \"{}\"\nsignature = \"{}\"\n",
            self.version,
            self.genesis,
            self.netuid,
            self.policy,
            self.activation_block,
            self.owner,
            self.signature
        )
    }

    /// Reads a roll-out file. Nothing is verified yet.
    ///
    /// # Errors
    /// What is no roll-out of a known version.
    pub fn parse(bytes: &[u8]) -> Result<Self, RolloutError> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= FILE_MAX);
        let rollout: Self = config::parse(text.ok_or(RolloutError::NotText)?)?;
        match rollout.version {
            VERSION => Ok(rollout),
            found => Err(RolloutError::Version { found }),
        }
    }

    /// Checks that the owner of exactly this subnet signed exactly this.
    ///
    /// # Errors
    /// What of it is not so.
    pub fn verify(&self, genesis: Digest, netuid: Netuid, owner: Hotkey) -> Result<(), RolloutError> {
        if (self.genesis, self.netuid) != (genesis, netuid) {
            return Err(RolloutError::Elsewhere { found: self.netuid, genesis: self.genesis });
        }
        if self.owner != owner {
            return Err(RolloutError::NotOwner { signer: self.owner, owner });
        }
        let signature = const_hex::decode(&self.signature).map_err(|_| RolloutError::Signature)?;
        keypair::verify(&self.owner.0, &self.message(), &signature).map_err(|_| RolloutError::Signature)
    }

    fn message(&self) -> Vec<u8> {
        let digest = Hasher::new("weighhouse/policy-rollout/v1")
            .part(self.genesis.as_bytes())
            .part(&self.netuid.0.to_le_bytes())
            .part(self.policy.as_bytes())
            .part(&self.activation_block.0.to_le_bytes())
            .part(&self.owner.0)
            .finish();
        digest.as_bytes().to_vec()
    }
}

/// A policy that waits for its block.
#[derive(Debug)]
struct Staged {
    bytes: Vec<u8>,
    rollout: Rollout,
    shadow: Replay,
}

/// What is live, and what waits.
#[derive(Debug)]
pub(crate) struct Policies {
    live: Vec<u8>,
    staged: Option<Staged>,
}

/// What the staged policy would have changed in an epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shadow {
    pub(crate) activation_block: Block,
    /// Share of emission that would have moved, in [0, 1].
    pub(crate) moved: f64,
    /// In words.
    pub(crate) what: String,
}

impl Policies {
    pub(crate) fn new(live: Vec<u8>) -> Self {
        Self { live, staged: None }
    }

    pub(crate) fn live(&self) -> &[u8] {
        &self.live
    }

    /// The policy of the epoch that `state` shows, after a look at the staging folder. An error leaves the live one.
    pub(crate) fn at(
        &mut self,
        folder: Option<&dyn Storage>,
        genesis: Digest,
        state: &SubnetState,
    ) -> (Vec<u8>, Result<Option<Block>, RolloutError>) {
        let read = match folder {
            Some(folder) => self.restage(folder, genesis, state),
            None => Ok(()),
        };
        if let Err(error) = read {
            self.staged = None;
            return (self.live.clone(), Err(error));
        }
        let Some(staged) = &self.staged else { return (self.live.clone(), Ok(None)) };
        let activation = staged.rollout.activation_block;
        if state.schedule.last_epoch_block < activation {
            return (self.live.clone(), Ok(Some(activation)));
        }
        self.live = staged.bytes.clone();
        (self.live.clone(), Ok(None))
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
        if self.staged.as_ref().is_some_and(|staged| (&staged.bytes, &staged.rollout) == (&bytes, &rollout)) {
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
        let shadow = Replay::under(Policy::parse(&bytes)?);
        self.staged = Some(Staged { bytes, rollout, shadow });
        Ok(())
    }

    /// Weighs an epoch under the waiting policy and compares it with the live one. `None` where none waits.
    pub(crate) fn shadow(&mut self, records: &[Record]) -> Option<Shadow> {
        let live = self.live.as_slice();
        let staged = self.staged.as_mut().filter(|staged| staged.bytes != live)?;
        let waiting = staged.shadow.epoch(records).ok()?;
        let live = Replay::recorded().epoch(records).ok()?;
        let mut differ = Differ::new();
        differ.epoch(&live, &waiting);
        let diff = differ.finish();
        let what = match (&live.decision, &waiting.decision) {
            (_, weighhouse_scoring::Decision::Abstain { why, .. }) => {
                format!("it would publish nothing: {why}")
            }
            (weighhouse_scoring::Decision::Abstain { .. }, _) => {
                "it would publish where the live one abstains".to_owned()
            }
            _ => {
                let name = |change: &weighhouse_scoring::diff::Change| {
                    format!("uid {} {:+.2} %", change.uid, change.gain() * 100.0)
                };
                let ends = [diff.changes.first(), diff.changes.last()];
                let ends: Vec<_> = ends.into_iter().flatten().map(name).collect();
                format!("{:.2} % of emission would move; {}", diff.moved * 100.0, ends.join(", "))
            }
        };
        Some(Shadow { activation_block: staged.rollout.activation_block, moved: diff.moved, what })
    }
}
