//! Messages that open at a round of a beacon: timelock encryption on BLS12-381, in the format that subtensor opens.
//!
//! A beacon signs the number of each round; the signature is the key to everything encrypted to that round. The same
//! code encrypts to drand's quicknet and to the ledger's own beacon ([`LocalBeacon`]).
//!
//! The scheme is Boneh-Franklin's identity-based encryption in its chosen-ciphertext-secure form (`ibe`), with keys in
//! G2 and signatures in G1, around AES-256-GCM (`envelope`).
//!
//! **Invariant.** Whoever's bytes: no panic, and nothing is allocated beyond their length.

mod beacon;
mod envelope;
mod ibe;
mod weights;

use rand::CryptoRng;
use weighhouse_types::{Rounds, TIMELOCK_KEY_BYTES};

pub use beacon::{LocalBeacon, verify};
pub use weights::{WeightsPayload, open_weights, seal_weights};

/// Bytes of a beacon's signature: a compressed point of G1.
pub const SIGNATURE_BYTES: usize = 48;

/// Most bytes of one commit that a chain stores.
pub const CIPHERTEXT_BYTES_MAX: usize = 5000;

/// drand's quicknet, which Bittensor's chain follows.
pub mod quicknet {
    use super::*;

    /// Round 1, in seconds since the Unix epoch.
    pub const GENESIS: u64 = 1_692_803_367;
    /// Seconds between two rounds.
    pub const PERIOD: u64 = 3;
    /// The network's public key, compressed.
    pub const PUBLIC_KEY: [u8; TIMELOCK_KEY_BYTES] = [
        0x83, 0xcf, 0x0f, 0x28, 0x96, 0xad, 0xee, 0x7e, 0xb8, 0xb5, 0xf0, 0x1f, 0xca, 0xd3, 0x91, 0x22, 0x12,
        0xc4, 0x37, 0xe0, 0x07, 0x3e, 0x91, 0x1f, 0xb9, 0x00, 0x22, 0xd3, 0xe7, 0x60, 0x18, 0x3c, 0x8c, 0x4b,
        0x45, 0x0b, 0x6a, 0x0a, 0x6c, 0x3a, 0xc6, 0xa5, 0x77, 0x6a, 0x2d, 0x10, 0x64, 0x51, 0x0d, 0x1f, 0xec,
        0x75, 0x8c, 0x92, 0x1c, 0xc2, 0x2b, 0x0e, 0x17, 0xe6, 0x3a, 0xaf, 0x4b, 0xcb, 0x5e, 0xd6, 0x63, 0x04,
        0xde, 0x9c, 0xf8, 0x09, 0xbd, 0x27, 0x4c, 0xa7, 0x3b, 0xab, 0x4a, 0xf5, 0xa6, 0xe9, 0xc7, 0x6a, 0x4b,
        0xc0, 0x9e, 0x76, 0xea, 0xe8, 0x99, 0x1e, 0xf5, 0xec, 0xe4, 0x5a,
    ];

    /// Its rounds, on a chain with this time between blocks.
    pub fn rounds(block_millis: u64) -> Rounds {
        Rounds::Clock { genesis: GENESIS, period: PERIOD, block_millis }
    }
}

/// Why a message can't be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimelockError {
    #[error("the beacon's public key is no point of G2")]
    PublicKey,
    #[error("the beacon's signature is no point of G1")]
    Signature,
    #[error("the ciphertext is malformed")]
    Malformed,
    #[error("the signature doesn't open the ciphertext")]
    WrongKey,
    #[error("the message is no weights payload")]
    NotWeights,
    #[error("the weights were committed by another hotkey")]
    OtherHotkey,
}

/// Encrypts so that only the beacon's signature of the round opens it.
pub fn encrypt(
    public_key: &[u8; TIMELOCK_KEY_BYTES],
    round: u64,
    message: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, TimelockError> {
    let public_key = ibe::public_key(public_key)?;
    let (mut secret, mut sigma, mut nonce) = ([0; 32], [0; 32], [0; 12]);
    rng.fill_bytes(&mut secret);
    rng.fill_bytes(&mut sigma);
    // A random nonce does: its key encrypts this one message.
    rng.fill_bytes(&mut nonce);
    let header = ibe::encrypt(public_key, round, &secret, &sigma);
    envelope::seal(&header, &secret, nonce, message)
}

/// Opens a ciphertext with the signature of the round that it was encrypted to.
pub fn decrypt(ciphertext: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<Vec<u8>, TimelockError> {
    let sealed = envelope::Envelope::read(ciphertext)?;
    let secret = ibe::decrypt(&sealed.header, ibe::signature(signature)?)?;
    sealed.open(&secret)
}

#[cfg(test)]
mod tests;
