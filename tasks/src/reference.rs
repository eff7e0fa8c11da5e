//! What the reference model says to a challenge or of an answer, and how that is written into a journal.

mod recorded;

use weighhouse_models::digits::{CLASSES, PIXELS};
use weighhouse_models::{Classifier, ModelError};
use weighhouse_types::Digest;

use crate::challenge::Challenge;
use crate::witness::Testimony;
pub use recorded::ReferenceError;

/// Rows of every forward pass over references. Shorter batches are filled up with blank scans, so that a reference's
/// bits don't depend on how many challenges a round had.
const BATCH_ROWS: usize = 256;

/// The reference model's word on one challenge, or on one miner's answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    challenge: Digest,
    word: Word,
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    /// A row of ten probabilities per scan.
    Rows(Vec<[f32; CLASSES]>),
    /// A row per text.
    Vectors(Vec<Vec<f32>>),
    /// The reference is asked once the answer is there.
    Awaited,
    /// What it said then.
    Testimony(Testimony),
}

impl Reference {
    /// One reference per challenge, in order.
    pub(crate) fn compute(model: &Classifier, challenges: &[Challenge]) -> Result<Vec<Self>, ModelError> {
        let mut pixels: Vec<f32> = challenges.iter().flat_map(Challenge::pixels).copied().collect();
        pixels.resize(pixels.len().next_multiple_of(BATCH_ROWS * PIXELS), 0.0);
        let mut rows = Vec::with_capacity(pixels.len() / PIXELS);
        for batch in pixels.chunks(BATCH_ROWS * PIXELS) {
            rows.extend(model.forward(batch)?);
        }
        let mut rows = rows.into_iter();
        let own = |challenge: &Challenge| Self {
            challenge: challenge.digest(),
            word: Word::Rows(rows.by_ref().take(challenge.items()).collect()),
        };
        Ok(challenges.iter().map(own).collect())
    }

    pub(crate) fn awaited(challenge: Digest) -> Self {
        Self { challenge, word: Word::Awaited }
    }

    pub(crate) fn testimony_on(challenge: Digest, testimony: Testimony) -> Self {
        Self { challenge, word: Word::Testimony(testimony) }
    }

    pub(crate) fn vectors_of(challenge: Digest, vectors: Vec<Vec<f32>>) -> Self {
        Self { challenge, word: Word::Vectors(vectors) }
    }

    /// The digest of the challenge this belongs to.
    pub fn challenge(&self) -> Digest {
        self.challenge
    }

    /// One row of ten probabilities per scan; none if the challenge isn't one of scans.
    pub fn rows(&self) -> &[[f32; CLASSES]] {
        match &self.word {
            Word::Rows(rows) => rows,
            _ => &[],
        }
    }

    /// One row per text; none if the challenge isn't one of texts.
    pub fn vectors(&self) -> &[Vec<f32>] {
        match &self.word {
            Word::Vectors(vectors) => vectors,
            _ => &[],
        }
    }

    /// What the reference says of a completion, if it was asked.
    pub fn testimony(&self) -> Option<&Testimony> {
        match &self.word {
            Word::Testimony(testimony) => Some(testimony),
            _ => None,
        }
    }
}
