//! Proof, in the type, that a request was verified.

use bytes::Bytes;
use http::Extensions;
use weighhouse_types::{Digest, Hotkey};

/// A value that a verified hotkey sent. There is no constructor outside verification: holding one means that
/// signature, receiver, freshness and replay were checked.
#[derive(Clone, Debug)]
pub struct Authenticated<T> {
    caller: Hotkey,
    nonce: u64,
    body_digest: Digest,
    value: T,
}

impl<T> Authenticated<T> {
    pub(super) fn new(caller: Hotkey, nonce: u64, body_digest: Digest, value: T) -> Self {
        Self { caller, nonce, body_digest, value }
    }

    pub fn caller(&self) -> Hotkey {
        self.caller
    }

    /// Nanoseconds since the Unix epoch by the caller's clock; unique per caller.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// SHA-256 of the request's body as it was sent, the five-byte prefix included.
    pub fn body_digest(&self) -> Digest {
        self.body_digest
    }

    pub fn value(&self) -> &T {
        &self.value
    }

    pub fn into_value(self) -> T {
        self.value
    }

    /// The same evidence for what `read` makes of the value.
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Authenticated<U> {
        Authenticated {
            caller: self.caller,
            nonce: self.nonce,
            body_digest: self.body_digest,
            value: read(self.value),
        }
    }

    /// As [`Self::map`], where reading can fail.
    pub fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Authenticated<U>, E> {
        let Self { caller, nonce, body_digest, value } = self;
        Ok(Authenticated { caller, nonce, body_digest, value: read(value)? })
    }
}

impl Authenticated<Bytes> {
    /// Takes the evidence that the verifying layer left; `None` on an unsigned path.
    pub fn take(extensions: &mut Extensions) -> Option<Self> {
        extensions.remove()
    }
}

#[cfg(test)]
impl Authenticated<Bytes> {
    pub(crate) fn for_test(caller: Hotkey, body: Bytes) -> Self {
        Self::new(caller, 1, Digest::of(&body), body)
    }
}
