//! Bittensor's `$NACL` keyfile encryption: argon2i over the password with a fixed salt, XSalsa20-Poly1305 over the
//! JSON.
//!
//! The cost is libsodium's SENSITIVE (512 MiB, some seconds of one core), so callers run it outside the reactor.

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{Key, KeyInit, Nonce, XSalsa20Poly1305};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::password::Password;

pub(crate) const PREFIX: &[u8] = b"$NACL";

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Bittensor's: the same for every keyfile.
const SALT: [u8; 16] =
    [0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1];
const MEMORY_KIB: u32 = 512 * 1024;
const PASSES: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NaclError {
    #[error("the encrypted keyfile is cut short")]
    Truncated,
    #[error("wrong password, or the encrypted keyfile is damaged")]
    WrongPassword,
    #[error("deriving the key needs 512 MiB of free memory")]
    Memory,
}

pub(crate) fn encrypt(
    plain: &[u8],
    password: &Password,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, NaclError> {
    Ok(seal(plain, &derive(password)?, rng))
}

pub(crate) fn decrypt(data: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, NaclError> {
    let (nonce, sealed) = split(data)?;
    open(nonce, sealed, &derive(password)?)
}

/// Refuses what is too short to be an encrypted keyfile, without a password.
pub(crate) fn check(data: &[u8]) -> Result<(), NaclError> {
    split(data).map(drop)
}

fn derive(password: &Password) -> Result<XSalsa20Poly1305, NaclError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    // libsodium's SENSITIVE limits, which btcli uses: other parameters would give another key.
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(key.len())).expect("constant parameters are valid");
    Argon2::new(Algorithm::Argon2i, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &SALT, &mut *key)
        .map_err(|_| NaclError::Memory)?;
    Ok(XSalsa20Poly1305::new(Key::from_slice(&*key)))
}

fn split(data: &[u8]) -> Result<(&[u8], &[u8]), NaclError> {
    let parts = data.strip_prefix(PREFIX).and_then(|body| body.split_at_checked(NONCE_BYTES));
    parts.filter(|(_, sealed)| sealed.len() > TAG_BYTES).ok_or(NaclError::Truncated)
}

fn seal(plain: &[u8], cipher: &XSalsa20Poly1305, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let mut nonce = Nonce::default();
    rng.fill_bytes(&mut nonce);
    let sealed = cipher.encrypt(&nonce, plain).expect("a keyfile is far below the cipher's limit");
    [PREFIX, &nonce, &sealed].concat()
}

fn open(nonce: &[u8], sealed: &[u8], cipher: &XSalsa20Poly1305) -> Result<Zeroizing<Vec<u8>>, NaclError> {
    let plain = cipher.decrypt(Nonce::from_slice(nonce), sealed).map_err(|_| NaclError::WrongPassword)?;
    Ok(Zeroizing::new(plain))
}

#[cfg(test)]
mod tests {
    use weighhouse_seams::Entropy;

    use super::*;
    use crate::testdata::vectors;

    /// Each case costs some seconds and 512 MiB: one by default, all of them where vectors were given.
    #[test]
    fn encrypted_vectors_open_with_their_passwords() {
        let file = vectors("bittensor/keyfiles.json");
        let cases = file["cases"].as_array().expect("cases");
        let count = if std::env::var_os("WEIGHHOUSE_VECTORS").is_some() { cases.len() } else { 1 };
        for case in &cases[..count] {
            let text = |key: &str| case[key].as_str().expect("a string");
            assert_eq!(text("method"), "NaCl");
            let sealed = const_hex::decode(text("encrypted_hex")).expect("hex");
            let cipher = derive(&Password::new(text("password"))).expect("memory");
            let (nonce, body) = split(&sealed).expect("long enough");
            let plain = open(nonce, body, &cipher).expect("the right password");
            assert_eq!(std::str::from_utf8(&plain), Ok(text("plain_utf8")));
            check_round_trip(&plain, &cipher, &mut Entropy::seeded([3; 32]));
        }
    }

    fn check_round_trip(plain: &[u8], cipher: &XSalsa20Poly1305, nonces: &mut Entropy) {
        let (first, second) = (seal(plain, cipher, nonces), seal(plain, cipher, nonces));
        assert_ne!(first, second, "every file has a nonce of its own");
        let (nonce, body) = split(&second).expect("long enough");
        assert_eq!(open(nonce, body, cipher).expect("opens").as_slice(), plain);
        let mut damaged = body.to_vec();
        damaged[20] ^= 1;
        assert_eq!(open(nonce, &damaged, cipher), Err(NaclError::WrongPassword));
        assert_eq!(open(nonce, &[], cipher), Err(NaclError::WrongPassword));
    }

    #[test]
    fn a_short_file_is_refused_before_any_key_is_derived() {
        for bytes in [&b"$NACL"[..], b"$NACL0123456789", b""] {
            assert_eq!(decrypt(bytes, &Password::new("x")), Err(NaclError::Truncated));
        }
    }
}
