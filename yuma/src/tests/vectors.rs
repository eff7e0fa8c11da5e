//! Reads vector files: from the folder that `WEIGHHOUSE_VECTORS` names where it holds the file, else the crate's own copy.

use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

pub(super) fn load<T: DeserializeOwned>(file: &str) -> T {
    let given =
        std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| PathBuf::from(folder).join("yuma").join(file));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file);
    let path = given.filter(|path| path.exists()).unwrap_or(own);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A `u64` written as a number or as a decimal string.
pub(super) fn big<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    Big::deserialize(input)?.value().map_err(Error::custom)
}

pub(super) fn bigs<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u64>, D::Error> {
    let values = Vec::<Big>::deserialize(input)?;
    values.into_iter().map(|value| value.value().map_err(Error::custom)).collect()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Big {
    Number(u64),
    Text(String),
}

impl Big {
    fn value(self) -> Result<u64, std::num::ParseIntError> {
        match self {
            Self::Number(value) => Ok(value),
            Self::Text(text) => text.parse(),
        }
    }
}
