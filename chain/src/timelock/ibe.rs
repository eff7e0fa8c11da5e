//! Identity-based encryption of 32 bytes: the identity is a round, its key the beacon's signature.
//!
//! U = r·P, V = sigma xor H2(e(Q, K)^r), W = message xor H4(sigma), with r = H3(sigma, message), Q the round's point in
//! G1 and K the beacon's public key. All hashes are SHA-256; H2 is over the pairing's value as arkworks writes it.

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G1Projective, G2Affine, G2Projective, g1};
use ark_ec::hashing::HashToCurve;
use ark_ec::hashing::curve_maps::wb::WBMap;
use ark_ec::hashing::map_to_curve_hasher::MapToCurveBasedHasher;
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use ark_ff::field_hashers::DefaultFieldHasher;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sha2_ark::{Digest, Sha256};

use super::{SIGNATURE_BYTES, TIMELOCK_KEY_BYTES, TimelockError};

/// The ciphersuite of quicknet's signatures.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

type Hasher = MapToCurveBasedHasher<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>;

/// The encrypted 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) u: G2Affine,
    pub(super) v: [u8; 32],
    pub(super) w: [u8; 32],
}

/// Any point of the subgroup but zero.
pub(super) fn public_key(bytes: &[u8; TIMELOCK_KEY_BYTES]) -> Result<G2Affine, TimelockError> {
    let key = G2Affine::deserialize_compressed(&bytes[..]).map_err(|_| TimelockError::PublicKey)?;
    if key.is_zero() { Err(TimelockError::PublicKey) } else { Ok(key) }
}

pub(super) fn signature(bytes: &[u8; SIGNATURE_BYTES]) -> Result<G1Affine, TimelockError> {
    G1Affine::deserialize_compressed(&bytes[..]).map_err(|_| TimelockError::Signature)
}

/// The point that stands for a round: the hash of its number as the beacon signs it.
pub(super) fn identity(round: u64) -> G1Affine {
    let hasher = Hasher::new(DOMAIN).expect("the map's parameters are constants that satisfy it");
    hasher.hash(&Sha256::digest(round.to_be_bytes())).expect("every input has a point")
}

pub(super) fn encrypt(public_key: G2Affine, round: u64, message: &[u8; 32], sigma: &[u8; 32]) -> Header {
    let r = h3(sigma, message);
    let shared = Bls12_381::pairing(identity(round), (public_key * r).into_affine());
    Header {
        u: (G2Projective::from(G2Affine::generator()) * r).into_affine(),
        v: xor(sigma, &h2(&shared.0)),
        w: xor(message, &h4(sigma)),
    }
}

pub(super) fn decrypt(header: &Header, signature: G1Affine) -> Result<[u8; 32], TimelockError> {
    let shared = Bls12_381::pairing(signature, header.u);
    let sigma = xor(&header.v, &h2(&shared.0));
    let message = xor(&header.w, &h4(&sigma));
    // Encrypted once more and compared: otherwise a changed header would open, to another secret.
    let u = G2Affine::generator() * h3(&sigma, &message);
    if u.into_affine() == header.u { Ok(message) } else { Err(TimelockError::WrongKey) }
}

fn h2(value: &<Bls12_381 as Pairing>::TargetField) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(value.compressed_size());
    value.serialize_compressed(&mut bytes).expect("a vector takes all bytes");
    Sha256::digest(bytes).into()
}

fn h3(sigma: &[u8; 32], message: &[u8; 32]) -> Fr {
    Fr::from_be_bytes_mod_order(&Sha256::new().chain_update(sigma).chain_update(message).finalize())
}

fn h4(sigma: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(sigma).into()
}

fn xor(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| left[at] ^ right[at])
}
