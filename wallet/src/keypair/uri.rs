//! Substrate's secret URIs: `[words | 0xseed][//hard | /soft]...[///password]`.

use blake2::Digest as _;
use blake2::digest::consts::U32;
use parity_scale_codec::Encode;
use schnorrkel::ExpansionMode;
use schnorrkel::derive::{ChainCode, Derivation};
use zeroize::Zeroizing;

use super::{KeyError, Keypair};

/// The phrase that a URI without words means. Public knowledge: keys below it protect nothing.
const DEVELOPMENT_PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

/// One step of a derivation path.
enum Junction<'a> {
    Hard(&'a str),
    Soft(&'a str),
}

struct Uri<'a> {
    root: &'a str,
    path: Vec<Junction<'a>>,
    password: &'a str,
}

/// True where the URI names no words or seed, so that the development phrase is meant.
pub(super) fn is_public(text: &str) -> bool {
    let root = text.split('/').next().unwrap_or(text);
    root.is_empty() || root.split_whitespace().eq(DEVELOPMENT_PHRASE.split(' '))
}

pub(super) fn derive(text: &str) -> Result<Keypair, KeyError> {
    let uri = parse(text)?;
    // Nothing at all is a file that wasn't there, never a wish for a key that everybody has.
    if uri.root.is_empty() && uri.path.is_empty() {
        return Err(KeyError::Empty);
    }
    let root = root(uri.root, uri.password)?;
    if uri.path.is_empty() {
        // Unchanged, so that a keyfile can keep words and seed; a derived key has neither.
        return Ok(root);
    }
    let mut secret = root.inner.secret.clone();
    for junction in &uri.path {
        secret = match junction {
            Junction::Hard(step) => secret
                .hard_derive_mini_secret_key(Some(chain_code(step)), b"")
                .0
                .expand(ExpansionMode::Ed25519),
            Junction::Soft(step) => secret.derived_key_simple(chain_code(step), b"").0,
        };
    }
    Ok(Keypair::from_secret(secret))
}

fn parse(text: &str) -> Result<Uri<'_>, KeyError> {
    let start = text.find('/').unwrap_or(text.len());
    let (root, mut rest) = text.split_at(start);
    let mut path = Vec::new();
    let mut password = "";
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("///") {
            password = tail;
            break;
        }
        let (hard, tail) = match rest.strip_prefix("//") {
            Some(tail) => (true, tail),
            None => (false, &rest[1..]),
        };
        let (step, after) = tail.split_at(tail.find('/').unwrap_or(tail.len()));
        if step.is_empty() {
            return Err(KeyError::EmptyJunction);
        }
        path.push(if hard { Junction::Hard(step) } else { Junction::Soft(step) });
        rest = after;
    }
    Ok(Uri { root, path, password })
}

fn root(text: &str, password: &str) -> Result<Keypair, KeyError> {
    if text.starts_with("0x") {
        if !password.is_empty() {
            return Err(KeyError::PasswordOnSeed);
        }
        let mut seed = Zeroizing::new([0_u8; 32]);
        const_hex::decode_to_slice(text, &mut *seed).map_err(|_| KeyError::SeedHex)?;
        return Ok(Keypair::from_seed(&seed));
    }
    Keypair::from_mnemonic(if text.is_empty() { DEVELOPMENT_PHRASE } else { text }, password)
}

/// A step that parses as a number stands for its 8 little-endian bytes, any other for its SCALE string; longer
/// than 32 bytes is hashed.
fn chain_code(step: &str) -> ChainCode {
    let encoded = step.parse::<u64>().map_or_else(|_| step.encode(), |number| number.encode());
    let mut code = [0; 32];
    match code.get_mut(..encoded.len()) {
        Some(head) => head.copy_from_slice(&encoded),
        None => code = blake2::Blake2b::<U32>::digest(&encoded).into(),
    }
    ChainCode(code)
}
