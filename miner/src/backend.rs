//! Generators of text: a decoder of our own, or a server that the miner fronts.
//!
//! Each server's backend turns one foreign protocol into pieces of text and every failure into one [`BackendError`];
//! deadlines are the engine's, so that no backend can forget one. A server's bytes are bounded like a peer's: it may be
//! a program that somebody else wrote and that misbehaves.

pub(crate) mod error;

mod decoder;
mod oip;
mod openai;

use weighhouse_types::Digest;

pub use decoder::Decoder;
pub use error::{BackendError, Stage};
pub use oip::Oip;
pub use openai::OpenAi;

/// A stand-in for the digest of weights that are out of reach: that of the model's name, as its server knows it.
pub fn digest_of_name(model: &str) -> Digest {
    weighhouse_types::Hasher::new("weighhouse/remote-model/v1").part(model.as_bytes()).finish()
}
