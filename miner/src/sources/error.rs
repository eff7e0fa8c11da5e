//! Reasons for which a configured model can't be served.

use std::io;

use weighhouse_models::ModelError;
use weighhouse_models::device::DeviceError;
use weighhouse_models::encoder::EncoderError;
use weighhouse_models::language::LanguageError;
use weighhouse_types::Digest;

use crate::engine::TwiceServed;

/// A configured model that can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{path}: {error}; check `weights` in the configuration")]
    Read { path: String, error: io::Error },
    #[error("model {name:?}: {error}")]
    Model { name: String, error: ModelError },
    #[error("{path}: {error}; check `key_file` in the configuration")]
    Key { path: String, error: io::Error },
    #[error(transparent)]
    Twice(#[from] TwiceServed),
    #[error("model {name:?}: {error}")]
    Language { name: String, error: Box<LanguageError> },
    #[error("model {name:?}: {error}")]
    Embedder { name: String, error: Box<EncoderError> },
    #[error(
        "model {name:?}: digest = {wanted} is not the model's, which is {own}: are all its files those that were meant?"
    )]
    Digest { name: String, wanted: Digest, own: String },
    #[error("model {name:?}: no thread could be started: {error}")]
    Thread { name: String, error: io::Error },
    #[error("model {name:?}: {error}")]
    Device { name: String, error: DeviceError },
    #[error("model {name:?}: {why}")]
    Folder { name: String, why: String },
}
