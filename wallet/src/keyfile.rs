//! Bittensor's keyfile: one JSON object per key, plain or `$NACL`-encrypted.
//!
//! A file's statements about its key must agree with each other: a file whose address, public key and secret differ is
//! refused, so that nobody signs with a key other than the one shown. Messages never repeat a secret.

mod document;

use rand::CryptoRng;
use weighhouse_types::Ss58Error;
use zeroize::Zeroizing;

use crate::keypair::{KeyError, Keypair};
use crate::nacl::{self, NaclError};
use crate::password::Password;

pub(crate) use document::ED25519;
use document::{Document, prefixed};

const ANSIBLE_PREFIX: &[u8] = b"$ANSIBLE_VAULT";
// Base64 of Fernet's version byte 0x80 and of the leading zeros of its 64-bit timestamp.
const FERNET_PREFIX: &[u8] = b"gAAAAA";

/// Defects of a keyfile's contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyfileError {
    #[error("an empty file; restore it from a backup or its mnemonic")]
    Empty,
    #[error("encrypted, and no file beside it shows its address")]
    Encrypted,
    #[error(
        "not a keyfile: no JSON at line {line}, column {column}; restore it from a backup or its mnemonic"
    )]
    NotJson { line: usize, column: usize },
    #[error("not a keyfile: a field near line {line}, column {column} has the wrong type")]
    WrongType { line: usize, column: usize },
    #[error("the keyfile has no {0}; restore it from a backup or its mnemonic")]
    MissingField(&'static str),
    #[error(
        "the keyfile has no secret: no privateKey, secretSeed or secretPhrase; restore it from its mnemonic"
    )]
    NoSecret,
    #[error("the keyfile's {field} is not 0x and {bytes} bytes in hexadecimal")]
    Hex { field: &'static str, bytes: usize },
    #[error("the keyfile's ss58Address is wrong: {0}")]
    Address(Ss58Error),
    #[error("the keyfile's {0} belongs to another key than its public key; restore it from its mnemonic")]
    Mismatch(&'static str),
    #[error("the keyfile's {field} is no secret key: {source}")]
    Secret { field: &'static str, source: KeyError },
    #[error(
        "the keyfile's cryptoType is {0} (ed25519 is 0); only sr25519 (1) is supported, make an sr25519 key"
    )]
    CryptoType(i64),
    #[error(
        "encrypted with Ansible Vault, which is not supported; import the mnemonic, or save it as NaCl with its own tool"
    )]
    AnsibleVault,
    #[error(
        "encrypted with legacy Fernet, which is not supported; import the mnemonic, or save it as NaCl with its own tool"
    )]
    Fernet,
    #[error(transparent)]
    Nacl(#[from] NaclError),
}

/// Protection of a keyfile's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Plain,
    Nacl,
}

/// Tells by the first bytes how a keyfile is protected; refuses schemes that cannot be read.
pub fn encryption(data: &[u8]) -> Result<Encryption, KeyfileError> {
    if data.starts_with(nacl::PREFIX) {
        return Ok(Encryption::Nacl);
    }
    if data.starts_with(ANSIBLE_PREFIX) {
        return Err(KeyfileError::AnsibleVault);
    }
    if data.starts_with(FERNET_PREFIX) {
        return Err(KeyfileError::Fernet);
    }
    Ok(Encryption::Plain)
}

/// The secret key in a plain keyfile.
pub(crate) fn parse_secret(json: &[u8]) -> Result<Keypair, KeyfileError> {
    Document::parse(json)?.keypair()
}

/// The public key in a keyfile, which may hold nothing else (`coldkeypub.txt`, `<hotkey>pub.txt`), or a secret alone.
pub fn parse_public(json: &[u8]) -> Result<[u8; 32], KeyfileError> {
    let document = Document::parse(json)?;
    match document.public()? {
        Some(named) => Ok(named),
        None if document.has_secret() => Ok(document.keypair()?.public()),
        None => Err(KeyfileError::MissingField("publicKey")),
    }
}

pub(crate) fn render_secret(keypair: &Keypair) -> Zeroizing<Vec<u8>> {
    let mut document = Document::of_public(&keypair.public());
    document.private_key = Some(prefixed(&*keypair.expanded()));
    document.secret_phrase = keypair.origin.phrase.as_ref().map(|phrase| phrase.to_string());
    document.secret_seed = keypair.origin.seed.as_ref().map(|seed| prefixed(&**seed));
    document.render()
}

pub(crate) fn render_public(public: &[u8; 32]) -> Vec<u8> {
    Document::of_public(public).render().to_vec()
}

/// Encrypts as `$NACL`. Takes some seconds and 512 MiB.
pub(crate) fn seal(
    plain: &[u8],
    password: &Password,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, KeyfileError> {
    Ok(nacl::encrypt(plain, password, rng)?)
}

#[cfg(test)]
mod tests;
