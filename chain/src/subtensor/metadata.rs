//! Names in a runtime's metadata, and which of them a chain must have.

use subxt::ext::frame_decode::storage::StorageTypeInfo as _;
use subxt::metadata::Metadata;

/// The pallet that holds subnets and neurons.
pub(super) const PALLET: &str = "SubtensorModule";

/// Set of calls and storage items that a runtime must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    Subtensor,
    /// Accounts, blocks and transfers, as any Substrate chain has them.
    #[cfg(any(test, feature = "conformance"))]
    Transport,
}

pub(super) fn has_call(metadata: &Metadata, pallet: &str, name: &str) -> bool {
    metadata.pallet_by_name(pallet).is_some_and(|pallet| pallet.call_variant_by_name(name).is_some())
}

pub(super) fn has_storage(metadata: &Metadata, pallet: &str, name: &str) -> bool {
    metadata.storage_info(pallet, name).is_ok()
}
