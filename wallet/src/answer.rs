//! The answer's signature: a miner's word that this request, served by this model, got this answer.
//!
//! Signed is a domain-separated digest of (SHA-256 of the request as sent, SHA-256 of the answer as sent, the model's
//! digest), frames included. It travels in the response's trailers, so that the answer's bytes are known before it is
//! made; of a streamed answer that is every frame of the stream.

mod batch;
mod layer;
mod signable;
mod signature;
mod stream;

use http::HeaderMap;
use weighhouse_types::{Digest, Hasher, Hotkey};

pub use layer::{SignAnswer, SignAnswerLayer};
pub use signable::Signable;
pub use signature::{AnswerSignature, DecodeError, PATH_MAX, VerifyError, sign_batch};
pub use stream::SignedStream;

/// Trailer names, lower-case.
pub mod trailer {
    /// Lower-case hexadecimal of [`super::AnswerSignature::encode`].
    pub const SIGNATURE: &str = "weighhouse-signature";
    /// Hexadecimal digest of the model that answered.
    pub const MODEL: &str = "weighhouse-model";
}

const DOMAIN: &str = "weighhouse/answer/v1";

/// The payload that is signed for one answer. `request` and `answer` are the SHA-256 of the framed bytes as sent.
pub fn answer_digest(request: &Digest, answer: &Digest, model: &Digest) -> Digest {
    Hasher::new(DOMAIN).part(request.as_bytes()).part(answer.as_bytes()).part(model.as_bytes()).finish()
}

/// An answer that its miner stands by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAnswer {
    pub model: Digest,
    /// Kept as evidence.
    pub signature: AnswerSignature,
}

/// Why an answer is not its miner's word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("trailer {0} is missing")]
    Missing(&'static str),
    #[error("trailer {0} stands there more than once")]
    Duplicate(&'static str),
    #[error("trailer {0} is not hexadecimal")]
    NotHex(&'static str),
    #[error("the model's digest has not 32 bytes")]
    Model,
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// Checks that `hotkey` signed for these very bytes. `request` and `answer` are framed, as they went over the wire.
pub fn verify_answer(
    hotkey: &Hotkey,
    request: &[u8],
    answer: &[u8],
    trailers: &HeaderMap,
) -> Result<VerifiedAnswer, AnswerError> {
    verify_hashed(hotkey, &Digest::of(request), &Digest::of(answer), trailers)
}

/// Like [`verify_answer`], for callers that know both digests already.
pub fn verify_hashed(
    hotkey: &Hotkey,
    request: &Digest,
    answer: &Digest,
    trailers: &HeaderMap,
) -> Result<VerifiedAnswer, AnswerError> {
    let model: [u8; 32] =
        hex_trailer(trailers, trailer::MODEL)?.try_into().map_err(|_| AnswerError::Model)?;
    let model = Digest(model);
    let signature = AnswerSignature::decode(&hex_trailer(trailers, trailer::SIGNATURE)?)?;
    // The model's digest is the miner's own claim; the signature covers it, so the miner can't deny it later.
    signature.verify(hotkey, &answer_digest(request, answer, &model))?;
    Ok(VerifiedAnswer { model, signature })
}

fn hex_trailer(trailers: &HeaderMap, name: &'static str) -> Result<Vec<u8>, AnswerError> {
    let mut values = trailers.get_all(name).iter();
    let value = values.next().ok_or(AnswerError::Missing(name))?;
    // Of two values, the validator and an auditor could each read another one.
    if values.next().is_some() {
        return Err(AnswerError::Duplicate(name));
    }
    const_hex::decode(value.as_bytes()).map_err(|_| AnswerError::NotHex(name))
}

#[cfg(test)]
mod tests;
