//! The files of the weights: one, or the shards that an index names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::error::FolderError;
use super::files::{is_there, small};
use super::{INDEX, WHOLE};

const INDEX_BYTES_MAX: u64 = 16 << 20;
const SHARDS_MAX: usize = 1_024;

#[derive(Debug, Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The file of each tensor, as the index says.
pub(super) type TensorMap = BTreeMap<String, String>;

/// The names of the weights' files, and the index's map if there is one.
pub(super) fn files(root: &Path) -> Result<(Vec<String>, Option<TensorMap>), FolderError> {
    let index = root.join(INDEX);
    if is_there(&root.join(WHOLE)) || !is_there(&index) {
        return match is_there(&root.join(WHOLE)) {
            true => Ok((vec![WHOLE.to_owned()], None)),
            false => Err(FolderError::Missing { path: root.join(WHOLE) }),
        };
    }
    let refuse = |what: String| FolderError::Index { path: index.clone(), what };
    let json = small(root, INDEX, INDEX_BYTES_MAX)?;
    let Index { weight_map } = serde_json::from_slice(&json).map_err(|error| refuse(error.to_string()))?;
    // In the order of names, on which the digest depends.
    let names: BTreeSet<&String> = weight_map.values().collect();
    if names.is_empty() || names.len() > SHARDS_MAX {
        return Err(refuse(format!("{} shards are named, 1 to {SHARDS_MAX} are read", names.len())));
    }
    // Names and no paths: they come with the model and must stay in its folder.
    let plain = |name: &str| name.ends_with(".safetensors") && !name.contains(['/', '\\']);
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(refuse(format!("{name:?} is no name of a shard")));
    }
    let absent: Vec<_> = names.iter().filter(|name| !root.join(name).exists()).collect();
    if let Some(first) = absent.first() {
        let (lacking, all) = (absent.len(), names.len());
        let what =
            format!("{lacking} of {all} shards are missing, {first:?} first: is the download complete?");
        return Err(refuse(what));
    }
    Ok((names.into_iter().cloned().collect(), Some(weight_map)))
}
