//! Reasons for which a staged roll-out changes nothing.

use weighhouse_scoring::PolicyError;
use weighhouse_types::config::ConfigError;
use weighhouse_types::{Digest, Hotkey, Netuid};

use super::format::{FILE_BYTES_MAX, POLICY_FILE, ROLLOUT_FILE, VERSION};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolloutError {
    #[error("{ROLLOUT_FILE}: {0}")]
    Text(#[from] ConfigError),
    #[error("{ROLLOUT_FILE} is no text of at most {FILE_BYTES_MAX} bytes")]
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
