//! A change of policy that all validators of a subnet make at one block: the file that the subnet's owner signs.
//!
//! The owner signs the new policy's hash and a block. Each validator stages both files (`policies`), weighs every epoch
//! under the new policy too, and switches at the first epoch that begins at or after the block. A roll-out that doesn't
//! verify changes nothing: the live policy stays, and the log says why.

mod error;
mod format;

use serde::{Deserialize, Serialize};
use weighhouse_types::config;
use weighhouse_types::{Block, Digest, Hasher, Hotkey, Netuid};
use weighhouse_wallet::keypair::{self, Keypair};

pub use error::RolloutError;
use format::{FILE_BYTES_MAX, VERSION};
pub use format::{POLICY_FILE, ROLLOUT_FILE};

/// A signed order of the owner: from this block on, this policy.
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
    /// Bytes that are no roll-out of a known version.
    pub fn parse(bytes: &[u8]) -> Result<Self, RolloutError> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= FILE_BYTES_MAX);
        let rollout: Self = config::parse(text.ok_or(RolloutError::NotText)?)?;
        match rollout.version {
            VERSION => Ok(rollout),
            found => Err(RolloutError::Version { found }),
        }
    }

    /// Checks that the owner of exactly this subnet signed exactly this.
    ///
    /// # Errors
    /// The first of these that doesn't hold.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_out_reads_back_as_it_was_signed() {
        let owner = Keypair::from_uri("//Owner").expect("a development key");
        let (genesis, policy) = (Digest::of(b"genesis"), Digest::of(b"policy"));
        let rollout = Rollout::sign(&owner, genesis, Netuid(3), policy, Block(7200));
        let again = Rollout::parse(rollout.to_toml().as_bytes()).expect("its own text");
        assert_eq!(again, rollout);
        assert_eq!(again.verify(genesis, Netuid(3), owner.hotkey()), Ok(()));
    }
}
