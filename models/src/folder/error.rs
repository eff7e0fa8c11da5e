//! Reasons for which a folder is no model that can be served, each with its fix.

use std::io;
use std::path::PathBuf;

use crate::safetensors::ShardError;

/// Why a folder is no model that can be served.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} is missing: is the download complete?", path.display())]
    Missing { path: PathBuf },
    #[error("{} has {bytes} bytes, over the limit of {limit}", path.display())]
    TooLong { path: PathBuf, bytes: u64, limit: u64 },
    #[error(
        "{} is a pickle, which can run code when it is read; only safetensors are read, so convert it first",
        path.display()
    )]
    Pickle { path: PathBuf },
    #[error("{} {what}", path.display())]
    Wrong { path: PathBuf, what: String },
    #[error("{}: {what}", path.display())]
    Index { path: PathBuf, what: String },
    #[error("{}: {error}", path.display())]
    Shard { path: PathBuf, error: ShardError },
    #[error("the weights lack tensor {name:?}{hint}")]
    MissingTensor { name: String, hint: &'static str },
    #[error("the weights have a tensor {name:?} that the model does not")]
    SurplusTensor { name: String },
    #[error("the weights are quantised (tensor {name:?}): serve the model that they were made from")]
    Quantised { name: String },
    #[error("tensor {name:?} has shape {actual:?}, expected {expected:?}")]
    Shape { name: String, expected: Vec<usize>, actual: Vec<usize> },
    #[error("the weights have {numbers} numbers, over the limit of {limit}")]
    TooManyNumbers { numbers: u64, limit: u64 },
}
