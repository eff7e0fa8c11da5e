//! Golden figures for tests.

use std::path::Path;

/// A file below the folder named by `WEIGHHOUSE_VECTORS`, or the project's own copy where that has none.
pub(crate) fn load(name: &str) -> serde_json::Value {
    let given = std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| Path::new(&folder).join(name));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let path = given.filter(|path| path.exists()).unwrap_or(own);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
