//! Sources of a task's reference: handed in by whoever loads a task, so that no kind opens files or sockets.

use std::sync::Arc;

use weighhouse_models::language::LanguageModel;
use weighhouse_models::precision::Precision;
use weighhouse_types::JudgeTerms;

use crate::error::TaskError;
use crate::generate::witness::{Encoder, Witness};
use crate::judge::client::JudgeClient;

/// A source of references. Each method is asked by the kinds that need such a model; `None` says that none is at hand and
/// that recorded words are all there will be, as in an audit.
pub trait References: Send + Sync {
    /// The bytes of a file of weights.
    ///
    /// # Errors
    /// Why there are none, in words for the operator.
    fn weights(&self) -> Result<Option<Vec<u8>>, TaskError> {
        Err(TaskError::Reference("there is no file of weights".to_owned()))
    }

    /// A language model that can be asked about completions.
    ///
    /// # Errors
    /// As [`References::weights`].
    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        Err(TaskError::Reference("there is no language model".to_owned()))
    }

    /// A model that embeds texts.
    ///
    /// # Errors
    /// As [`References::weights`].
    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        Err(TaskError::Reference("there is no encoder".to_owned()))
    }

    /// A judge in a process of its own, on these terms.
    ///
    /// # Errors
    /// As [`References::weights`].
    fn judge(&self, _terms: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        Err(TaskError::Judge("there is no address of a judge".to_owned()))
    }

    /// A language model for personas to serve.
    ///
    /// # Errors
    /// As [`References::weights`].
    fn served_language(&self, _: Grade) -> Result<LanguageModel, TaskError> {
        Err(TaskError::Reference("there is no language model to serve".to_owned()))
    }

    /// An encoder for personas to serve.
    ///
    /// # Errors
    /// As [`References::weights`].
    fn served_encoder(&self, _: Grade) -> Result<Arc<dyn Encoder>, TaskError> {
        Err(TaskError::Reference("there is no encoder to serve".to_owned()))
    }
}

/// The weights that a miner serves under the agreed model's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Those of the agreed model.
    Agreed,
    /// The same, rounded.
    Rounded(Precision),
    /// A weaker model's.
    Weak,
}

/// No reference at hand: what was said is on record.
#[derive(Clone, Copy, Debug)]
pub struct OnRecord;

impl References for OnRecord {
    fn weights(&self) -> Result<Option<Vec<u8>>, TaskError> {
        Ok(None)
    }

    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        Ok(None)
    }

    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        Ok(None)
    }

    fn judge(&self, _: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        Ok(None)
    }
}

impl References for &[u8] {
    fn weights(&self) -> Result<Option<Vec<u8>>, TaskError> {
        Ok(Some(self.to_vec()))
    }
}

impl References for Arc<dyn Witness> {
    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        Ok(Some(self.clone()))
    }
}

impl References for Arc<dyn Encoder> {
    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        Ok(Some(self.clone()))
    }
}
