//! Test vectors: from the folder in `WEIGHHOUSE_VECTORS`, file by file falling back to this crate's own copy.

use std::path::{Path, PathBuf};

pub(crate) fn vectors(name: &str) -> serde_json::Value {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let given = std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| PathBuf::from(folder).join(name));
    let path = given.filter(|path| path.exists()).unwrap_or(own);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
