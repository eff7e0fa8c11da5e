//! The list of bundles, as it travels: any server of plain files can offer the same.

use serde::{Deserialize, Serialize};
use weighhouse_journal::Identity;
use weighhouse_types::{Block, Digest, Epoch, Hotkey, MechId, Netuid};

/// The list's own name, beside the folder of files.
pub const INDEX_NAME: &str = "bundles.json";

/// The folder of files, beside the list.
pub const INDEX_FOLDER: &str = "bundles";

/// The epochs that a validator offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleIndex {
    pub validator: Hotkey,
    pub genesis: Digest,
    pub netuid: Netuid,
    pub mechanism: MechId,
    /// Ascending.
    pub bundles: Vec<BundleEntry>,
}

/// One epoch's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEntry {
    pub epoch: Epoch,
    /// The file's name, by its epoch.
    pub name: String,
    pub bytes: u64,
    pub sha256: Digest,
    /// The RFC 6962 root over the file's records.
    pub root: Digest,
    pub weights: BundleWeights,
    /// The block at which the chain showed the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Block>,
}

/// What became of an epoch's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BundleWeights {
    /// Read back from the chain.
    Published,
    /// There was no vector to publish.
    Abstained,
    /// The chain refused them for good.
    Failed,
    /// Committed to, and never revealed.
    Missed,
    /// The epoch ended before it was weighed.
    Passed,
    /// The validator was away for too long to see what became of them.
    Unseen,
}

impl BundleIndex {
    pub(super) fn new(identity: &Identity, bundles: Vec<BundleEntry>) -> Self {
        let Identity { genesis, netuid, mechanism, validator } = *identity;
        Self { validator, genesis, netuid, mechanism, bundles }
    }
}
