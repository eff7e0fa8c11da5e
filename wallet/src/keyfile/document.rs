//! The fields of a keyfile, as Bittensor's tools of all ages and people by hand have written them.

use serde::{Deserialize, Deserializer, Serialize};
use weighhouse_types::Hotkey;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Encryption, KeyfileError, encryption};
use crate::keypair::{KeyError, Keypair};

/// `cryptoType` of sr25519; a file without one is sr25519 as well.
const SR25519: i64 = 1;
pub(crate) const ED25519: i64 = 0;

#[derive(Default, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_phrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ss58_address: Option<String>,
    #[serde(
        default,
        alias = "crypto_type",
        deserialize_with = "kind",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) crypto_type: Option<i64>,
}

impl Document {
    pub(super) fn parse(json: &[u8]) -> Result<Self, KeyfileError> {
        if json.trim_ascii().is_empty() {
            return Err(KeyfileError::Empty);
        }
        // Encrypted bytes are no JSON either; the name of the scheme helps more than a syntax error.
        if encryption(json)? == Encryption::Nacl {
            return Err(KeyfileError::Encrypted);
        }
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

    pub(super) fn of_public(public: &[u8; 32]) -> Self {
        let mut document = Self::default();
        document.account_id = Some(prefixed(public));
        document.public_key = Some(prefixed(public));
        document.ss58_address = Some(Hotkey(*public).to_string());
        document.crypto_type = Some(SR25519);
        document
    }

    pub(super) fn render(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("strings and numbers always serialize"))
    }

    pub(super) fn has_secret(&self) -> bool {
        [&self.private_key, &self.secret_seed, &self.secret_phrase]
            .into_iter()
            .any(|field| given(field).is_some())
    }

    /// The one public key that every public field names; none where the file has a secret alone.
    pub(super) fn public(&self) -> Result<Option<[u8; 32]>, KeyfileError> {
        if let Some(other) = self.crypto_type.filter(|kind| *kind != SR25519) {
            return Err(KeyfileError::CryptoType(other));
        }
        let address = given(&self.ss58_address).map(|text| text.trim().parse::<Hotkey>());
        let address = address.transpose().map_err(KeyfileError::Address)?.map(|hotkey| hotkey.0);
        let named = [
            ("publicKey", exact("publicKey", &self.public_key)?.map(|key| *key)),
            ("accountId", exact("accountId", &self.account_id)?.map(|key| *key)),
            ("ss58Address", address),
        ];
        let first = named.iter().find_map(|(_, key)| *key);
        match named.iter().find(|(_, key)| key.is_some() && *key != first) {
            Some((field, _)) => Err(KeyfileError::Mismatch(field)),
            None => Ok(first),
        }
    }

    /// The key from `privateKey`, checked against `secretSeed` where both stand; else from the seed, else from the
    /// words. Words beside another secret are not checked: they may need a password that the file does not hold.
    pub(super) fn keypair(&self) -> Result<Keypair, KeyfileError> {
        let named = self.public()?;
        let seeded = secret("secretSeed", &self.secret_seed, named)?;
        let public = named.or(seeded.as_ref().map(Keypair::public));
        if let Some(keypair) = secret("privateKey", &self.private_key, public)? {
            return Ok(keypair);
        }
        if let Some(seeded) = seeded {
            return Ok(seeded);
        }
        let phrase = given(&self.secret_phrase).ok_or(KeyfileError::NoSecret)?;
        let keypair = Keypair::from_mnemonic(phrase, "")
            .map_err(|source| KeyfileError::Secret { field: "secretPhrase", source })?;
        of("secretPhrase", keypair, named)
    }
}

/// A field's text; an empty one is an absent one.
fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.trim().is_empty())
}

/// Refuses a key that the file's public fields don't name: whoever signs with it would sign as somebody else.
fn of(field: &'static str, keypair: Keypair, named: Option<[u8; 32]>) -> Result<Keypair, KeyfileError> {
    match named {
        Some(named) if named != keypair.public() => Err(KeyfileError::Mismatch(field)),
        _ => Ok(keypair),
    }
}

/// A seed of 32 bytes or an expanded secret of 64, in whichever of the two fields it stands.
fn secret(
    field: &'static str,
    text: &Option<String>,
    named: Option<[u8; 32]>,
) -> Result<Option<Keypair>, KeyfileError> {
    let Some(text) = given(text) else { return Ok(None) };
    if let Ok(seed) = hex::<32>(field, text) {
        return of(field, Keypair::from_seed(&seed), named).map(Some);
    }
    let bytes = match hex::<64>(field, text) {
        Ok(bytes) => bytes,
        Err(_) if field == "secretSeed" => return Err(KeyfileError::Hex { field, bytes: 32 }),
        Err(error) => return Err(error),
    };
    expanded(field, &bytes, named).map(Some)
}

/// Polkadot's JavaScript tools write the scalar multiplied by the cofactor; the public key tells which is meant.
fn expanded(field: &'static str, bytes: &[u8; 64], named: Option<[u8; 32]>) -> Result<Keypair, KeyfileError> {
    let readings = [Keypair::from_expanded(bytes), Keypair::from_expanded_ed25519(bytes)];
    let mut refusal = KeyfileError::Secret { field, source: KeyError::Expanded };
    for keypair in readings.into_iter().flatten() {
        match of(field, keypair, named) {
            Ok(keypair) => return Ok(keypair),
            // A well-formed key, only not the one that the file names.
            Err(mismatch) => refusal = mismatch,
        }
    }
    Err(refusal)
}

fn exact(field: &'static str, text: &Option<String>) -> Result<Option<Zeroizing<[u8; 32]>>, KeyfileError> {
    given(text).map(|text| hex(field, text)).transpose()
}

fn hex<const N: usize>(field: &'static str, text: &str) -> Result<Zeroizing<[u8; N]>, KeyfileError> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut bytes = Zeroizing::new([0; N]);
    const_hex::decode_to_slice(digits, &mut *bytes).map_err(|_| KeyfileError::Hex { field, bytes: N })?;
    Ok(bytes)
}

pub(super) fn prefixed(bytes: &[u8]) -> String {
    const_hex::encode_prefixed(bytes)
}

/// A number, or a number or a name in a text. What is neither says nothing, as for Bittensor's own tools.
fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(match &value {
        serde_json::Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "sr25519" => Some(SR25519),
            "ed25519" => Some(ED25519),
            number => number.parse().ok(),
        },
        // JSON of other languages may write 1 as 1.0.
        number => number
            .as_i64()
            .or_else(|| number.as_f64().filter(|whole| whole.fract() == 0.0).map(|whole| whole as i64)),
    })
}
