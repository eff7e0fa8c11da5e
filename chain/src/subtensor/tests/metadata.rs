//! The chain's own metadata, where the files are at hand.

use std::path::{Path, PathBuf};

use subxt::ext::codec::{Decode as _, Encode as _};
use subxt::ext::frame_metadata::v16::RuntimeMetadataV16;
use subxt::ext::frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use subxt::metadata::Metadata;
use weighhouse_types::Digest;

use crate::ChainError;
use crate::subtensor::client;
use crate::subtensor::metadata::Demand;
use crate::subtensor::runtime::Runtime;

pub(super) const SPECS: [u32; 2] = [365, 393];

/// The bytes of one spec's metadata: beside the vectors' folder, else in `../shared/metadata` of the project.
pub(super) fn bytes(spec: u32) -> Option<Vec<u8>> {
    let name = format!("finney-spec{spec}-v16.scale");
    let vectors = std::env::var_os("WEIGHHOUSE_VECTORS").map(PathBuf::from);
    let beside = vectors.and_then(|folder| Some(folder.parent()?.join("metadata").join(&name)));
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/metadata").join(&name);
    [beside, Some(shared)].into_iter().flatten().find_map(|path| std::fs::read(path).ok())
}

/// Says that a test is skipped and why.
#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
pub(super) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Each spec's metadata; nothing, said aloud, where the files are missing.
pub(super) fn for_each_spec(mut test: impl FnMut(u32, Vec<u8>)) {
    for spec in SPECS {
        match bytes(spec) {
            Some(bytes) => test(spec, bytes),
            None => skipped(&format!(
                "no metadata of spec {spec}: set WEIGHHOUSE_VECTORS to the vectors beside it"
            )),
        }
    }
}

pub(super) fn runtime(spec: u32, bytes: &[u8]) -> Result<Runtime, ChainError> {
    let metadata = Metadata::decode_from(bytes).expect("metadata");
    let runtime = Runtime::new(spec, 1, Digest([9; 32]), metadata)?;
    client::check(&runtime, Demand::Subtensor)?;
    Ok(runtime)
}

/// The metadata after a change.
pub(super) fn edited(bytes: &[u8], edit: impl FnOnce(&mut RuntimeMetadataV16)) -> Vec<u8> {
    let RuntimeMetadataPrefixed(magic, metadata) =
        RuntimeMetadataPrefixed::decode(&mut &bytes[..]).expect("metadata");
    let RuntimeMetadata::V16(mut metadata) = metadata else { panic!("metadata of another version") };
    edit(&mut metadata);
    RuntimeMetadataPrefixed(magic, RuntimeMetadata::V16(metadata)).encode()
}

/// Gives a storage item of the pallet another name, or the same a second one.
pub(super) fn rename(metadata: &mut RuntimeMetadataV16, from: &str, to: &str, keep: bool) {
    let pallet =
        metadata.pallets.iter_mut().find(|pallet| pallet.name == "SubtensorModule").expect("the pallet");
    let entries = &mut pallet.storage.as_mut().expect("storage").entries;
    let at = entries.iter().position(|entry| entry.name == from).expect("the entry");
    let mut entry = entries[at].clone();
    entry.name = to.to_owned();
    if keep {
        entries.push(entry);
    } else {
        entries[at] = entry;
    }
}
