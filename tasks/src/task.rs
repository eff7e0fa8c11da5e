//! A task: its file, its reference model, and what a validator does with them.

use std::fmt;

use weighhouse_models::{Classifier, ModelError};
use weighhouse_types::{Digest, Failure, InferAnswer, InferRequest, Judgement};

use crate::challenge::Challenge;
use crate::file::{TaskFile, TaskFileError};
use crate::reference::Reference;
use crate::{judge, wire};

/// A loaded task. Any number of threads may share one.
#[derive(Clone)]
pub struct Task {
    file: TaskFile,
    digest: Digest,
    model: Classifier,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    File(#[from] TaskFileError),
    #[error("the task names reference {named}, the weights are {given}")]
    WrongReference { named: Digest, given: Digest },
    #[error("the reference model: {0}")]
    Model(#[from] ModelError),
    #[error("a reference for challenge {reference} can't judge answers to challenge {challenge}")]
    Mismatch { challenge: Digest, reference: Digest },
    #[error("a reference with {actual} rows can't judge a challenge of {expected} items")]
    Rows { expected: usize, actual: usize },
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("digest", &self.digest).field("file", &self.file).finish_non_exhaustive()
    }
}

impl Task {
    /// Reads a task file and the safetensors of the reference model it names.
    ///
    /// # Errors
    /// A file or weights that are refused, or weights that are not those the file names.
    pub fn load(file: &[u8], reference_weights: &[u8]) -> Result<Self, TaskError> {
        let digest = Digest::of(file);
        let file = TaskFile::parse(file)?;
        let given = Digest::of(reference_weights);
        if given != file.reference {
            return Err(TaskError::WrongReference { named: file.reference, given });
        }
        Ok(Self { file, digest, model: Classifier::load(reference_weights)? })
    }

    pub fn file(&self) -> &TaskFile {
        &self.file
    }

    /// SHA-256 of the task file's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The challenge of a seed: the same bits on every machine. Whose seed it is decides whether the challenge is
    /// private or shared (see [`TaskFile::scope`]).
    pub fn challenge(&self, seed: &[u8; 32]) -> Challenge {
        Challenge::draw(self.digest, &self.file, seed)
    }

    /// The question as sent: one FP32 input `pixels` `[items, 64]`, one wanted output `probabilities` `[items, 10]`.
    pub fn request(&self, challenge: &Challenge, id: String) -> InferRequest {
        wire::request(&self.file.model, challenge, id)
    }

    /// The reference's answers, in the order of the challenges: one call a round, in passes of a fixed shape. Belongs
    /// on a thread for CPU work.
    ///
    /// # Errors
    /// [`TaskError::Model`] if the backend gives no result.
    pub fn references(&self, challenges: &[Challenge]) -> Result<Vec<Reference>, TaskError> {
        Ok(Reference::compute(&self.model, challenges)?)
    }

    /// Judges what came back, or that nothing did. No answer panics this or makes it fail.
    ///
    /// # Errors
    /// [`TaskError::Mismatch`] and [`TaskError::Rows`] if the reference is not this challenge's: the caller's fault
    /// or a corrupt journal's, never the miner's.
    pub fn judge(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answer: &Result<InferAnswer, Failure>,
    ) -> Result<Judgement, TaskError> {
        if reference.challenge() != challenge.digest() {
            return Err(TaskError::Mismatch {
                challenge: challenge.digest(),
                reference: reference.challenge(),
            });
        }
        let (expected, actual) = (challenge.items(), reference.rows().len());
        if expected != actual {
            return Err(TaskError::Rows { expected, actual });
        }
        Ok(judge::judge(&self.file.mode, challenge, reference, answer))
    }
}

#[cfg(test)]
mod tests;
