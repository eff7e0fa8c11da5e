//! Bittensor's keyfile: one JSON object per key, plain or `$NACL`-encrypted.
//!
//! A file's statements about its key must agree with each other: a file whose address, public key and secret differ is
//! refused, so that nobody signs with a key other than the one shown. Messages never repeat a secret.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use weighhouse_types::{Hotkey, Ss58Error};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keypair::{KeyError, Keypair};
use crate::nacl::{self, NaclError};
use crate::password::Password;

const ANSIBLE_PREFIX: &[u8] = b"$ANSIBLE_VAULT";
// Base64 of Fernet's version byte 0x80 and of the leading zeros of its 64-bit timestamp.
const FERNET_PREFIX: &[u8] = b"gAAAAA";

/// `cryptoType` of sr25519; a file without one is sr25519 as well.
const SR25519: u8 = 1;

/// Defects of a keyfile's contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyfileError {
    #[error(
        "not a keyfile: no JSON at line {line}, column {column}; restore it from a backup or its mnemonic"
    )]
    NotJson { line: usize, column: usize },
    #[error("not a keyfile: a field near line {line}, column {column} has the wrong type")]
    WrongType { line: usize, column: usize },
    #[error("the keyfile has no {0}; restore it from a backup or its mnemonic")]
    MissingField(&'static str),
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
    CryptoType(u8),
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

#[derive(Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ss58_address: Option<String>,
    #[serde(alias = "crypto_type", skip_serializing_if = "Option::is_none")]
    crypto_type: Option<u8>,
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
    let document = Document::parse(json)?;
    let named = document.public()?;
    let keypair = document.secret(&named)?;
    // The password was right, but a file with another key's address would sign as somebody else.
    if keypair.public() != named {
        return Err(KeyfileError::Mismatch("secret"));
    }
    Ok(keypair)
}

/// The public key in a keyfile, which may hold nothing else (`coldkeypub.txt`, `<hotkey>pub.txt`).
pub fn parse_public(json: &[u8]) -> Result<[u8; 32], KeyfileError> {
    Document::parse(json)?.public()
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

impl Document {
    fn parse(json: &[u8]) -> Result<Self, KeyfileError> {
        // Encrypted bytes are no JSON either; the name of the scheme helps more than a syntax error.
        encryption(json)?;
        // serde's own messages may quote the value they stumble over, which may be a secret.
        serde_json::from_slice(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            if error.is_data() {
                KeyfileError::WrongType { line, column }
            } else {
                KeyfileError::NotJson { line, column }
            }
        })
    }

    fn of_public(public: &[u8; 32]) -> Self {
        let mut document = Self::default();
        document.account_id = Some(prefixed(public));
        document.public_key = Some(prefixed(public));
        document.ss58_address = Some(Hotkey(*public).to_string());
        document.crypto_type = Some(SR25519);
        document
    }

    fn render(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("strings and numbers always serialize"))
    }

    /// The one public key that every public field names.
    fn public(&self) -> Result<[u8; 32], KeyfileError> {
        if let Some(other) = self.crypto_type.filter(|kind| *kind != SR25519) {
            return Err(KeyfileError::CryptoType(other));
        }
        let address = match &self.ss58_address {
            Some(text) => Some(text.parse::<Hotkey>().map_err(KeyfileError::Address)?.0),
            None => None,
        };
        let named = [
            ("publicKey", optional_hex::<32>("publicKey", self.public_key.as_deref())?.map(|key| *key)),
            ("accountId", optional_hex::<32>("accountId", self.account_id.as_deref())?.map(|key| *key)),
            ("ss58Address", address),
        ];
        let first = named.iter().find_map(|(_, key)| *key).ok_or(KeyfileError::MissingField("publicKey"))?;
        match named.iter().find(|(_, key)| key.is_some_and(|key| key != first)) {
            Some((field, _)) => Err(KeyfileError::Mismatch(field)),
            None => Ok(first),
        }
    }

    /// The key from `privateKey`, checked against `secretSeed` where both stand; else from the seed, else from the
    /// words. Words beside another secret are not checked: they may need a password that the file does not hold.
    fn secret(&self, public: &[u8; 32]) -> Result<Keypair, KeyfileError> {
        let seeded = optional_hex::<32>("secretSeed", self.secret_seed.as_deref())?
            .map(|seed| Keypair::from_seed(&seed));
        if let Some(seeded) = &seeded
            && seeded.public() != *public
        {
            return Err(KeyfileError::Mismatch("secretSeed"));
        }
        if let Some(bytes) = optional_hex::<64>("privateKey", self.private_key.as_deref())? {
            return expanded(&bytes, public);
        }
        if let Some(seeded) = seeded {
            return Ok(seeded);
        }
        let phrase = self.secret_phrase.as_deref().ok_or(KeyfileError::MissingField("privateKey"))?;
        let keypair = Keypair::from_mnemonic(phrase, "")
            .map_err(|source| KeyfileError::Secret { field: "secretPhrase", source })?;
        if keypair.public() != *public {
            return Err(KeyfileError::Mismatch("secretPhrase"));
        }
        Ok(keypair)
    }
}

/// Polkadot's JavaScript tools write the scalar multiplied by the cofactor; the public key tells which is meant.
fn expanded(bytes: &[u8; 64], public: &[u8; 32]) -> Result<Keypair, KeyfileError> {
    let readings = [Keypair::from_expanded(bytes), Keypair::from_expanded_ed25519(bytes)];
    let mut refusal = KeyfileError::Secret { field: "privateKey", source: KeyError::Expanded };
    for keypair in readings.into_iter().flatten() {
        if keypair.public() == *public {
            return Ok(keypair);
        }
        // A well-formed key, only not the one that the file names.
        refusal = KeyfileError::Mismatch("privateKey");
    }
    Err(refusal)
}

fn optional_hex<const N: usize>(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<Zeroizing<[u8; N]>>, KeyfileError> {
    let Some(text) = text else { return Ok(None) };
    let mut bytes = Zeroizing::new([0; N]);
    const_hex::decode_to_slice(text, &mut *bytes).map_err(|_| KeyfileError::Hex { field, bytes: N })?;
    Ok(Some(bytes))
}

fn prefixed(bytes: &[u8]) -> String {
    const_hex::encode_prefixed(bytes)
}

#[cfg(test)]
mod tests;
