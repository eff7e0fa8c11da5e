//! The ciphertext's bytes: the header, and the message under AES-256-GCM with the secret that the header holds.
//!
//! As arkworks writes them: every list is its length, 8 bytes little-endian, and its bytes. The header is U, V, W; then
//! follow the body, itself two lists (ciphertext with its tag, nonce), and the name of the cipher.

use aes_gcm::aead::Aead;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use ark_bls12_381::G2Affine;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};

use super::ibe::Header;
use super::{TIMELOCK_KEY_BYTES, TimelockError};

const CIPHER: &[u8] = b"AES_GCM_";
const NONCE_BYTES: usize = 12;

/// A ciphertext taken apart.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) header: Header,
    message: &'a [u8],
    nonce: [u8; NONCE_BYTES],
}

pub(super) fn seal(
    header: &Header,
    secret: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    message: &[u8],
) -> Result<Vec<u8>, TimelockError> {
    let cipher = Aes256Gcm::new(secret.into());
    let message = cipher.encrypt(&Nonce::from(nonce), message).map_err(|_| TimelockError::Malformed)?;
    let mut body = Vec::with_capacity(message.len() + 16 + NONCE_BYTES);
    list(&mut body, &message);
    list(&mut body, &nonce);
    let mut bytes = Vec::with_capacity(TIMELOCK_KEY_BYTES + 2 * 40 + 8 + body.len() + 16);
    header.u.serialize_compressed(&mut bytes).expect("a vector takes all bytes");
    for part in [&header.v[..], &header.w[..], &body, CIPHER] {
        list(&mut bytes, part);
    }
    Ok(bytes)
}

fn list(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

impl<'a> Envelope<'a> {
    /// Reads exactly these bytes. As the chain, it does not look at what follows the cipher's name.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, TimelockError> {
        let (u, mut rest) = bytes.split_at_checked(TIMELOCK_KEY_BYTES).ok_or(TimelockError::Malformed)?;
        let u = G2Affine::deserialize_compressed(u).map_err(|_| TimelockError::Malformed)?;
        let (v, w) = (take_hash(&mut rest)?, take_hash(&mut rest)?);
        let mut body = take(&mut rest)?;
        take(&mut rest)?;
        let (message, nonce) = (take(&mut body)?, take(&mut body)?);
        let nonce = nonce.try_into().map_err(|_| TimelockError::Malformed)?;
        Ok(Self { header: Header { u, v, w }, message, nonce })
    }

    pub(super) fn open(&self, secret: &[u8; 32]) -> Result<Vec<u8>, TimelockError> {
        let cipher = Aes256Gcm::new(secret.into());
        cipher.decrypt(&Nonce::from(self.nonce), self.message).map_err(|_| TimelockError::WrongKey)
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], TimelockError> {
    let (length, after) = rest.split_first_chunk::<8>().ok_or(TimelockError::Malformed)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| TimelockError::Malformed)?;
    let (bytes, after) = after.split_at_checked(length).ok_or(TimelockError::Malformed)?;
    *rest = after;
    Ok(bytes)
}

fn take_hash(rest: &mut &[u8]) -> Result<[u8; 32], TimelockError> {
    take(rest)?.try_into().map_err(|_| TimelockError::Malformed)
}
