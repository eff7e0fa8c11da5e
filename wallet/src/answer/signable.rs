//! Answers that can be signed, because they say which model they are of.

use http::Extensions;
use weighhouse_types::Digest;

/// A message, or a stream of them, that the digest of its model travels with. There is no other way to have an answer
/// signed, and an answer to a verified request that isn't signed doesn't leave.
#[derive(Debug)]
pub struct Signable<M> {
    message: M,
    terms: SigningTerms,
}

/// The note to the signing layer in a response's extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigningTerms {
    pub(super) model: Digest,
    /// Comes piece by piece, and is signed behind the last.
    pub(super) streamed: bool,
}

impl<M> Signable<M> {
    /// An answer that is signed before any of it leaves.
    pub fn whole(message: M, model: Digest) -> Self {
        Self { message, terms: SigningTerms { model, streamed: false } }
    }

    /// An answer that leaves piece by piece.
    pub fn streamed(pieces: M, model: Digest) -> Self {
        Self { message: pieces, terms: SigningTerms { model, streamed: true } }
    }

    /// The same model's answer in another form.
    pub fn map<N>(self, form: impl FnOnce(M) -> N) -> Signable<N> {
        Signable { message: form(self.message), terms: self.terms }
    }

    /// As [`Self::map`], where it can fail.
    pub fn try_map<N, E>(self, form: impl FnOnce(M) -> Result<N, E>) -> Result<Signable<N>, E> {
        Ok(Signable { message: form(self.message)?, terms: self.terms })
    }

    /// The message, and the extensions that its response must have.
    pub fn into_parts(self) -> (M, Extensions) {
        let mut extensions = Extensions::new();
        extensions.insert(self.terms);
        (self.message, extensions)
    }
}
