//! sr25519 keys: made from URIs, mnemonics, seeds or expanded secrets, and used to sign and verify.
//!
//! Derivation and signatures are Substrate's (signing context `substrate`), so the same words give the same address
//! in every Bittensor tool. Signatures are randomised: two signatures of one message differ, both verify. The secret
//! is wiped when a [`Keypair`] is dropped, and `Debug` shows the address alone.

mod uri;
mod verify;

use std::fmt;

use rand::CryptoRng;
use schnorrkel::{ExpansionMode, MiniSecretKey, SecretKey};
use sha2::Sha512;
use weighhouse_types::{Coldkey, Hotkey};
use zeroize::{Zeroize, Zeroizing};

pub use verify::{Signed, verify, verify_all};

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

const SIGNING_CONTEXT: &[u8] = b"substrate";
/// Rounds of BIP39's PBKDF2, which Substrate keeps while it replaces the phrase by its entropy.
const PBKDF2_ROUNDS: u32 = 2048;
/// 128 bits: twelve words.
const MNEMONIC_ENTROPY_BYTES: usize = 16;

/// Why a text or bytes are no key. Messages never repeat the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("neither words nor a seed nor a path")]
    Empty,
    #[error("not a mnemonic of English BIP39 words: {0}")]
    Mnemonic(String),
    #[error("a seed is 0x and 64 hexadecimal digits")]
    SeedHex,
    #[error("a password has no meaning with a hexadecimal seed")]
    PasswordOnSeed,
    #[error("the derivation path has an empty step")]
    EmptyJunction,
    #[error("not an expanded sr25519 secret key")]
    Expanded,
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature is absent")]
    Absent,
    #[error("a signature has {SIGNATURE_BYTES} bytes, this one {0}")]
    Length(usize),
    #[error("the signature is not an sr25519 signature")]
    Shape,
    #[error("the public key is not an sr25519 key")]
    PublicKey,
    #[error("the signature is wrong")]
    Wrong,
}

/// The source of a key, kept only so that a keyfile can hold it.
pub(crate) struct Origin {
    pub(crate) phrase: Option<Zeroizing<String>>,
    pub(crate) seed: Option<Zeroizing<[u8; 32]>>,
}

impl Origin {
    const NONE: Self = Self { phrase: None, seed: None };
}

/// An sr25519 secret and its public key.
pub struct Keypair {
    inner: schnorrkel::Keypair,
    pub(crate) origin: Origin,
}

impl Keypair {
    /// A Substrate secret URI: `[words | 0xseed][//hard | /soft]...[///password]`. A path without words is below the
    /// well-known development phrase, so `//Alice` is everybody's Alice.
    pub fn from_uri(text: &str) -> Result<Self, KeyError> {
        uri::derive(text)
    }

    /// True of a URI below the public development phrase, whose keys anybody can sign with.
    pub fn is_public_uri(text: &str) -> bool {
        uri::is_public(text)
    }

    /// BIP39 words, English, with Substrate's derivation: PBKDF2-HMAC-SHA512 over the entropy, not the words; salt
    /// `mnemonic` and the password, 2048 rounds; the first 32 bytes are the seed.
    pub fn from_mnemonic(phrase: &str, password: &str) -> Result<Self, KeyError> {
        let mnemonic = bip39::Mnemonic::parse_in(bip39::Language::English, phrase)
            .map_err(|error| KeyError::Mnemonic(error.to_string()))?;
        let mut keypair = Self::from_seed(&mnemonic_seed(&mnemonic, password));
        // Beside a password the words alone would give another key,
        // and a keyfile has no field for the password.
        if password.is_empty() {
            keypair.origin.phrase = Some(Zeroizing::new(mnemonic.to_string()));
        }
        Ok(keypair)
    }

    /// A 32-byte seed (Substrate's "mini secret"), expanded as Ed25519 does.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mini = MiniSecretKey::from_bytes(seed).expect("32 bytes are always a mini secret");
        let inner = mini.expand_to_keypair(ExpansionMode::Ed25519);
        Self { inner, origin: Origin { phrase: None, seed: Some(Zeroizing::new(*seed)) } }
    }

    /// The keyfile's `privateKey`: a canonical scalar, then the nonce seed, 32 bytes each.
    pub fn from_expanded(bytes: &[u8; 64]) -> Result<Self, KeyError> {
        SecretKey::from_bytes(bytes).map(Self::from_secret).map_err(|_| KeyError::Expanded)
    }

    /// As [`Self::from_expanded`], with the scalar multiplied by the cofactor, as Polkadot's JavaScript tools write it.
    pub(crate) fn from_expanded_ed25519(bytes: &[u8; 64]) -> Result<Self, KeyError> {
        SecretKey::from_ed25519_bytes(bytes).map(Self::from_secret).map_err(|_| KeyError::Expanded)
    }

    /// A new key and the twelve words to write down.
    pub fn generate(rng: &mut dyn CryptoRng) -> (Zeroizing<String>, Self) {
        let mut bytes = Zeroizing::new([0_u8; MNEMONIC_ENTROPY_BYTES]);
        rng.fill_bytes(&mut *bytes);
        let mnemonic = bip39::Mnemonic::from_entropy(&*bytes).expect("16 bytes make twelve words");
        let phrase = Zeroizing::new(mnemonic.to_string());
        let mut keypair = Self::from_seed(&mnemonic_seed(&mnemonic, ""));
        keypair.origin.phrase = Some(phrase.clone());
        (phrase, keypair)
    }

    fn from_secret(secret: SecretKey) -> Self {
        Self { inner: secret.to_keypair(), origin: Origin::NONE }
    }

    /// Forgets words and seed: what a daemon keeps in memory can sign, and no more.
    pub fn without_origin(mut self) -> Self {
        self.origin = Origin::NONE;
        self
    }

    pub fn public(&self) -> [u8; 32] {
        self.inner.public.to_bytes()
    }

    pub fn hotkey(&self) -> Hotkey {
        Hotkey(self.public())
    }

    pub fn coldkey(&self) -> Coldkey {
        Coldkey(self.public())
    }

    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.inner.sign_simple(SIGNING_CONTEXT, message).to_bytes()
    }

    pub(crate) fn expanded(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.inner.secret.to_bytes())
    }

    pub(crate) fn schnorrkel(&self) -> &schnorrkel::Keypair {
        &self.inner
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keypair").field(&self.hotkey()).finish()
    }
}

fn mnemonic_seed(mnemonic: &bip39::Mnemonic, password: &str) -> Zeroizing<[u8; 32]> {
    let (mut entropy, length) = mnemonic.to_entropy_array();
    let salt = Zeroizing::new(format!("mnemonic{password}"));
    let mut wide = Zeroizing::new([0_u8; 64]);
    pbkdf2::pbkdf2_hmac::<Sha512>(&entropy[..length], salt.as_bytes(), PBKDF2_ROUNDS, &mut *wide);
    entropy.zeroize();
    let mut seed = Zeroizing::new([0_u8; 32]);
    seed.copy_from_slice(&wide[..32]);
    seed
}

#[cfg(test)]
mod tests;
