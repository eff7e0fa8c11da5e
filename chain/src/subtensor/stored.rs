//! Shapes of stored values: the fields that are read, and no others.

use subxt::dynamic::Value;
use subxt::ext::scale_decode::DecodeAsType;

/// An account, as far as it is looked at.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct AccountInfo {
    pub(super) nonce: u64,
    pub(super) data: AccountData,
}

#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct AccountData {
    pub(super) free: u64,
}

/// An axon, or an endpoint of Prometheus.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct AxonInfo {
    pub(super) block: u64,
    pub(super) version: u32,
    pub(super) ip: u128,
    pub(super) port: u16,
    pub(super) ip_type: u8,
}

#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct CertificateInfo {
    pub(super) public_key: Vec<u8>,
    pub(super) algorithm: u8,
}

/// A drand pulse.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct Pulse {
    pub(super) randomness: Vec<u8>,
}

/// A hash, and either the blocks of the commit and its reveals, or epoch and block of the commit.
pub(super) type HashCommit = ([u8; 32], u64, u64, u64);

/// The hotkey, the block of the commit, the ciphertext and its round.
pub(super) type TimelockedCommit = ([u8; 32], u64, Vec<u8>, u64);

/// The children, and the block from which they count.
pub(super) type PendingChildren = (Vec<(u64, [u8; 32])>, u64);

/// The beacon that drand pulses are checked against.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct BeaconConfig {
    pub(super) public_key: Vec<u8>,
    pub(super) period: u64,
    pub(super) genesis_time: u64,
}

/// A commitment; its fields are an enum whose variants name their length.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct Commitment {
    pub(super) block: u64,
    pub(super) info: CommitmentInfo,
}

#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct CommitmentInfo {
    pub(super) fields: Vec<Value>,
}
