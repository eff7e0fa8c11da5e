//! A model as Hugging Face publishes it: a folder with `config.json`, `tokenizer.json` and safetensors weights, whole
//! (`model.safetensors`) or in shards (`model.safetensors.index.json`).

mod error;
mod files;
mod weights;
mod wrong;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use weighhouse_types::{Digest, Hasher};

pub use self::error::FolderError;
use self::files::small;

use crate::precision::{Precision, round};
use crate::safetensors::{Shard, ShardLimits};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const GENERATION: &str = "generation_config.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// `tokenizer_config.json` may list every added token.
const OPTIONAL_BYTES_MAX: u64 = 16 << 20;
const TOKENIZER_BYTES_MAX: u64 = 64 << 20;

/// Limits of a model that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadLimits {
    /// Numbers in all weights; each takes four bytes of memory.
    pub numbers_max: u64,
}

impl LoadLimits {
    /// 16 thousand million numbers: 64 GB.
    pub const STANDARD: Self = Self { numbers_max: 16_000_000_000 };
}

/// An open model folder. Tensors are taken one at a time, and none may be left.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) config: Vec<u8>,
    pub(crate) tokenizer: Vec<u8>,
    /// `generation_config.json`, which a folder may lack.
    pub(crate) generation: Option<Vec<u8>>,
    /// `tokenizer_config.json`; null where there is none, or one that can't be read.
    pub(crate) tokenizer_config: serde_json::Value,
    /// Covers `config.json`, `tokenizer.json` and the weights.
    pub(crate) digest: Digest,
    shards: Vec<(PathBuf, Shard)>,
    tensors: BTreeMap<String, (usize, Vec<usize>)>,
    /// The format that tensors are rounded to as they are taken.
    precision: Option<Precision>,
}

impl Folder {
    /// A file that a folder may lack; `None` if it does.
    pub(crate) fn optional(root: &Path, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        match small(root, name, OPTIONAL_BYTES_MAX) {
            Err(FolderError::Missing { .. }) => Ok(None),
            read => read.map(Some),
        }
    }

    pub(crate) fn open(root: &Path, limits: &LoadLimits) -> Result<Self, FolderError> {
        Self::read(root, limits).map_err(|error| wrong::lacking(root, error))
    }

    fn read(root: &Path, limits: &LoadLimits) -> Result<Self, FolderError> {
        let config = small(root, CONFIG, CONFIG_BYTES_MAX)?;
        wrong::quantised(root, &config)?;
        let (names, map) = weights::files(root)?;
        let tokenizer = small(root, TOKENIZER, TOKENIZER_BYTES_MAX)?;
        let mut hasher = Hasher::new("weighhouse/model/v1").part(&config).part(&tokenizer);
        let mut shards = Vec::with_capacity(names.len());
        for name in names {
            let path = root.join(&name);
            // One handle for the digest and for the numbers, so that they can't be of two files.
            let file = files::open(&path)?;
            let digest =
                files::hash(&file).map_err(|error| FolderError::Read { path: path.clone(), error })?;
            hasher = hasher.part(digest.as_bytes());
            let shard = Shard::open(file, ShardLimits::STANDARD);
            shards.push((path.clone(), shard.map_err(|error| FolderError::Shard { path, error })?));
        }
        let mut folder = Self::assemble(config, tokenizer, hasher.finish(), shards, limits)?;
        folder.generation = Self::optional(root, GENERATION)?;
        let config = Self::optional(root, TOKENIZER_CONFIG)?;
        folder.tokenizer_config =
            config.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        match map {
            Some(map) => folder.agree(root, &map),
            None => Ok(folder),
        }
    }

    /// A model whose files are in memory: part of the program, or just trained.
    pub(crate) fn in_memory(
        config: Vec<u8>,
        tokenizer: Vec<u8>,
        weights: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self, FolderError> {
        let path = PathBuf::from(WHOLE);
        let digest = Hasher::new("weighhouse/model/v1").part(&config).part(&tokenizer);
        let digest = digest.part(Digest::of(weights.as_ref()).as_bytes()).finish();
        let shard = Shard::open(Cursor::new(weights), ShardLimits::STANDARD)
            .map_err(|error| FolderError::Shard { path: path.clone(), error })?;
        Self::assemble(config, tokenizer, digest, vec![(path, shard)], &LoadLimits::STANDARD)
    }

    fn assemble(
        config: Vec<u8>,
        tokenizer: Vec<u8>,
        digest: Digest,
        shards: Vec<(PathBuf, Shard)>,
        limits: &LoadLimits,
    ) -> Result<Self, FolderError> {
        let mut tensors = BTreeMap::new();
        let mut numbers = 0_u64;
        for (index, (path, shard)) in shards.iter().enumerate() {
            for (name, shape) in shard.tensors() {
                // Headers come with the model: a sum that wraps could pass the limit below.
                numbers = numbers.saturating_add(shape.iter().map(|size| *size as u64).product());
                if wrong::is_quantised(name) {
                    return Err(FolderError::Quantised { name: name.to_owned() });
                }
                if tensors.insert(name.to_owned(), (index, shape.to_vec())).is_some() {
                    let what = format!("tensor {name:?} is in more than one shard");
                    return Err(FolderError::Index { path: path.clone(), what });
                }
            }
        }
        // Before any memory is taken for them.
        if numbers > limits.numbers_max {
            return Err(FolderError::TooManyNumbers { numbers, limit: limits.numbers_max });
        }
        let (generation, tokenizer_config) = (None, serde_json::Value::Null);
        Ok(Self { config, tokenizer, generation, tokenizer_config, digest, shards, tensors, precision: None })
    }

    /// The index and the shards must name the same tensors in the same files.
    fn agree(self, root: &Path, map: &BTreeMap<String, String>) -> Result<Self, FolderError> {
        let refuse = |what: String| Err(FolderError::Index { path: root.join(INDEX), what });
        for (name, shard) in map {
            match self.tensors.get(name) {
                Some((index, _)) if self.shards[*index].0 == root.join(shard) => {}
                _ => return refuse(format!("tensor {name:?} is not in {shard:?}")),
            }
        }
        match self.tensors.keys().find(|name| !map.contains_key(*name)) {
            Some(name) => refuse(format!("tensor {name:?} of a shard is not in the index")),
            None => Ok(self),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Checks that there is a tensor of this name and shape.
    pub(crate) fn check(&self, name: &str, shape: &[usize]) -> Result<(), FolderError> {
        match self.tensors.get(name) {
            None => Err(missing_tensor(name)),
            Some((_, actual)) if actual != shape => {
                let (expected, actual) = (shape.to_vec(), actual.clone());
                Err(FolderError::Shape { name: name.to_owned(), expected, actual })
            }
            Some(_) => Ok(()),
        }
    }

    /// Appends a tensor's numbers.
    pub(crate) fn take(&mut self, name: &str, values: &mut Vec<f32>) -> Result<(), FolderError> {
        let missing = || missing_tensor(name);
        let (index, shape) = self.tensors.remove(name).ok_or_else(missing)?;
        let (path, shard) = &mut self.shards[index];
        match shard.read(name, values) {
            Ok(true) => {
                if let Some(precision) = self.precision {
                    let numbers = shape.iter().product::<usize>().min(values.len());
                    let at = values.len() - numbers;
                    round(&mut values[at..], &shape, precision);
                }
                Ok(())
            }
            Ok(false) => Err(missing()),
            Err(error) => Err(FolderError::Shard { path: path.clone(), error }),
        }
    }

    /// Tensors that some exporters write and no model needs.
    pub(crate) fn drop_where(&mut self, known: impl Fn(&str) -> bool) {
        self.tensors.retain(|name, _| !known(name));
    }

    /// The same model with rounded weights: another identity.
    pub(crate) fn rounded(mut self, precision: Precision) -> Self {
        self.digest = Hasher::new("weighhouse/model/rounded/v1")
            .part(self.digest.as_bytes())
            .part(precision.name().as_bytes())
            .finish();
        self.precision = Some(precision);
        self
    }

    pub(crate) fn finish(self) -> Result<(), FolderError> {
        match self.tensors.into_keys().next() {
            Some(name) => Err(FolderError::SurplusTensor { name }),
            None => Ok(()),
        }
    }
}

fn missing_tensor(name: &str) -> FolderError {
    let hint = match name {
        "lm_head.weight" => {
            ": where the model shares it with its embedding, set tie_word_embeddings = true in config.json"
        }
        _ => "",
    };
    FolderError::MissingTensor { name: name.to_owned(), hint }
}

#[cfg(test)]
mod tests;
