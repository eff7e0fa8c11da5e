//! Signing and verifying notes: a log's own signature, and a witness's with its time.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::note::{KeyKind, NoteError, NoteSignature, SignedNote, VerifierKey};

const SIGNATURE_BYTES: usize = 64;
const TIME_BYTES: usize = 8;

/// A key that signs notes.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl SigningKey {
    /// # Errors
    /// `None` where no key can have this name.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let key = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, verifier: VerifierKey::new(name, kind, key)? })
    }

    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text; a witness says with it when it did, in seconds since the Unix epoch.
    pub fn sign(&self, note: &SignedNote, unix_seconds: u64) -> NoteSignature {
        let signed = self.verifier.signed(note.text(), unix_seconds);
        let signature = self.pair.sign(&signed);
        let mut bytes = match self.verifier.kind {
            KeyKind::Log => Vec::new(),
            KeyKind::Witness => unix_seconds.to_be_bytes().to_vec(),
        };
        bytes.extend(signature.as_ref());
        NoteSignature { name: self.verifier.name.clone(), key_id: self.verifier.id(), bytes }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl VerifierKey {
    /// Checks that this key has signed a note; gives the time that a witness said with it, and 0 for a log.
    ///
    /// # Errors
    /// No signature by this key, or a wrong one.
    pub fn verify(&self, note: &SignedNote) -> Result<u64, NoteError> {
        let id = self.id();
        let mut own = note.signatures().iter().filter(|it| it.name == self.name && it.key_id == id);
        let Some(signature) = own.next() else { return Err(NoteError::Unsigned { name: self.name.clone() }) };
        let wrong = || NoteError::WrongSignature { name: self.name.clone() };
        let (time, bytes) = match self.kind {
            KeyKind::Log => (0, &signature.bytes[..]),
            KeyKind::Witness => {
                let (time, rest) = signature.bytes.split_first_chunk::<TIME_BYTES>().ok_or_else(wrong)?;
                (u64::from_be_bytes(*time), rest)
            }
        };
        // One key has one word on a note.
        if bytes.len() != SIGNATURE_BYTES || own.next().is_some() {
            return Err(wrong());
        }
        let signed = self.signed(note.text(), time);
        UnparsedPublicKey::new(&ED25519, self.key).verify(&signed, bytes).map_err(|_| wrong())?;
        Ok(time)
    }

    fn signed(&self, text: &str, unix_seconds: u64) -> Vec<u8> {
        match self.kind {
            KeyKind::Log => text.as_bytes().to_vec(),
            KeyKind::Witness => format!("cosignature/v1\ntime {unix_seconds}\n{text}").into_bytes(),
        }
    }
}
