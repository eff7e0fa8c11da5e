//! `btauth/1`: a request signed by one hotkey for another, body, method, target and time included.
//!
//! Pure: time comes from a [`weighhouse_seams::Clock`], nothing is remembered (see [`crate::replay`]). A receiver
//! checks in the order of [`Claims`]'s methods: shape, receiver, freshness, signature; replay comes last, so that
//! nobody without the key can use up a nonce.

mod claims;
mod signer;

use std::time::Duration;

use weighhouse_types::{Digest, Hotkey};

pub use claims::{AuthError, Claims, ClaimsError};
pub use signer::Signer;

/// Header names, lower-case as HTTP/2 and gRPC metadata want them.
pub mod header {
    pub const VERSION: &str = "x-bittensor-version";
    pub const HOTKEY: &str = "x-bittensor-hotkey";
    pub const RECEIVER: &str = "x-bittensor-receiver";
    pub const NONCE: &str = "x-bittensor-nonce";
    pub const CRYPTO: &str = "x-bittensor-crypto";
    pub const SIGNATURE: &str = "x-bittensor-signature";
    /// In a refusal for a nonce that isn't fresh: nanoseconds since the Unix epoch by the receiver's clock.
    pub const TIME: &str = "weighhouse-time";
}

/// Time by which a nonce may lie behind the receiver's clock.
pub const MAX_AGE: Duration = Duration::from_secs(10);
/// Time by which a nonce may lie ahead of the receiver's clock.
pub const MAX_AHEAD: Duration = Duration::from_secs(2);

const PROTOCOL: &str = "btauth/1";
const VERSION: &str = "1";
const SCHEME: &str = "sr25519";

/// Everything a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// In any case; signed in upper case.
    pub method: &'a str,
    /// Path and query exactly as sent; over gRPC the `:path` pseudo-header.
    pub target: &'a str,
    /// SHA-256 of the raw body; over gRPC the five-byte message prefix included.
    pub body: Digest,
    /// Nanoseconds since the Unix epoch.
    pub nonce: u64,
    pub sender: Hotkey,
    pub receiver: Option<Hotkey>,
}

impl Payload<'_> {
    /// The signed bytes: eight lines joined by `\n`, no newline at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let receiver = self.receiver.map_or_else(|| "-".to_owned(), |hotkey| hotkey.to_string());
        let lines = [
            PROTOCOL,
            SCHEME,
            &self.method.to_uppercase(),
            self.target,
            &self.body.to_string(),
            &self.nonce.to_string(),
            &self.sender.to_string(),
            &receiver,
        ];
        lines.join("\n").into_bytes()
    }
}

#[cfg(test)]
mod tests;
